"""Quoting lines of a screen as the answer to a question."""

from __future__ import annotations

from hypothesis import given, settings

from core.screen.quoting import NOTICE, quote
from tests.test_grounding import element, instructions, screen, screens

RECEIPT = screen(
    element(1, 100, 50, "Green Grocer"),
    element(2, 100, 100, "Apples"),
    element(3, 600, 100, "$3.10"),
    element(4, 100, 150, "Total"),
    element(5, 600, 150, "$42.10"),
    element(6, 100, 200, "Opening hours"),
    element(7, 100, 230, "Monday to Friday 9:00 - 18:00"),
    element(8, 100, 300, "Our shop is closed on public holidays and during the summer festival."),
)


def test_a_label_is_quoted_with_the_value_in_its_row() -> None:
    quotes = quote(RECEIPT, "Q: what is the total?")
    assert '4: "Total"  5: "$42.10"' in quotes.text
    assert [candidate.element_id for candidate in quotes.candidates][:2] == [4, 5]
    assert quotes.reason == ""


def test_a_value_below_its_label_is_quoted() -> None:
    assert '7: "Monday to Friday 9:00 - 18:00"' in quote(RECEIPT, "When are the opening hours?").text


def test_a_sentence_is_quoted_by_its_meaning() -> None:
    assert quote(RECEIPT, "Is the store open on holidays?").candidates[0].element_id == 8


def test_what_the_screen_does_not_say_is_not_answered() -> None:
    quotes = quote(RECEIPT, "Q: who wrote Moby Dick?")
    assert quotes.candidates == ()
    assert quotes.reason
    assert quotes.reason in quotes.text


def test_no_text_and_no_question_are_not_answered() -> None:
    assert quote(screen(), "Q: what is the total?").reason
    assert quote(screen(element(1, 0, 0, kind="icon", icon="close")), "what is this?").reason
    assert quote(RECEIPT, "Q: ").reason


@settings(max_examples=30, deadline=None)
@given(screens(), instructions)
def test_any_question_is_quoted_or_refused(some, question) -> None:
    quotes = quote(some, question)
    assert NOTICE in quotes.text
    assert bool(quotes.candidates) == (quotes.reason == "")
    assert {candidate.element_id for candidate in quotes.candidates} <= {e.id for e in some.elements}
    assert all(0 <= candidate.confidence <= 1 for candidate in quotes.candidates)
    for candidate in quotes.candidates:
        assert f'{candidate.element_id}: "' in quotes.text
