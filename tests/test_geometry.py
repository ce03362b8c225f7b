"""Points, boxes and the conversions between frames."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.geometry import (
    GRID,
    Box,
    Point,
    from_grid,
    from_thousand,
    from_unit,
    to_grid,
    to_thousand,
    to_unit,
)

sizes = st.tuples(st.integers(1, 20_000), st.integers(1, 20_000))
coordinates = st.floats(-1e5, 1e5)
boxes = st.tuples(coordinates, coordinates, st.floats(0, 1e4), st.floats(0, 1e4)).map(
    lambda b: Box(b[0], b[1], b[0] + b[2], b[1] + b[3])
)


@given(sizes, st.floats(0, 1), st.floats(0, 1))
def test_unit_round_trip(size, x, y):
    back = to_unit(from_unit(Point(x, y), size), size)
    assert abs(back.x - x) < 1e-12 and abs(back.y - y) < 1e-12


@given(sizes, st.integers(0, 1000), st.integers(0, 1000))
def test_thousandths_survive_the_way_to_pixels_and_back(size, x, y):
    assert to_thousand(from_thousand(x, y, size), size) == (x, y)


@given(sizes, st.integers(0, GRID - 1), st.integers(0, GRID - 1))
def test_grid_cells_survive_the_way_to_pixels_and_back(size, x, y):
    assert to_grid(from_grid(x, y, size), size) == (x, y)


@given(sizes, st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_a_point_is_at_most_half_a_cell_from_its_cells_centre(size, x, y):
    point = from_unit(Point(x, y), size)
    centre = from_grid(*to_grid(point, size), size)
    assert abs(centre.x - point.x) <= size[0] / GRID / 2 * (1 + 1e-9)
    assert abs(centre.y - point.y) <= size[1] / GRID / 2 * (1 + 1e-9)


@given(sizes, coordinates, coordinates)
def test_every_point_has_a_cell_on_the_grid(size, x, y):
    cell = to_grid(Point(x, y), size)
    assert all(0 <= value < GRID for value in cell)


def test_frames_are_not_transposed():
    assert from_unit(Point(0.25, 0.75), (400, 100)) == Point(100, 75)
    assert from_thousand(250, 750, (400, 100)) == Point(100, 75)
    assert to_grid(Point(100, 75), (400, 100)) == (64, 192)


@given(sizes, coordinates, coordinates)
def test_a_clamped_point_lies_on_a_pixel(size, x, y):
    point = Point(x, y).clamp(size)
    assert 0 <= point.x <= size[0] - 1 and 0 <= point.y <= size[1] - 1


@given(boxes, boxes)
def test_overlap_is_symmetric_and_bounded(a, b):
    assert a.iou(b) == b.iou(a)
    assert 0 <= a.iou(b) <= 1 + 1e-9
    assert a.intersection(b) <= min(a.area, b.area) * (1 + 1e-9)


@given(boxes)
def test_a_box_overlaps_itself_wholly_and_holds_its_centre(box):
    assert box.contains(box.center)
    if box.area > 1e-6:
        assert abs(box.iou(box) - 1) < 1e-9 and abs(box.inside(box) - 1) < 1e-9


@given(boxes, boxes)
def test_a_union_holds_both(a, b):
    union = a.union(b)
    for box in (a, b):
        assert union.contains(Point(box.x1, box.y1)) and union.contains(Point(box.x2, box.y2))


@given(boxes, sizes)
def test_a_clamped_box_lies_on_the_picture(box, size):
    inner = box.clamp(size)
    assert 0 <= inner.x1 <= inner.x2 <= size[0] and 0 <= inner.y1 <= inner.y2 <= size[1]
    assert inner.area <= box.area * (1 + 1e-9)


@given(boxes)
def test_whole_pixels_cover_the_box(box):
    x1, y1, x2, y2 = box.as_ints()
    assert x1 <= box.x1 and y1 <= box.y1 and x2 >= box.x2 and y2 >= box.y2
