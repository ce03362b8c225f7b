"""What speaks for each element of a screen as standing so to a named other thing: "the switch for Bluetooth"."""

from __future__ import annotations

import numpy as np

from core.geometry import Size
from core.screen.comparing import (
    ANCHOR,
    BESIDE,
    FITTING,
    NAMING,
    NAMING_FEATURES,
    Values,
    bears_name,
    compare,
    holds,
    sentence_of,
    shares_of,
)
from core.screen.described import DescribedScreen
from core.screen.instruction import Instruction, Relation, Side
from core.screen.layout import below_title, of_same_entry, relation, same_row

OWNED = 0.4  # how well something near a thing bears the target's name for the thing itself not to be meant
ELSEWHERE = 0.5  # what a name counts that stands far from what it is to be done to
FAR_ICON = 0.8  # likewise, what an icon's counts
PEERS = 0.75  # what bears the name at least this well, compared with the best, may be meant as well as it
CHANGED = 0.5  # how near "edit" stands to what is to be changed: most things are changed by a click on themselves
_DISCLOSING = frozenset(("chevron right", "chevron down", "caret right", "caret down"))
"""Icons of one thing, shown or hidden: what is in a folder of a tree."""
APART = 0.15  # what stands no nearer to a thing hardly belongs to it; what is often done to things may stand anywhere
WHOLE = 0.95  # what has this share of its words named is called so
SCATTERED = 0.7  # what an anchor counts whose name stands word by word elsewhere
RIVAL = 0.6  # what bears an anchor's name at least this well, compared with the best, may be the anchor
TITLES = 3  # texts in a row from which they may be the titles of columns
NAMED = 0.2  # what bears a name less well is no candidate


def related(
    known: DescribedScreen, size: Size, instruction: Instruction, read: Relation
) -> tuple[Values, np.ndarray] | None:
    """Evidence for the head of a relation, and which elements [elements] only own what is meant; None where nothing
    bears the anchor's name or lies as asked to it."""
    wanted, found = shares_of(known, read.anchor).T
    anchors = np.sqrt(wanted) * np.maximum(found, 0.75 * wanted)
    held = holds(known, read.anchor) | ((found > WHOLE) & (wanted >= FITTING))
    if held.any():  # "uploader.test.ts" is no "uploader.ts"
        anchors[~held] *= SCATTERED
    titles = np.array([read.deed != "" and element.id in known.menu_bar for element in known.elements])
    anchors[titles] = 0.0  # nothing is done to "File", nor by "Edit" in the row of "File"
    if anchors.max() < ANCHOR:
        return None
    values = compare(known, size, instruction, read.head, sentence_of(read.head))
    if read.side == "of":
        _name_cells(known, values, np.flatnonzero(anchors >= PEERS * anchors.max()))
    bearing = named = bears_name(values)
    if read.deed == "shown" and values["icon"].max() < FITTING:
        asked = [word for word, weight in zip(read.head.words, read.head.weights, strict=True) if weight > NAMING]
        if asked not in known.words:
            return None
    if instruction.roles and max(read.head.weights) <= NAMING:
        for feature in NAMING_FEATURES:  # "the box next to X" need not say "box"
            values[feature][:] = 0.0
    if instruction.roles or max(read.head.weights) <= NAMING:
        named = np.maximum(named, 0.8 * values["role"])
    like = _like_the_best(known, named) if read.side == "of" else []
    bare = [i for i in like if not known.words[i]]
    for feature in ("icon", "icon sentence"):  # of icons that look alike none is more what is asked for
        surest = (values[feature][like] / known.bareness[like]).max(initial=0.0)
        values[feature][like] = surest * known.bareness[like]
        values[feature][bare] = surest * known.bareness[bare].max(initial=0.0)
    if bare:
        values["lacks the deed"][bare] = values["lacks the deed"][bare].min()
    near = np.zeros(len(known.elements), np.float32)
    own: dict[int, float] = {}
    heads = np.flatnonzero((named > NAMED) & ~titles)
    owned = [(j, float(anchors[j] / anchors.max())) for j in np.flatnonzero(anchors >= RIVAL * anchors.max())]
    # What is "under the lamp" may also stand below it on its card, at another edge.
    for side in ("below", "of") if read.side == "below" else (read.side,):
        for j, strength in owned:
            anchor = known.text_boxes[j]
            for i in heads:
                box = known.elements[i].box
                if i != j and box.inside(anchor) < 0.5 and anchor.inside(box) < 0.5:
                    near[i] = max(near[i], strength * relation(box, anchor, side, known.unit))
        if near.any():
            break
    like = _on_the_panel(known, read.side, named, near, [j for j, _ in owned], like)
    for j, strength in owned:
        anchor = known.text_boxes[j]
        entry = of_same_entry(anchor, [known.elements[i].box for i in like], known.lines, known.unit)
        # A heart may stand above the name on a card, what bears text hardly does.
        if entry is not None and not (known.words[like[entry]] and known.elements[like[entry]].box.y2 <= anchor.y1):
            own[like[entry]] = max(own.get(like[entry], 0.0), strength)
    if own:
        near *= FITTING
        for i, strength in own.items():
            near[i] = max(near[i], strength)
    if read.deed and read.head.words == ("change",):
        near[near < CHANGED] = 0.0
    owners = np.zeros(len(known.elements), bool)
    if read.side == "of" and not read.deed and near[bearing >= OWNED].max(initial=0.0) >= FITTING:
        owners = (anchors >= PEERS * anchors.max()) & (shares_of(known, read.head)[:, 0] < NAMING)
    # The nearest of those that fit counts fully, however far away it is.
    nearest = near[named >= FITTING * named.max()].max()
    if nearest <= (APART if read.side == "of" and read.deed != "known" else 0.0):
        return None
    values["relation"][:] = np.minimum(near / nearest, 1.0) * np.sqrt(named)
    if read.deed:
        for feature in NAMING_FEATURES:
            values[feature][near < FITTING * nearest] *= ELSEWHERE
        for feature in ("icon", "icon sentence"):
            values[feature][near < FITTING * nearest] *= FAR_ICON
    return values, owners


def _name_cells(known: DescribedScreen, values: Values, anchors: np.ndarray) -> None:
    """What is in the row of an anchor and in the column below a title that bears the name bears it too. Titles stand
    in a row of several; a check box is called by its row alone."""
    bearing = bears_name(values)
    texts = [element.box for element in known.elements if element.text]
    titles = [
        title
        for title in np.flatnonzero((bearing >= PEERS * bearing.max()) & (bearing > FITTING))
        if sum(same_row(box, known.text_boxes[title]) for box in texts) >= TITLES
    ]
    for j in anchors:
        row = [i for i, element in enumerate(known.elements) if i != j and same_row(element.box, known.text_boxes[j])]
        if not row or bearing[row].max() > NAMED:
            continue
        for title in titles:
            box = known.text_boxes[title]
            below = [i for i in row if below_title(known.elements[i].box, box)]
            if not below or known.elements[below[0]].kind == "checkbox":
                continue
            cell = below[0]
            for feature in NAMING_FEATURES:
                values[feature][cell] = max(values[feature][cell], BESIDE * values[feature][title])
            values["lacks the name"][cell] = 0.0


def _on_the_panel(
    known: DescribedScreen, side: Side, named: np.ndarray, near: np.ndarray, anchors: list[int], like: list[int]
) -> list[int]:
    """Which of the like elements lie on the same panel as an anchor, where some candidates do; ``near`` of the others
    falls."""
    fitting = np.flatnonzero((near > 0) & (named >= PEERS * named[near > 0].max(initial=0.0)))
    if side in ("left", "right") or not len(fitting):
        return like
    shared = known.shared_panels(anchors)
    least = shared[fitting].min()
    near[shared > least] *= FITTING
    return [i for i in like if shared[i] <= least]


def _like_the_best(known: DescribedScreen, named: np.ndarray) -> list[int]:
    """The elements that bear the same text as the best named one, else those whose icon shows the same as that of the
    best named one that has an icon."""
    best = int(named.argmax())
    same = [i for i, listed in enumerate(known.words) if listed and listed == known.words[best]]
    if named[best] > NAMED and len(same) > 1:
        return same
    best = int(np.where([bool(guesses) for guesses in known.icons], named, 0.0).argmax())
    if named[best] <= NAMED or not known.icons[best]:
        return []
    name = known.icons[best][0].name
    names = _DISCLOSING if name in _DISCLOSING else {name}
    return [i for i, guesses in enumerate(known.icons) if guesses and guesses[0].name in names]
