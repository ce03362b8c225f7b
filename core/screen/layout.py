"""Where elements stand to one another: labels of controls, rows, and "left of", "below", "next to".

All lengths are pixels of the screenshot; scores are 0..1.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from core.geometry import Box
from core.screen.elements import Element
from core.screen.instruction import Side
from core.screen.lexical import words

LABEL_REACH = 1.5
"""Line heights above or below its control within which a label stands."""

ADJOINING = 1.0
"""Line heights from what stands before a text and belongs to it, such as the arrow that opens a folder."""

PEER = 0.15
"""The share by which what is alike may differ in height or distance."""

WRAPPED = 3
"""Lines that a headline takes at most."""

TOOLS = 6
"""Icons that make a toolbar."""
BAR_WORDS = 5
"""Words that a recogniser may run together in a menu bar."""

_MENU_TITLES = frozenset(
    "file edit view help tools datei bearbeiten ansicht hilfe extras fichier édition affichage aide outils "
    "archivo editar ver ayuda herramientas".split()
)
_VALUE = re.compile(r"[$€£¥]?[+-]?\d[\d.,:]*\s?[^\W\d]{0,3}[%\"]?")
_PATH = re.compile(r"(?:/|~/|[A-Za-z]:\\)[^\s/\\]+[/\\]\S*")
_ZOOM = re.compile(r"[1-9]\d{1,3}(?:[.,]\d+)? ?%")
_NUMBER = re.compile(r"\d{1,4}(?: ?pt)?")
_COUNT = re.compile(r"(?:of|/)(?: ?\d+)?\b")
_FONTS = frozenset(
    "sans serif mono monospace times arial helvetica courier calibri cambria verdana georgia liberation dejavu noto "
    "cantarell ubuntu roboto carlito garamond palatino tahoma segoe inter".split()
)
_CONTROLS = ("field", "checkbox", "toggle")


def line_height(elements: Sequence[Element]) -> float:
    """The median height of the texts, the natural unit of distance on a screen."""
    heights = sorted(element.box.height for element in elements if element.text and element.kind != "field")
    return max(heights[len(heights) // 2], 4.0) if heights else 16.0


def is_value(text: str) -> bool:
    """Whether a text is a number with at most a unit: what a field holds, not what it is called."""
    return _VALUE.fullmatch(text.strip()) is not None


def first_toolbar(elements: Sequence[Element], bar: frozenset[int], unit: float) -> list[Element]:
    """The bare icons of the row just below a menu bar, from left to right, without the arrows of drop-down lists."""
    titles = [element.box for element in elements if element.id in bar]
    if not titles:
        return []
    below = max(box.y2 for box in titles)
    near = [e for e in elements if e.kind == "icon" and not e.text and 0 <= e.box.center.y - below < 3 * unit]
    row = [e for e in near if same_row(e.box, min(near, key=lambda e: e.box.center.y).box)]
    icons = [e for e in row if not (e.icons and e.icons[0].name.startswith(("caret", "chevron")))]
    return sorted(icons, key=lambda e: e.box.x1) if len(icons) >= TOOLS else []


def stands_for(element: Element, elements: Sequence[Element], unit: float) -> str:
    """What an unlabelled value tells of its control: "100 %" is a zoom, "12" beside a font's name a size. May be ""."""
    text = element.text.strip()
    if _PATH.match(text):
        return "location, path"
    if _ZOOM.fullmatch(text):
        return "zoom, magnification"
    if element.kind != "icon" and _FONTS.intersection(words(text)):
        return "font, typeface"
    if element.kind not in ("button", "field", "text") or not _NUMBER.fullmatch(text):
        return ""
    row = [e for e in elements if e is not element and e.text and same_row(e.box, element.box)]
    beside = [e for e in row if 0 <= e.box.x1 - element.box.x2 < 4 * unit]
    if any(_COUNT.match(e.text.lower()) for e in beside):
        return "page number"
    if text.endswith("pt") or any(_FONTS.intersection(words(e.text)) for e in row):
        return "font size"
    return ""


def gaps(a: Box, b: Box) -> tuple[float, float]:
    """Free (horizontal, vertical) space between two boxes, 0 where they overlap on that axis."""
    return max(0.0, a.x1 - b.x2, b.x1 - a.x2), max(0.0, a.y1 - b.y2, b.y1 - a.y2)


def same_row(a: Box, b: Box) -> bool:
    """Whether two boxes share at least half the lower one's height."""
    shared = min(a.y2, b.y2) - max(a.y1, b.y1)
    return shared >= 0.5 * max(min(a.height, b.height), 1.0)


def same_column(a: Box, b: Box) -> bool:
    shared = min(a.x2, b.x2) - max(a.x1, b.x1)
    return shared >= 0.5 * max(min(a.width, b.width), 1.0)


def below_title(cell: Box, title: Box) -> bool:
    """Whether a cell lies below the title of its column: both begin, end or are centred together."""
    pairs = ((cell.x1, title.x1), (cell.x2, title.x2), (cell.center.x, title.center.x))
    return title.y2 <= cell.y1 and min(abs(a - b) for a, b in pairs) < 0.5 * title.height


@dataclass(frozen=True)
class Label:
    """The text that names a control, and how surely it does, 0..1."""

    text: Element
    strength: float


def labels(elements: Sequence[Element]) -> dict[int, Label]:
    """Id of a control or a bare icon -> its label.

    Fields: left in the same row, else just above. Check boxes: right, else left. Toggles: left, however far, else
    right. Icons without text: just below (as on home screens), else right beside.
    """
    unit = line_height(elements)
    texts = [element for element in elements if element.kind in ("text", "button") and element.text]
    ticked = {text.id for text in texts if any(_ticks(element, text, unit) for element in elements)}
    found: dict[int, Label] = {}
    for element in elements:
        bare = element.kind in ("icon", "image") and not element.text
        if element.kind in _CONTROLS or bare or is_value(element.text):
            best, best_cost = None, math.inf
            top, bottom = element.box.y1 - LABEL_REACH * unit, element.box.y2 + LABEL_REACH * unit
            for text in texts:
                if text.box.y2 < top or text.box.y1 > bottom or (bare and is_value(text.text)):
                    continue
                if element.kind == "field" and text.id in ticked:
                    continue
                cost = _label_cost(element, text, unit)
                if cost < best_cost:
                    best, best_cost = text, cost
            if best is not None:
                if element.kind == "toggle":
                    best = _title(best, elements, unit)
                # A text beside an icon is itself what one clicks; the icon may be another thing altogether.
                beside = element.kind in ("icon", "image") and same_row(element.box, best.box)
                if not (beside and _follows_a_text(element, texts, best.box.x1 - element.box.x2)):
                    found[element.id] = Label(best, 0.6 if beside else 0.95)
    return found


def _title(text: Element, elements: Sequence[Element], unit: float) -> Element:
    """The line just above a text that begins with it and has no control of its own, as the name of a setting stands
    above its explanation; else the text itself."""
    controls = [element.box for element in elements if element.kind in _CONTROLS]
    above = [
        other
        for other in elements
        if other.text
        and other.kind == "text"
        and abs(other.box.x1 - text.box.x1) < 0.5 * unit
        and 0 <= text.box.y1 - other.box.y2 < 0.6 * unit
        and not any(same_row(box, other.box) for box in controls)
    ]
    return max(above, key=lambda other: other.box.y2, default=text)


def _ticks(control: Element, text: Element, unit: float) -> bool:
    """Whether a control is the check box just before a text, which then names nothing else."""
    box = control.kind == "checkbox" or (control.icons and control.icons[0].name in ("check", "checkbox on", "square"))
    return bool(box) and same_row(control.box, text.box) and 0 <= text.box.x1 - control.box.x2 < 1.2 * unit


def _follows_a_text(icon: Element, texts: Sequence[Element], gap: float) -> bool:
    """Whether a text ends nearer before the icon than the next one begins after it, as on a tab with a cross."""
    return any(same_row(icon.box, text.box) and 0 <= icon.box.x1 - text.box.x2 < gap for text in texts)


def _label_cost(control: Element, text: Element, unit: float) -> float:
    """Distance in line heights, infinite where the text cannot be this control's label."""
    box, label = control.box, text.box
    if label.inside(box) > 0.5 or box.inside(label) > 0.5:
        return math.inf
    if control.kind == "field" and text.kind == "button":
        return math.inf  # what is itself to be pressed names nothing else
    horizontal, vertical = gaps(box, label)
    horizontal, vertical = horizontal / unit, vertical / unit
    row, left, above = same_row(box, label), label.center.x < box.center.x, label.center.y < box.center.y
    starts_together = abs(label.x1 - box.x1) < 2 * unit
    # In a row of settings the label stands far to the left; under it there may be an explanation, often longer.
    far = 10 + round((box.x1 - label.x1) / unit) + (label.center.y - box.center.y) / unit
    if control.kind == "field":
        if row and left:
            return horizontal if horizontal < 8 else far
        return 0.5 + vertical if above and starts_together and vertical < LABEL_REACH else math.inf
    if control.text and control.kind not in _CONTROLS:  # a number after "Qty:" is a field, whatever it looks like
        return horizontal if row and left and horizontal < 3 and text.text.rstrip().endswith(":") else math.inf
    if control.kind == "checkbox":
        return horizontal if row and horizontal < 3 and not left else 3 + horizontal if row and left else math.inf
    if control.kind == "toggle":
        return far if row and left else 3 + horizontal if row and horizontal < 3 else math.inf
    centred = abs(label.center.x - box.center.x) <= 0.5 * unit
    if not row and not above and centred and vertical < 1.0 and label.width < 3 * box.width:
        return vertical
    return 0.5 + horizontal if row and not left and horizontal < 1.2 else math.inf


def control_beside(label: Element, elements: Sequence[Element], kinds: Sequence[str], unit: float) -> Element | None:
    """What of these kinds the text names if it names anything: the next control to its right, else just below it; a
    check box may stand to its left. Of texts, only values count as controls. An icon or a button beyond another text
    is that one's."""
    texts = [e.box for e in elements if e.text and e.id != label.id and same_row(e.box, label.box)]
    ends = min((box.x1 for box in texts if box.x1 >= label.box.x2), default=math.inf)
    best, best_cost = None, math.inf
    for element in elements:
        if element.id == label.id or element.kind not in kinds:
            continue
        if element.kind == "text" and not is_value(element.text):
            continue
        if element.box.inside(label.box) > 0.5 or label.box.inside(element.box) > 0.5:
            continue
        horizontal, vertical = (gap / unit for gap in gaps(element.box, label.box))
        after, below = element.box.center.x > label.box.center.x, element.box.center.y > label.box.center.y
        if element.kind in ("icon", "button") and element.box.x1 > ends:
            continue
        if same_row(element.box, label.box) and (after or element.kind == "checkbox" or _ticks(element, label, unit)):
            cost = horizontal
        elif vertical < LABEL_REACH and below and horizontal == 0:
            cost = 4 + vertical
        else:
            continue
        if cost < best_cost:
            best, best_cost = element, cost
    return best


def wrapped(elements: Sequence[Element]) -> list[tuple[Element, ...]]:
    """Texts of two or three lines, such as headlines: the next line begins below and goes on in lower case."""
    lines = sorted((e for e in elements if e.kind == "text" and e.words), key=lambda element: element.box.y1)
    after: dict[int, Element] = {}
    for i, line in enumerate(lines):
        for other in lines[i + 1 :]:
            gap, size = other.box.y1 - line.box.y2, min(line.box.height, other.box.height)
            if gap > 0.7 * size:
                break
            if (
                gap > -0.5 * size
                and abs(other.box.x1 - line.box.x1) < 0.3 * size
                and abs(other.box.height - line.box.height) <= 0.35 * size
                and other.text[:1].islower()
                and len(line.words) > 1
            ):
                after[line.id] = other
                break
    continued = {line.id for line in after.values()}
    found = []
    for line in lines:
        block = [line]
        while block[-1].id in after:
            block.append(after[block[-1].id])
        if line.id not in continued and 1 < len(block) <= WRAPPED:
            found.append(tuple(block))
    return found


def menu_bar(elements: Sequence[Element]) -> frozenset[int]:
    """Ids of the titles in a program's menu bar: the row of at least two of those that most programs have."""
    titles = [e for e in elements if e.kind in ("text", "button") and e.text]
    known = [e for e in titles if not _MENU_TITLES.isdisjoint(words(e.text)) and len(words(e.text)) <= BAR_WORDS]
    for first in known:
        row = [e for e in titles if same_row(first.box, e.box) and len(words(e.text)) <= BAR_WORDS]
        if len(_MENU_TITLES.intersection(word for e in row for word in words(e.text))) >= 2:
            return frozenset(e.id for e in row)
    return frozenset()


def relation(candidate: Box, anchor: Box, side: Side, unit: float) -> float:
    """How well a candidate stands on this side of the anchor: 1 beside it, falling with distance, 0 elsewhere."""
    horizontal, vertical = gaps(candidate, anchor)
    horizontal, vertical = horizontal / unit, vertical / unit
    dx, dy = candidate.center.x - anchor.center.x, candidate.center.y - anchor.center.y
    if side in ("left", "right"):
        right_way = dx < 0 if side == "left" else dx > 0
        return 1 / (1 + 0.3 * horizontal) if right_way and same_row(candidate, anchor) else 0.0
    if side in ("above", "below"):
        right_way = dy < 0 if side == "above" else dy > 0
        return 1 / (1 + 0.3 * vertical) if right_way and same_column(candidate, anchor) else 0.0
    distance = math.hypot(horizontal, vertical)
    if side == "near":
        return 1 / (1 + (0.1 * horizontal if same_row(candidate, anchor) else 0.3 * distance))
    if side == "in" and dy > 0 and candidate.x1 >= anchor.x1 - 2 * unit and not same_row(candidate, anchor):
        return 1 / (1 + 0.03 * (vertical + horizontal))
    # What belongs to a thing stands in its row, however far, or below it: titles come before their controls.
    if same_row(candidate, anchor):
        return 1 / (1 + 0.01 * horizontal) * (1.0 if dx > 0 or horizontal < ADJOINING else 0.85)
    return 1 / (1 + 0.3 * vertical + 0.03 * horizontal) * (0.9 if dy > 0 else 0.5)


def title_of(title: Box, box: Box, unit: float) -> float:
    """How well a text may be the title of what is in a box: 1 just above or before it, falling with distance."""
    horizontal, vertical = (gap / unit for gap in gaps(title, box))
    if title.y2 <= box.y1 + 0.5 * unit and -4 * unit < box.x1 - title.x1 < 8 * unit:
        return 1 / (1 + 0.05 * vertical)
    return 1 / (1 + 0.05 * horizontal) if same_row(title, box) and title.x2 <= box.x1 else 0.0


def of_same_entry(anchor: Box, controls: Sequence[Box], texts: Sequence[Box], unit: float) -> int | None:
    """Which of the like controls of a list's or grid's entries, such as their hearts, belongs to the entry of a text.

    Entries begin with the anchor or its like, then its control is the next one below, however far; or, in a regular
    column, with the control: where more texts then stand as far from their controls as the anchor from its own, or
    nothing like the anchor stands above the first. ``texts`` bound the screen's lines. None where a control stands in
    the anchor's row or before it (as on pages from right to left), and where there is but one.
    """
    if any(same_row(box, anchor) for box in controls):
        return None
    beyond = [i for i in range(len(controls)) if controls[i].center.x >= anchor.x1 - unit]
    columns = ([j for j in beyond if 0 <= controls[j].x1 - controls[i].x1 <= unit] for i in beyond)
    column = min((c for c in columns if len(c) > 1), key=lambda c: min(controls[i].x1 for i in c), default=[])
    column.sort(key=lambda i: controls[i].y1)
    if not column:
        return None
    peers = [text for text in [anchor, *texts] if abs(text.height - anchor.height) <= PEER * anchor.height]
    peers = [text for text in peers if abs(text.x1 - anchor.x1) < unit]
    first = controls[column[0]]
    below = next((i for i in column if controls[i].y1 >= anchor.y1), None)
    above = next((i for i in reversed(column) if controls[i].y2 <= anchor.y2), None)
    pitch = [after.y1 - before.y1 for before, after in pairwise(controls[i] for i in column)]
    regular = max(pitch) <= (1 + PEER) * min(pitch)
    if regular and above is not None and below is not None:
        # Where entries are alike, all their texts stand as far from their controls.
        steps = (controls[i].y1 - anchor.y1 for i in (above, below))
        if_above, if_below = (_as_far(step, [controls[i] for i in column], peers, unit) for step in steps)
        if if_above > if_below:
            return above
    if any(text.y2 <= first.y1 for text in peers):
        return below
    return above if regular else None


def _as_far(distance: float, controls: Sequence[Box], texts: Sequence[Box], unit: float) -> int:
    """How many of the controls have a text whose top is so far above theirs."""
    return sum(any(abs(control.y1 - text.y1 - distance) < unit for text in texts) for control in controls)


def reading_order(elements: Sequence[Element], unit: float) -> list[Element]:
    """Rows from top to bottom, each from left to right."""
    rows: list[list[Element]] = []
    for element in sorted(elements, key=lambda element: element.box.center.y):
        if rows and abs(rows[-1][0].box.center.y - element.box.center.y) < unit:
            rows[-1].append(element)
        else:
            rows.append([element])
    return [element for row in rows for element in sorted(row, key=lambda element: element.box.x1)]


def repeated(elements: Sequence[Element], unit: float) -> list[Element]:
    """What a list on the screen consists of, from top to bottom: the headline of each result, the text of each row.

    The column of texts that fills most of the screen is cut where the steps between its lines are wide; the tallest
    line of a piece is its headline.
    """
    columns: list[list[Element]] = []
    for element in sorted(elements, key=lambda element: element.box.x1):
        if element.text and element.kind in ("text", "button"):
            if not columns or element.box.x1 - columns[-1][0].box.x1 > 0.75 * unit:
                columns.append([])
            columns[-1].append(element)
    column = max(columns, key=lambda column: (len(column) > 2, sum(e.box.area for e in column)), default=[])
    column = sorted(column, key=lambda element: element.box.center.y)
    pitch = [below.box.center.y - above.box.center.y for above, below in pairwise(column)]
    wide = (min(pitch) + sorted(pitch)[-max(1, len(pitch) // 5)]) / 2 if pitch else 0.0
    pieces = [column[:1]]
    for element, step in zip(column[1:], pitch, strict=True):
        if step > wide or max(pitch) - min(pitch) < 0.5 * unit:
            pieces.append([])
        pieces[-1].append(element)
    # What stands alone above and below the list has another number of lines.
    counts = Counter(len(piece) for piece in pieces if piece)
    usual = counts.most_common(1)[0][0] if counts else 0
    return [max(piece, key=lambda element: element.box.height) for piece in pieces if piece and len(piece) == usual]
