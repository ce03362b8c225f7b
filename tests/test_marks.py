"""Set-of-Mark: where the numbers go and what is drawn."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.geometry import Box, Point
from core.marks import draw_click, draw_marks, place_labels

SIZE = (640, 400)
boxes_on_picture = st.dictionaries(
    st.integers(0, 999),
    st.tuples(st.floats(0, 620), st.floats(0, 380), st.floats(1, 300), st.floats(1, 200)).map(
        lambda b: Box(b[0], b[1], min(SIZE[0], b[0] + b[2]), min(SIZE[1], b[1] + b[3]))
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(boxes_on_picture)
def test_every_mark_has_a_label_on_the_picture(boxes):
    labels = place_labels(boxes, SIZE)
    assert labels.keys() == boxes.keys()
    for label in labels.values():
        assert label.box.x1 >= 0 and label.box.y1 >= 0 and label.box.x2 <= SIZE[0] and label.box.y2 <= SIZE[1]


@settings(max_examples=60, deadline=None)
@given(st.floats(60, 500), st.floats(60, 300), st.floats(2, 80), st.floats(2, 40))
def test_a_label_never_hides_its_own_target_where_there_is_room(x, y, width, height):
    box = Box(x, y, x + width, y + height)
    assert place_labels({7: box}, SIZE)[7].box.intersection(box) <= max(
        width, height
    )  # rounding: one pixel row at most


def test_labels_of_crowded_marks_do_not_cover_each_other():
    boxes = {i: Box(40 + 60 * (i % 8), 60 + 50 * (i // 8), 70 + 60 * (i % 8), 84 + 50 * (i // 8)) for i in range(40)}
    labels = [label.box for label in place_labels(boxes, SIZE).values()]
    overlaps = sum(a.intersection(b) for i, a in enumerate(labels) for b in labels[:i])
    assert overlaps == 0


def test_a_target_in_the_corner_or_as_large_as_the_picture_still_gets_its_number():
    whole = Box(0, 0, *SIZE)
    for box in (whole, Box(0, 0, 10, 10), Box(SIZE[0] - 8, SIZE[1] - 8, *SIZE)):
        label = place_labels({1: box}, SIZE)[1].box
        assert label.inside(whole) == 1
    assert place_labels({1: Box(0, 0, 1, 1)}, (1, 1)).keys() == {1}


def test_drawing_leaves_the_original_and_the_inside_of_the_target_alone():
    image = Image.new("RGB", SIZE, "white")
    box = Box(200, 100, 300, 150)
    drawn = np.asarray(draw_marks(image, {12: box}))
    assert np.asarray(image).min() == 255
    assert drawn[101:149, 201:299].min() == 255, "the target itself stays readable"
    assert drawn.min() < 255


def test_styles_differ_as_they_say():
    image = Image.new("RGB", SIZE, "white")
    ink = {
        style: int((np.asarray(draw_marks(image, {12: Box(200, 100, 300, 150)}, style)) < 255).any(axis=2).sum())
        for style in ("boxes and numbers", "numbers", "boxes")
    }
    assert ink["boxes and numbers"] > max(ink["numbers"], ink["boxes"]) and min(ink.values()) > 0


def test_the_click_is_drawn_where_it_is():
    drawn = np.asarray(draw_click(Image.new("RGB", SIZE, "black"), Point(400, 120)))
    rows, columns = np.nonzero(drawn.any(axis=2))
    assert abs(rows.mean() - 120) < 1 and abs(columns.mean() - 400) < 1
    assert draw_click(Image.new("RGB", (1, 1)), Point(0, 0), Box(0, 0, 1, 1)).size == (1, 1)
