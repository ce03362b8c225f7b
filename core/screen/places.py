"""Words for places on a screen: "at the top right", "in the sidebar", "the bottom left icon"."""

from __future__ import annotations

import re

from core.screen.lexical import words

Place = tuple[float | None, float | None]
"""(x, y) on the screen, each 0 (left, top), 0.5, 1 (right, bottom), or None where nothing is said of that axis."""

_SIDES = (
    r"(?:top|upper|bottom|lower)[\s-]*(?:left|right|center|centre|middle)?|"
    r"(?:far |extreme |very )?(?:left|right)(?:[\s-]*most)?|center|centre|middle|very top|very bottom"
)
_AREAS: dict[str, str] = {
    "sidebar": "left", "side bar": "left", "navigation pane": "left", "left pane": "left", "left rail": "left",
    "side menu": "left", "info box": "right", "infobox": "right",
    "header": "top", "top bar": "top", "title bar": "top", "toolbar": "top", "navigation bar": "top", "navbar": "top",
    "menu bar": "top", "ribbon": "top", "browser": "top", "address bar": "top", "tab strip": "top",
    "breadcrumbs": "top", "breadcrumb trail": "top", "breadcrumb": "top",
    "footer": "bottom", "taskbar": "bottom", "task bar": "bottom",
    "dock": "bottom", "bottom bar": "bottom", "tab bar": "bottom", "status bar": "bottom",
}  # fmt: skip
_POSITION = re.compile(
    r"\b(?:located |placed |shown |which is |that is )?(?:in|at|on|from|to|near|along|towards?|by)\s+(?:the\s+)?"
    rf"(?P<side>{_SIDES})(?:[\s-]*(?:hand))?"
    r"(?:[\s-]*(?:corner|side|edge|part|half|area|end|row|column|bar|pane|panel|sidebar|toolbar|menu))*"
    r"(?:\s+of\s+(?:the|this|my)\s+"
    r"(?:screen|page|window|app|display|dialog|website|site|browser|toolbar|header|desktop|article|document))?(?=\W|$)",
)
_AREA = re.compile(
    r"\b(?:in|on|from|at|of|inside|using|via)\s+(?:the\s+)?(?:(?P<side>left|right|top|bottom|upper|lower)[\s-]+)?"
    rf"(?P<area>{'|'.join(_AREAS)})\b"
)
# "the top right icon", "leftmost button": only before a word for a control, as "left arrow" names an icon.
_ADJECTIVE = re.compile(
    r"\b(?P<side>(?:top|upper|bottom|lower)[\s-]+(?:left|right|center|middle)|leftmost|rightmost|topmost|bottommost|"
    r"(?:top|bottom|upper|lower|left|right)(?:[\s-]*(?:hand|most))?(?=\s+(?:\w+\s+)?"
    r"(?:button|icon|link|tab|field|box|item|menu|image|picture|one|option|toggle|switch)\b))"
)


# "Rotate it to the left" says which way, not where.
_TURNING = re.compile(r"(?:rotate|turn|move|align|shift|scroll|slide|swipe|flip|spin|go|jump|indent)\b")


def _axis(side: str) -> Place:
    x = 0.0 if "left" in side else 1.0 if "right" in side else None
    y = 0.0 if re.search("top|upper", side) else 1.0 if re.search("bottom|lower", side) else None
    if re.search("center|centre|middle", side):
        x = 0.5 if x is None else x
        y = 0.5 if y is None else y
    return x, y


def take_place(text: str, quotes: list[str]) -> tuple[str, Place]:
    """The text without the words that say where on the screen, and the place they name."""
    x = y = None
    for pattern in (_AREA, _POSITION, _ADJECTIVE):
        match = pattern.search(text.lower())
        # "to the left of X" is a relation to X, not a place on the screen; quoted words are a name.
        if match is None or any(match.group() in quote.lower() for quote in quotes):
            continue
        following = text[match.end() :]
        if pattern is _POSITION and re.match(r"\s+of\s+\S", following):
            continue
        if pattern is _POSITION and match.group().startswith("to ") and _TURNING.match(text.lower()):
            continue
        groups = match.groupdict()
        side = groups.get("side") or _AREAS[groups["area"]]
        found_x, found_y = _axis(side)
        x, y = (found_x if x is None else x), (found_y if y is None else y)
        rest = f"{text[: match.start()]} {following}"
        # "the right margin field" may be called just that; "the top right icon" is not.
        named = pattern is _ADJECTIVE and None in (found_x, found_y)
        if words(rest) and not named:
            text = re.sub(r"\s+", " ", rest).strip()
    return text, (x, y)
