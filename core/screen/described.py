"""What each element of a screen says: its words, its label, what its icon may show, and the vectors of these."""

from __future__ import annotations

import re
from functools import cached_property, lru_cache

import numpy as np

from core.geometry import Box
from core.screen import sentences, thesaurus
from core.screen.elements import Element, IconGuess
from core.screen.glossary import in_english
from core.screen.layout import Label, first_toolbar, is_value, labels, line_height, menu_bar, stands_for, wrapped
from core.screen.lexical import FUNCTION_WORDS, words
from core.screen.merge import rows

LIKELY_ICON = 0.08
"""Less probable guesses of an icon are noise."""
VALUED = 0.8
"""How surely a value tells what its control is."""
CAPTION = 0.95
"""How surely the first line inside a control of two lines is its name."""
WRAPPED = 0.9
"""How surely a further line of a headline is called as the whole of it."""
SPELT_IN = 6
"""Words of a text up to which it names something: how that is spelt counts."""
CAPTION_WORDS = 3
"""Words that such a name has at most."""
LETTERED, LABELLED = 0.2, 0.4
"""What the icon of a control counts that bears a text as well, and that of one with a text beside it."""
RECURRING = 3
"""Times from which a text in one column or row is what entries say of themselves."""
LETTER_ICON = 0.7
"""The probability that a lone character on the screen is the icon it looks like."""

_LETTER_ICONS = {
    "x": "close", "×": "close", "✕": "close", "+": "plus", "-": "minus", "–": "minus", "—": "minus", "_": "minus",
    "q": "search", "b": "bold", "i": "italic", "u": "underline", "?": "help", "!": "warning", "<": "back",
    "‹": "back", "←": "back", ">": "forward", "›": "forward", "→": "forward", "...": "more horizontal",
    "…": "more horizontal", "•••": "more horizontal", "⋮": "more vertical", ":": "more vertical", "=": "menu",
    "≡": "menu", "☰": "menu", "@": "at sign", "#": "hash", "$": "dollar", "€": "euro", "▼": "caret down",
    "▾": "caret down", "v": "chevron down", "^": "chevron up", "♥": "heart", "♡": "heart", "★": "star", "☆": "star",
}  # fmt: skip


_MODIFIER = (
    r"(?:(?:Ctrl|Control|Strg|Alt|AltGr|Shift|Umschalt|Maj|Mayús|Cmd|Command|Option|Meta|Super|Win)\s?[+-]|[⌘⇧⌥⌃])\s?"
)
_KEY = r"(?:\S|F\d\d?|Del|Entf|Delete|Enter|Return|Space|Tab|Esc|Home|End|Left|Right|Up|Down)"
# What ends an entry of a menu: "Export image... Ctrl+Shift+E".
_SHORTCUT = re.compile(rf"(?<=\S)\s+(?:{_MODIFIER})+{_KEY}$")
_CAPTIONED = re.compile(r"([^:]+): +\S")
_LATIN = re.compile(r"[A-Za-z]{2}")


class DescribedScreen:
    """The elements of a screen with what is worked out once for all instructions; every list goes by element."""

    def __init__(self, elements: tuple[Element, ...], panels: tuple[Box, ...], foreign: bool) -> None:
        self.elements = elements
        self.panels = sorted(panels, key=lambda panel: panel.area)
        self.unit = line_height(elements)
        self.labels = labels(elements)
        self.menu_bar = menu_bar(elements)
        self.tools = {e.id: i for i, e in enumerate(first_toolbar(elements, self.menu_bar, self.unit))}
        found = [self.labels.get(element.id) for element in elements]
        self.words = [words(_SHORTCUT.sub("", element.text)) for element in elements]
        self.vocabulary = frozenset(w for listed in self.words if len(listed) <= SPELT_IN for w in listed)
        self.counts = np.array([sum(w not in FUNCTION_WORDS for w in listed) for listed in self.words], np.float32)
        captions = [caption(element, self.unit) for element in elements]
        self.captioned = {element.id for element, own in zip(elements, captions, strict=True) if own}
        self.label_words = [
            words(label.text.text) if label else own for label, own in zip(found, captions, strict=True)
        ]
        self.label_strength = [
            label.strength if label else CAPTION * bool(own) for label, own in zip(found, captions, strict=True)
        ]
        numbers = {element.id: i for i, element in enumerate(elements)}
        for block in wrapped(elements):
            listed = words(" ".join(line.text for line in block))
            for line in block:  # the first line is as good as any to click
                self.label_words[numbers[line.id]] = listed
                self.label_strength[numbers[line.id]] = CAPTION if line is block[0] else WRAPPED
        self.says = [_says(element, label) for element, label in zip(elements, found, strict=True)]
        self.values = {
            element.id: value
            for element, label in zip(elements, found, strict=True)
            if label is None and element.text and (value := stands_for(element, elements, self.unit))
        }
        self.meant = [
            self.values.get(e.id) or (in_english(said) if foreign else said)
            for e, said in zip(elements, self.says, strict=True)
        ]
        self.trust = np.array(
            [
                VALUED if e.id in self.values else 1.0 if said == e.text else strength
                for said, e, strength in zip(self.says, elements, self.label_strength, strict=True)
            ],
            np.float32,
        )
        self.unread = np.array([not _LATIN.search(text) for text in self.meant], bool)
        kinds = {element.id: element.kind for element in elements}
        self.labelling = {
            label.text.id: kinds[id] for id, label in self.labels.items() if kinds[id] not in ("icon", "image")
        }
        self.icons = [_guesses(element) or _inside(element, elements) for element in elements]
        self.bareness = np.array(
            [_bareness(*own) for own in zip(self.words, self.label_strength, strict=True)], np.float32
        )
        self.text_boxes = [_text_box(element) for element in elements]
        self.centers = np.array([(e.box.center.x, e.box.center.y) for e in elements]).reshape(-1, 2)
        self.lines = [box for box, element in zip(self.text_boxes, elements, strict=True) if element.text]

    @cached_property
    def recurring(self) -> np.ndarray:
        """[elements], bool: whether an element's text stands at least RECURRING times in its column or in its row."""
        found = np.zeros(len(self.elements), bool)
        places: dict[tuple[str, ...], list[int]] = {}
        for i, listed in enumerate(self.words):
            if listed:
                places.setdefault(tuple(listed), []).append(i)
        for alike in places.values():
            for i in alike:
                box, others = self.text_boxes[i], [self.text_boxes[j] for j in alike]
                column = sum(abs(other.x1 - box.x1) < self.unit for other in others)
                row = sum(abs(other.y1 - box.y1) < 0.5 * self.unit for other in others)
                found[i] = max(column, row) >= RECURRING
        return found

    def shared_panels(self, anchors: list[int]) -> np.ndarray:
        """[elements]: the area of the smallest panel that holds an element and the text of one of the anchors, infinite
        where none does."""
        shared = np.full(len(self.elements), np.inf)
        for panel in self.panels:  # the smallest first
            if any(panel.contains(self.text_boxes[j].center) for j in anchors):
                within = self._centers_in(panel)
                shared[within] = np.minimum(shared[within], panel.area)
        return shared

    def _centers_in(self, panel: Box) -> np.ndarray:
        x, y = self.centers.T
        return (panel.x1 <= x) & (x <= panel.x2) & (panel.y1 <= y) & (y <= panel.y2)

    @cached_property
    def text_vectors(self) -> np.ndarray:
        """[elements, 384]: the meaning of what each element says, zeros where the encoder reads nothing of it."""
        vectors = sentences.embed(self.meant)
        vectors[self.unread] = 0.0
        return vectors * self.trust[:, None]

    @cached_property
    def icon_vectors(self) -> np.ndarray:
        """[elements, 384]: the meaning of each element's icon, weighted with the guesses' probabilities."""
        names = sorted({guess.name for guesses in self.icons for guess in guesses})
        vectors = dict(zip(names, sentences.embed([gloss(name) for name in names]), strict=True))
        total = np.zeros((len(self.elements), sentences.DIMENSIONS), np.float32)
        for row, guesses in zip(total, self.icons, strict=True):
            for guess in guesses:
                row += guess.probability * vectors[guess.name]
        return total


@lru_cache(maxsize=16)
def describe(elements: tuple[Element, ...], panels: tuple[Box, ...] = (), foreign: bool = False) -> DescribedScreen:
    """The same screen is asked again and again: the last ones are kept. ``foreign``: what it says is put in English."""
    return DescribedScreen(elements, panels, foreign)


def caption(element: Element, unit: float) -> list[str]:
    """What a wide button calls what it holds: the words of the first of two lines that begin together, or those before
    a colon ("Status: any")."""
    if element.kind in ("button", "field") and (named := _CAPTIONED.match(element.text)):
        own = words(named[1])
        return own if len(own) <= CAPTION_WORDS else []
    if element.kind not in ("button", "field") or len(element.words) < 2 or element.box.width < 2 * element.box.height:
        return []
    lines = rows([word.box for word in element.words])
    if len(lines) != 2:
        return []
    first, second = (element.words[line[0]].box for line in lines)
    own = words(" ".join(element.words[i].text for i in lines[0]))
    return own if abs(first.x1 - second.x1) < 0.5 * unit and len(own) <= CAPTION_WORDS else []


def _says(element: Element, label: Label | None) -> str:
    """An element's own text, else its label's. A field says both: what it is called and what is in it."""
    if label is None:
        return element.text
    if element.kind == "field" and element.text and not is_value(element.text):
        return f"{label.text.text} {element.text}"
    return element.text if words(element.text) and not is_value(element.text) else label.text.text


def _bareness(own: list[str], label: float) -> float:
    """How much an icon has to say, 0..1: what stands on it or beside it tells more."""
    return LETTERED if any(len(word) > 1 for word in own) else 1.0 - (1.0 - LABELLED) * label


def _text_box(element: Element) -> Box:
    """Where the text itself stands, which may be a corner of the element's box."""
    if not element.words:
        return element.box
    box = element.words[0].box
    for word in element.words[1:]:
        box = box.union(word.box)
    return box


def _guesses(element: Element) -> tuple[IconGuess, ...]:
    """What the element's icon may show. A recogniser takes plain icons for letters: a cross for an X."""
    if element.kind == "field":
        return ()
    likely = tuple(
        IconGuess(guess.name, min(guess.probability, 1.0))
        for guess in element.icons
        if guess.probability >= LIKELY_ICON
    )
    name = _LETTER_ICONS.get(element.text.strip().lower())
    if name is None or any(guess.probability > LETTER_ICON / 2 for guess in likely):
        return likely
    return (IconGuess(name, LETTER_ICON), *(guess for guess in likely if guess.name != name))


def _inside(field: Element, elements: tuple[Element, ...]) -> tuple[IconGuess, ...]:
    """What the first icon inside a field shows: a magnifying glass makes it a search box."""
    if field.kind != "field":
        return ()
    inside = [e for e in elements if e.kind == "icon" and e.icons and e.box.inside(field.box) > 0.9]
    first = _guesses(min(inside, key=lambda icon: icon.box.x1)) if inside else ()
    return tuple(IconGuess(guess.name, 0.7 * guess.probability) for guess in first)


def gloss(icon: str) -> str:
    """What an icon stands for, in words: its name and what its surest meaning is called."""
    found = thesaurus.of_icon(icon)
    if not found:
        return icon
    number = max(found, key=lambda number: found[number])
    return ", ".join((icon, *thesaurus.meanings()[number].phrases[:3]))
