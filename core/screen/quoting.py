"""Answers a question about a screen by quoting the lines that bear on it. Nothing is generated."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from core.screen import sentences, thesaurus
from core.screen.elements import Element, Screen
from core.screen.grounding import Candidate
from core.screen.instruction import LONGEST
from core.screen.layout import gaps, line_height, same_column, same_row
from core.screen.lexical import FUNCTION_WORDS, overlap, words

NOTICE = "Quoted from the screen; nothing is generated."
LINES = 3
"""Most lines that are quoted."""
ENOUGH = 0.45
"""The fit, 0..1, below which a line is no answer."""
ROW_GAP = 20
"""The gap, in line heights, that ends a row."""
LONG_LINE = 6
"""Words from which a text is a sentence, not a label."""

_QUESTION_WORDS = FUNCTION_WORDS | frozenset(
    "q what which who whom whose when how why does do did can could will would much many there any some has have had "
    "was were am tell show say says said give find kind sort name called page screen window shown written about".split()
)
# The form of what is asked for, by the words that ask for it.
_ANSWER_FORMS = (
    (r"how much|price|cost|total|amount|balance|fee|subtotal|sum|pay|worth|expensive", r"[$€£¥₹]|\d+[.,]\d\d|\bfree\b"),
    (r"how many|number|count|quantity", r"\d"),
    (r"when|what time|date|day|year|month|hour|deadline|due", r"\d|day\b|morrow|today|\b[AaPp]\.?[Mm]\b"),
    (r"e-?mail", r"\S@\S"),
    (r"phone|telephone", r"\d[\d\s()-]{5,}"),
    (r"percent|percentage|discount|rate", r"\d\s?%"),
    (r"web ?site|url|link|address", r"\w\.\w{2,}|\d"),
)


@dataclass(frozen=True)
class Quotes:
    """``candidates`` are the quoted elements, best first, with confidences 0..1. ``text`` is the quoted lines with
    their marks. Where nothing fits, there are no candidates and ``reason`` says so; it is empty otherwise."""

    candidates: tuple[Candidate, ...]
    text: str
    reason: str


def quote(screen: Screen, question: str) -> Quotes:
    """The lines of the screen that bear most on the question. Never raises for any text or screen."""
    question = re.sub(r"^\s*Q\s*:", "", question[: 4 * LONGEST], flags=re.I).strip()[:LONGEST]
    shown = [element for element in screen.elements if words(element.text)]
    asked = list(dict.fromkeys(words(question)))
    if not asked:
        return _none("the question has no words")
    if not shown:
        return _none("no text was found on the screen")
    fits = _fits(shown, question, asked)
    order = [i for i in np.argsort(-fits, kind="stable") if fits[i] >= max(ENOUGH, 0.75 * fits.max())]
    if not order:
        return _none("nothing on the screen fits the question")
    unit = line_height(shown)
    candidates: list[Candidate] = []
    lines: list[str] = []
    for i in order:
        element = shown[i]
        if any(element.id == candidate.element_id for candidate in candidates):
            continue
        line = [element, *_values(element, shown, unit, question)]
        for part in line:
            if all(part.id != candidate.element_id for candidate in candidates):
                why = "fits the question" if part is element else "belongs to the line"
                candidates.append(Candidate(part.id, part.box.center, float(fits[i]), why))
        lines.append("  ".join(f'{part.id}: "{part.text}"' for part in line))
        if len(lines) == LINES:
            break
    return Quotes(tuple(candidates), "\n".join((NOTICE, *lines)), "")


def _none(reason: str) -> Quotes:
    return Quotes((), f"{NOTICE} No line is quoted: {reason}.", reason)


def _fits(shown: list[Element], question: str, asked: list[str]) -> np.ndarray:
    """float [elements]: how well each text bears on the question, 0..1."""
    content = [word for word in asked if word not in _QUESTION_WORDS] or asked
    vector = sentences.embed([question], adapted=False)[0]
    cosines = sentences.embed([element.text for element in shown], adapted=False) @ vector
    meanings = {number for word in content for number in thesaurus.of_text(word)} | set(thesaurus.of_text(question))
    fits = np.zeros(len(shown))
    for i, element in enumerate(shown):
        listed = words(element.text)
        wanted, found = overlap(content, [1.0] * len(content), listed)
        meant = max(
            (share for number, share in thesaurus.of_text(element.text).items() if number in meanings), default=0
        )
        fits[i] = max(0.55 * wanted + 0.15 * found, 0.5 * meant) + 0.45 * max(float(cosines[i]), 0.0)
        if wanted + meant + cosines[i] > 0.4 and _has_form(question, element.text):
            fits[i] += 0.1
    return np.clip(fits, 0.0, 1.0)


def _has_form(question: str, text: str) -> bool:
    """Whether the text holds what the question's words ask for: a sum, a number, a date."""
    return any(
        re.search(rf"\b(?:{asking})\b", question, re.I) and re.search(form, text) for asking, form in _ANSWER_FORMS
    )


def _values(label: Element, shown: list[Element], unit: float, question: str) -> list[Element]:
    """The texts that belong to a line: the rest of its row, or what stands just below it where that is sought."""
    if _has_form(question, label.text) or len(words(label.text)) > LONG_LINE:
        return []
    after = [other for other in shown if same_row(label.box, other.box) and other.box.x1 >= label.box.x2 - unit / 2]
    row: list[Element] = []
    last = label
    for other in sorted((o for o in after if o.id != label.id), key=lambda other: other.box.x1):
        if gaps(last.box, other.box)[0] > ROW_GAP * unit and not _has_form(question, other.text):
            break
        row.append(other)
        last = other
        if len(row) == LINES or _has_form(question, other.text):
            return row
    if row:
        return row
    below = [
        other
        for other in shown
        if same_column(label.box, other.box)
        and label.box.center.y < other.box.y1 <= label.box.y2 + 5 * unit
        and _has_form(question, other.text)
    ]
    return below[:1]
