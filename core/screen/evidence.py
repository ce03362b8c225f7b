"""What speaks for each element of a screen as the target of an instruction, in every reading of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import takewhile

import numpy as np

from core.geometry import Size
from core.screen import sentences
from core.screen.comparing import FITTING, NAMING, Values, bears_name, compare, sentence_of
from core.screen.described import DescribedScreen
from core.screen.instruction import Instruction, Relation, Term, around
from core.screen.layout import reading_order, repeated, same_row
from core.screen.lexical import FUNCTION_WORDS, LEADING_VERBS
from core.screen.relating import related

NAMES = 3  # of those on the screen that an instruction may name
_PAGE = re.compile(r"\bpage (\d{1,4})\b", re.I)


@dataclass(frozen=True)
class Evidence:
    """``relation`` is the reading of the instruction that the values rest on, None where it is read as one name."""

    values: Values
    relation: Relation | None


def gather(known: DescribedScreen, size: Size, instruction: Instruction) -> list[Evidence]:
    """Evidence for every reading of the instruction that the screen allows, at least one. ``size`` is the screen's."""
    # One batch for all readings; the vectors are remembered.
    named = [*_named_on_screen(known, instruction), *_said_on_screen(known, instruction)]
    relations = [*instruction.relations, *named]
    sentences.embed([instruction.sentence, *(sentence_of(read.head) for read in relations)])
    readings = []
    owners = np.zeros(len(known.elements), bool)
    for read in relations:
        if (found := related(known, size, instruction, read)) is not None:
            readings.append(Evidence(found[0], read))
            owners |= found[1]
    if not any(evidence.relation.certain for evidence in readings):
        wholes = [
            compare(known, size, instruction, term, sentence_of(term) if term.whole else instruction.sentence)
            for term in instruction.terms or (Term((), ()),)
        ]
        whole = Evidence(max(wholes, key=lambda values: (values["exact"] + values["both"]).max()), None)
        whole.values["only its owner"][owners] = 1.0
        if instruction.ordinal is None and instruction.place == (None, None):
            whole.values["one of many"][:] = known.recurring
        # "Reply all" is no "reply" in the row of "all" where a button says just that.
        said = len(instruction.words) > 1 and list(instruction.words) in known.words
        readings = [whole] if said else [*readings, whole]
    for evidence in readings:
        if instruction.ordinal is not None:
            _mark_ordinal(known, evidence.values, instruction)
        if numbered := _PAGE.search(instruction.sentence):
            _mark_page(known, evidence.values, int(numbered[1]))
    return readings


def _named_on_screen(known: DescribedScreen, instruction: Instruction) -> list[Relation]:
    """In other languages than English: what an instruction asks of things whose names stand on the screen word by word,
    and which cannot be put in English, the longest names first."""
    if not instruction.foreign:
        return []
    asked = instruction.words
    names = {
        name
        for name in map(tuple, known.words)
        if len("".join(name)) > 1
        and not instruction.unknown.isdisjoint(name)
        and any(asked[i : i + len(name)] == name for i in range(len(asked)))
    }
    found = [around(instruction, name) for name in sorted(names, key=lambda name: (-len("".join(name)), name))[:NAMES]]
    return [reading for reading in found if reading]


def _said_on_screen(known: DescribedScreen, instruction: Instruction) -> list[Relation]:
    """An instruction that begins with what stands on a control, as done to what its other words name: "take payment
    from Anna" where a button says "Take payment", the longest first."""
    if any(read.certain for read in instruction.relations) or any(term.whole for term in instruction.terms):
        return []
    asked = instruction.words
    weights = {word: w for term in instruction.terms[:1] for word, w in zip(term.words, term.weights, strict=True)}
    readings: dict[tuple[str, ...], Relation] = {}
    for name in map(tuple, known.words):
        if not 0 < len(name) < len(asked) or name[0] != asked[0] or name[0] in FUNCTION_WORDS:
            continue
        if len(name) == 1 and not (weights.get(name[0], 0.0) > 1.0 and name[0] in LEADING_VERBS):
            continue  # "Press Take on ..." may, "Take ..." leads to what follows
        left = iter(asked)
        rest = [word for said in name for word in takewhile(lambda word, said=said: word != said, left)] + [*left]
        if len(rest) + len(name) == len(asked):  # all of the name stands in it, in this order
            anchor = Term(tuple(rest), tuple(min(weights.get(word, 1.0), 1.0) for word in rest))
            told = {word for word, weight in zip(anchor.words, anchor.weights, strict=True) if weight > NAMING}
            # "Delete the selected files" asks for no "Delete files" where a button says all of it.
            fuller = any(set(name) <= set(listed) and not told.isdisjoint(listed) for listed in known.words)
            if told and not fuller:
                readings[name] = Relation("of", Term(name, (1.0,) * len(name), whole=True), anchor)
    return sorted(readings.values(), key=lambda read: -len(read.head.words))[:NAMES]


def _mark_page(known: DescribedScreen, values: Values, number: int) -> None:
    """Set the feature "ordinal" of the page number that stands in a row with one of its neighbours."""
    neighbours = [e.box for e in known.elements if e.text.strip() in (str(number - 1), str(number + 1))]
    for i, element in enumerate(known.elements):
        if element.text.strip() == str(number) and any(same_row(box, element.box) for box in neighbours):
            values["ordinal"][i] = 1.0


def _mark_ordinal(known: DescribedScreen, values: Values, instruction: Instruction) -> None:
    """Set the feature "ordinal" of the n-th among the elements that fit about as well as the best one.

    Where the words name nothing but a sort of thing ("the second result"), the n-th of what repeats is meant.
    """
    fits = bears_name(values) + 0.5 * values["role"]
    named = any(weight > NAMING for term in instruction.terms for weight in term.weights)
    fitting = np.flatnonzero(fits >= 0.8 * fits.max())
    pool = [known.elements[i] for i in fitting]
    shown = {
        known.icons[i][0].name if known.icons[i] and not known.words[i] else known.elements[i].text for i in fitting
    }
    position = instruction.ordinal - 1 if instruction.ordinal > 0 else instruction.ordinal
    if not named or (fits.max() < FITTING and len(shown) > 1) or not -len(pool) <= position < len(pool):
        pool = repeated(known.elements, known.unit)
    ordered = reading_order(pool, known.unit)
    if -len(ordered) <= position < len(ordered) > 1:
        values["ordinal"][known.elements.index(ordered[position])] = 1.0
