"""Which element of a screen an instruction means, found without a model that sees.

Every element is compared with the instruction (``core.screen.evidence``); the evidence is summed with fixed weights,
and a softmax over the elements turns the sums into confidences. This is a conditional logit model (McFadden 1974).
The weights are set by hand. Weights fitted by maximum likelihood to a thousand instructions on development screens
came out much the same, and chose hardly better on screens that the fit had not seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.geometry import Point
from core.screen import thesaurus
from core.screen.comparing import FEATURES, NAMING
from core.screen.described import DescribedScreen, describe
from core.screen.elements import Element, Screen
from core.screen.evidence import gather
from core.screen.instruction import Instruction, read_instruction
from core.screen.lexical import alike, words

WEIGHTS = {
    "exact": 2.2,
    "wanted": 1.2,
    "both": 1.5,
    "phrase": 1.5,
    "sentence": 5.2,
    "meaning": 4.8,
    "leads": 4.0,
    "icon": 7.0,
    "icon sentence": 5.8,
    "role": 1.8,
    "place": 3.0,
    "usual place": 1.3,
    "usual order": 3.0,
    "under its title": 2.5,
    "relation": 3.3,
    "ordinal": 7.0,
    "clickable": 0.6,
    "control": 0.9,
    "long": -1.3,
    "lacks the name": -4.5,
    "part of a name": -1.5,
    "labels another": -2.5,
    "lacks the deed": -2.0,
    "undone": 0.0,  # changes no rank, only how sure the best is
    "goes the other way": -7.0,
    "only its owner": -4.0,
    "one of many": -1.0,
    "lacks the role": -1.5,
}
RELATION_READING = -1.3
"""Added where a word such as "of" is read as a relation: mostly it belongs to the name."""

LINE_WORDS = 24
"""Words of a line in which a meaning is looked for."""

NAMED = 0.5
"""From how well an element bears the name on, its likeness in meaning is counted as the name's."""

SURE = 0.75
"""The confidence from which the best element is taken for sure."""


@dataclass(frozen=True)
class Candidate:
    """An element that may be meant. ``point`` is where to click, in pixels of the screenshot, inside the element's box.

    ``confidence`` is the probability, 0..1, that this of all the elements is meant; ``why`` says in a few words what
    speaks for it.
    """

    element_id: int
    point: Point
    confidence: float
    why: str


@dataclass(frozen=True)
class Grounding:
    """``candidates`` best first. ``reason`` is empty where it is ``sure``, and says otherwise why it is not."""

    candidates: tuple[Candidate, ...]
    sure: bool
    reason: str


def ground(screen: Screen, instruction: str) -> Grounding:
    """Rank the elements of a screen by how likely the instruction means them. Never raises for any text or screen."""
    if not screen.elements:
        return Grounding((), False, "not sure: nothing was found on the screen")
    read = read_instruction(instruction)
    if not read.words:
        return Grounding((), False, "not sure: the instruction has no words")
    known = describe(screen.elements, screen.panels, read.foreign)
    values, scores = _score(known, screen, read)
    order = np.argsort(-scores, kind="stable")
    confidences = np.exp(scores - scores.max())
    confidences /= confidences.sum()
    candidates = tuple(
        Candidate(
            screen.elements[i].id,
            click_point(screen.elements[i], read, bool(values["meaning"][i] > values["both"][i])),
            float(confidences[i]),
            _why(known, i, {name: float(column[i]) for name, column in values.items()}),
        )
        for i in order
    )
    reason = _doubt(screen, candidates, bool(values["undone"][order[0]]))
    return Grounding(candidates, not reason, reason)


def _score(known: DescribedScreen, screen: Screen, read: Instruction) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """(each feature of the best reading of each element, the weighted sums), all [elements]."""
    readings = gather(known, screen.size, read)
    totals = np.stack(
        [
            sum(WEIGHTS[name] * evidence.values[name] for name in FEATURES)
            + (RELATION_READING if evidence.relation else 0.0)
            for evidence in readings
        ]
    )
    best = totals.argmax(0)
    columns = np.arange(totals.shape[1])
    values = {name: np.stack([evidence.values[name] for evidence in readings])[best, columns] for name in FEATURES}
    return values, totals[best, columns]


def click_point(element: Element, read: Instruction, by_meaning: bool = False) -> Point:
    """The element's centre, or that of the words in a longer line that are named or, ``by_meaning``, mean the same."""
    if len(element.words) < 2:
        return element.box.center
    run = _meant_run(element, read) if by_meaning else _named_run(element, read)
    if run is None or (len(run) > 0.6 * len(element.words) and element.kind != "field"):
        return element.box.center
    box = element.words[run[0]].box
    for i in run[1:]:
        box = box.union(element.words[i].box)
    return box.center if element.box.contains(box.center) else element.box.center


def _named_run(element: Element, read: Instruction) -> range | None:
    """The longest run of named words; a function word inside it ("Terms of Service") does not end it."""
    wanted = {
        word for term in read.terms for word, weight in zip(term.words, term.weights, strict=True) if weight > NAMING
    }
    hits = [any(alike(a, b) >= 0.8 for a in wanted for b in words(word.text)) for word in element.words]
    runs: list[tuple[int, range]] = []
    for start in (i for i, hit in enumerate(hits) if hit and not (i and hits[i - 1])):
        end = start
        while end + 1 < len(hits) and (hits[end + 1] or (end + 2 < len(hits) and hits[end + 2])):
            end += 1
        runs.append((sum(hits[start : end + 1]), range(start, end + 1)))
    return max(runs, key=lambda run: run[0])[1] if runs else None


def _meant_run(element: Element, read: Instruction) -> range | None:
    """The shortest run of words that by itself means what is asked for."""
    asked = thesaurus.of_request(read.sentence)
    count = min(len(element.words), LINE_WORDS)
    for length in range(1, 5):
        for start in range(count - length + 1):
            run = range(start, start + length)
            own = thesaurus.of_text(" ".join(element.words[i].text for i in run))
            if any(share == 1.0 and number in asked for number, share in own.items()):
                return run
    return None


def _why(known: DescribedScreen, index: int, value: dict[str, float]) -> str:
    """What speaks most for an element, as a phrase."""
    element = known.elements[index]
    weighed = {name: value[name] * WEIGHTS[name] for name in FEATURES}
    icon = f'icon "{known.icons[index][0].name}"' if known.icons[index] else "icon"
    said = f'"{_short(known.says[index])}"'
    text = f"text {said}" if known.says[index] == element.text else f"label {said}"
    lexical = sum(weighed[name] for name in ("exact", "wanted", "both", "phrase")) if value["both"] > 0.1 else 0.0
    if value["both"] > NAMED:  # what bears the name also means the same
        lexical += weighed["sentence"]
    reasons = {
        text: lexical,
        icon: weighed["icon"] + weighed["icon sentence"],
        f"means the same: {said}": weighed["meaning"],
        f"leads there: {said}": weighed["leads"],
        f"similar meaning: {said}": weighed["sentence"],
        f"a {element.kind}, as asked": weighed["role"],
        "place on the screen": weighed["place"],
        "beside what is named": weighed["relation"],
        "counted in reading order": weighed["ordinal"],
    }
    best = max(reasons, key=lambda reason: reasons[reason])
    return best if reasons[best] > 0 else f"a {element.kind}"


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39].rstrip() + "…"


def _doubt(screen: Screen, candidates: tuple[Candidate, ...], undone: bool) -> str:
    """Why the best candidate is not sure, or an empty text. ``undone``: it does not say what is to be done."""
    best = candidates[0]
    if undone:
        return f"not sure: {_name(screen.element(best.element_id))} does not say what is to be done"
    box = screen.element(best.element_id).box
    # A box and the text on it are one thing to click: they share their confidence.
    rivals = [
        candidate
        for candidate in candidates[1:]
        if not box.contains(candidate.point) and not screen.element(candidate.element_id).box.contains(best.point)
    ]
    rival = rivals[0] if rivals else None
    agreed = best.confidence + sum(c.confidence for c in candidates[1:] if box.contains(c.point))
    if agreed >= SURE and (rival is None or agreed >= 2 * rival.confidence):
        return ""
    if rival is not None and rival.confidence > 0.5 * agreed:
        names = " and ".join(_name(screen.element(c.element_id)) for c in (best, rival))
        return f"not sure: {names} fit about equally well"
    return "not sure: nothing on the screen clearly fits"


def _name(element: Element) -> str:
    if element.text:
        return f'"{_short(element.text)}"'
    if element.icons:
        return f'the icon "{element.icons[0].name}" (mark {element.id})'
    return f"the {element.kind} at mark {element.id}"
