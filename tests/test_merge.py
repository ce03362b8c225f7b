"""Merging texts with controls loses no text, keeps no double, and numbers what is left as one reads."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from core.geometry import Box
from core.screen.elements import Element, IconGuess, Kind, Word
from core.screen.merge import distinct, merge, number, rows


def text(words: str, x1: float, y1: float, x2: float, y2: float, confidence: float = 0.9) -> Element:
    box = Box(x1, y1, x2, y2)
    return Element(0, box, "text", words, confidence=confidence, words=(Word(words, box),))


def control(kind: Kind, x1: float, y1: float, x2: float, y2: float, confidence: float = 0.8, icon: str = "") -> Element:
    icons = (IconGuess(icon, 0.9),) if icon else ()
    return Element(0, Box(x1, y1, x2, y2), kind, clickable=True, confidence=confidence, icons=icons)


def test_a_text_inside_a_control_becomes_its_text():
    (element,) = merge([text("Save", 30, 15, 60, 25)], [control("button", 10, 5, 90, 35)], 0.7)
    assert (element.kind, element.text, element.box) == ("button", "Save", Box(10, 5, 90, 35))
    assert [word.text for word in element.words] == ["Save"]


def test_a_text_goes_to_the_smallest_control_that_holds_it():
    panel, button = control("button", 0, 0, 400, 300), control("button", 10, 10, 100, 40)
    merged = merge([text("Save", 30, 15, 60, 25)], [panel, button], 0.7)
    assert {element.box: element.text for element in merged} == {panel.box: "", button.box: "Save"}


def test_two_lines_on_one_button_are_read_from_the_top():
    lines = [text("second line", 20, 40, 80, 50), text("first line", 20, 20, 80, 30)]
    (element,) = merge(lines, [control("button", 10, 10, 90, 60)], 0.7)
    assert element.text == "first line second line"


def test_an_image_leaves_the_texts_on_it_alone():
    merged = merge([text("Shop now", 30, 150, 90, 165)], [control("image", 0, 0, 400, 300)], 0.7)
    assert {element.kind: element.text for element in merged} == {"image": "", "text": "Shop now"}


def test_a_letter_taken_for_an_icon_is_dropped():
    merged = merge([text("Open file", 10, 10, 90, 25)], [control("icon", 10, 10, 20, 25)], 0.7)
    assert [element.text for element in merged] == ["Open file"]


def test_a_button_takes_the_icon_before_its_text_and_leaves_the_arrow_behind_it():
    button = control("button", 0, 0, 120, 30)
    merged = merge(
        [text("Share", 40, 10, 80, 20)],
        [button, control("icon", 10, 8, 26, 22, icon="share"), control("icon", 95, 10, 110, 20, icon="chevron down")],
        0.7,
    )
    assert sorted((element.kind, element.text, element.icons[0].name) for element in merged) == [
        ("button", "Share", "share"),
        ("icon", "", "chevron down"),
    ]


def test_icons_in_a_search_box_stay_elements():
    field = control("field", 0, 0, 600, 40)
    icons = [
        control("icon", x, 10, x + 20, 30, icon=name) for x, name in [(10, "search"), (520, "mic"), (560, "camera")]
    ]
    merged = merge([text("Search the web", 40, 12, 160, 28)], [field, *icons], 0.7)
    assert sorted(element.kind for element in merged) == ["field", "icon", "icon", "icon"]


def test_of_two_controls_that_overlap_too_much_the_surer_stays():
    a, b = control("button", 0, 0, 100, 40, 0.6), control("button", 2, 0, 100, 40, 0.9)
    assert merge([], [a, b], 0.7) == [b]
    assert len(merge([], [a, b], 0.99)) == 2


boxes = st.builds(
    lambda x, y, width, height: Box(x, y, x + width, y + height),
    st.integers(0, 500),
    st.integers(0, 500),
    st.integers(4, 200),
    st.integers(4, 80),
)


@given(st.lists(boxes, max_size=12), st.lists(boxes, max_size=12))
def test_every_distinct_text_is_in_the_result_once(text_places, control_places):
    texts = distinct([text(f"t{i}", b.x1, b.y1, b.x2, b.y2) for i, b in enumerate(text_places)], 0.7)
    controls = [control("button", b.x1, b.y1, b.x2, b.y2) for b in control_places]
    found = " ".join(element.text for element in merge(texts, controls, 0.7)).split()
    assert sorted(found) == sorted(element.text for element in texts)


@given(st.lists(boxes, max_size=15), st.floats(0.1, 0.9))
def test_distinct_elements_overlap_no_more_than_the_threshold(places, threshold):
    elements = [control("icon", b.x1, b.y1, b.x2, b.y2) for b in places]
    kept = distinct(elements, threshold)
    assert all(a.box.iou(b.box) <= threshold for i, a in enumerate(kept) for b in kept[:i])
    assert all(
        any(element.box.iou(other.box) > threshold or element is other for other in kept) for element in elements
    )


def test_reading_order_is_by_tolerant_rows():
    first = [text("File", 10, 10, 40, 22), text("Edit", 60, 11, 90, 25), text("Help", 120, 8, 150, 22)]
    second = [text("Name", 10, 60, 60, 72), text("Size", 100, 62, 140, 74)]
    shuffled = random.Random(1).sample(first + second, 5)
    numbered = number(shuffled)
    assert [element.text for element in numbered] == ["File", "Edit", "Help", "Name", "Size"]
    assert [element.id for element in numbered] == [1, 2, 3, 4, 5]


@given(st.lists(boxes, max_size=15))
def test_rows_hold_every_box_once_and_go_down(places):
    found = rows(places)
    assert sorted(i for row in found for i in row) == list(range(len(places)))
    firsts = [min(places[i].center.y for i in row) for row in found]
    assert firsts == sorted(firsts)
    assert all(places[a].x1 <= places[b].x1 for row in found for a, b in pairwise(row))
