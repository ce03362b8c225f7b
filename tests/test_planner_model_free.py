"""The planner without a model on pictures whose content is known."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from apps.robot_planner import colours, model_free
from apps.robot_planner.model_free import Planned
from apps.robot_planner.objects import look
from apps.robot_planner.table import Table
from apps.robot_planner.tabletop import make_scene
from core.geometry import GRID, Point
from core.skills import Refusal

CENTRES = {"red": Point(120, 300), "blue": Point(420, 180), "green": Point(500, 380), "small red": Point(300, 120)}


def desk(size: tuple[int, int] = (640, 480)) -> Image.Image:
    """A beige desk with grain; a red, a blue and a green square of 60 pixels, and a red one of 30."""
    generator = np.random.default_rng(0)
    image = Image.fromarray(
        (np.full((480, 640, 3), (196, 178, 150)) + generator.integers(-4, 5, (480, 640, 1))).astype(np.uint8)
    )
    draw = ImageDraw.Draw(image)
    shades = {"red": "#c62828", "blue": "#1e50c0", "green": "#2e8b3d", "small red": "#c62828"}
    for name, centre in CENTRES.items():
        half = 15 if name.startswith("small") else 30
        draw.rectangle((centre.x - half, centre.y - half, centre.x + half, centre.y + half), fill=shades[name])
    return image.resize(size)


MARKS = {1: CENTRES["red"], 2: CENTRES["blue"], 3: CENTRES["green"], 4: CENTRES["small red"], 5: Point(40, 40)}


def planned(task: str, steps: int = 16, marks=MARKS, image: Image.Image | None = None, **options) -> Planned:
    plan = model_free.plan(image or desk(), task, marks, steps, **options)
    assert isinstance(plan, Planned), plan
    return plan


def test_the_things_are_found_where_they_are():
    found = look(desk())
    assert len(found.things) == len(CENTRES)
    for name, centre in CENTRES.items():
        thing = found.at(centre)
        assert thing is not None and thing.colour == name.removeprefix("small ") and thing.centre.distance(centre) < 4
        assert max(thing.shapes, key=thing.shapes.get) == "box"


def test_an_empty_table_has_no_things_and_neither_has_a_picture_of_one_pixel():
    assert look(Image.new("RGB", (640, 480), "#c0b090")).things == ()
    assert look(Image.new("RGB", (1, 1))).things == ()


@pytest.mark.parametrize(
    ("task", "mark", "goes"),
    [
        ("push the large red block to the right edge", 1, lambda start, end: end.x > 560 and abs(end.y - start.y) < 20),
        ("push the blue block to the left edge", 2, lambda start, end: end.x < 80 and abs(end.y - start.y) < 20),
        ("push the small red block to the near edge", 4, lambda start, end: end.y > 420 and abs(end.x - start.x) < 20),
        ("pick up the green block", 3, lambda start, end: end.y < start.y - 60 and abs(end.x - start.x) < 5),
        ("put the blue block to the left of the green block", 2, lambda start, end: 380 < end.x < 460 and end.y > 330),
        ("put the blue block onto the green block", 2, lambda start, end: abs(end.x - 500) < 15 and 300 < end.y < 370),
        ("push the green block to the centre", 3, lambda start, end: end.distance(Point(320, 240)) < 40),
        ("push the leftmost red block away from the green block", 1, lambda start, end: end.x < start.x),
    ],
)
def test_the_thing_that_is_named_goes_where_the_task_says(task, mark, goes):
    plan = planned(task)
    assert set(plan.paths) == {mark} and len(plan.paths[mark]) == 17
    assert plan.paths[mark][0].distance(MARKS[mark]) < 1e-6
    assert goes(plan.paths[mark][0], plan.paths[mark][-1]), plan.paths[mark][-1]


def test_it_says_what_it_found_and_how_sure_it_is():
    plan = planned("push the blue block to the left edge")
    assert "blue block" in plan.notes[0] and "(420, 180)" in plan.notes[0] and "sure" in plan.notes[0]
    assert plan.confidence > planned("push the red block to the left edge").confidence  # there are two


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ("push the purple block to the left edge", "nothing that is seen fits 'purple block'"),
        ("pick up the screwdriver", "colours, sizes and plain shapes"),
        ("open the drawer", "no motion"),
        ("push the red block", "where to move it"),
        ("put the red block next to the yellow cup", "'yellow cup'"),
    ],
)
def test_it_refuses_what_it_does_not_see_and_says_what_it_does(task, reason):
    refusal = model_free.plan(desk(), task, MARKS, 16)
    assert isinstance(refusal, Refusal) and reason in refusal.reason
    if "seen fits" in reason:
        assert "blue at (420, 180)" in refusal.reason


def test_a_thing_without_a_mark_is_given_one():
    plan = planned("push the blue block to the left edge", marks={7: Point(40, 40)})
    assert set(plan.paths) == {1} and set(plan.marks) == {1, 7} and plan.marks[1].distance(CENTRES["blue"]) < 4
    assert any("mark 1" in note for note in plan.notes)


def test_the_path_is_eased_and_its_speed_is_what_was_asked():
    path = planned("push the blue block to the left edge").paths[2]
    lengths = [a.distance(b) for a, b in pairwise(path)]
    assert lengths[0] < lengths[8] / 3 and lengths[-1] < lengths[8] / 3
    slow = planned("push the blue block to the left edge", speed=4).paths[2]
    done = slow[0].distance(slow[-1]) * GRID / 640
    assert 0.6 * 4 * 16 < done < 1.6 * 4 * 16 and slow[-1].x > path[-1].x
    quick = planned("push the blue block to the left edge", speed=20).paths[2]
    assert quick[9].distance(quick[-1]) < 1e-6 and quick[-1].distance(path[-1]) < 1e-6


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from(
        ["push the red block to the left edge", "pick up the green block", "put the blue block behind the green one"]
    ),
    st.integers(1, 40),
    st.sampled_from([(640, 480), (480, 640), (1280, 300), (200, 200)]),
)
def test_every_position_lies_on_the_picture(task, steps, size):
    image = desk(size)
    marks = {m: Point(p.x * size[0] / 640, p.y * size[1] / 480) for m, p in MARKS.items()}
    plan = model_free.plan(image, task, marks, steps)
    if isinstance(plan, Planned):
        assert all(len(path) == steps + 1 for path in plan.paths.values())
        assert all(
            0 <= p.x <= size[0] - 1 and 0 <= p.y <= size[1] - 1 for path in plan.paths.values() for p in path[1:]
        )


def test_it_beats_staying_by_far_on_simulated_tabletops():
    """20 unseen scenes; the figures of many more are the README's."""
    right, errors, staying = 0, [], []
    for seed in range(1001, 1041, 2):
        scene = make_scene(seed, (256, 256))
        plan = model_free.plan(scene.frame(0), scene.task, scene.marks, 16)
        paths = plan.paths if isinstance(plan, Planned) else {}
        right += set(paths) == set(scene.moving)
        for mark in scene.moving:
            truth, start = scene.motion[mark][1:], scene.motion[mark][0]
            staying.append(np.linalg.norm(truth - start, axis=1).mean())
            guess = np.array([(p.x, p.y) for p in paths[mark][1:]]) if mark in paths else start
            errors.append(np.linalg.norm(truth - guess, axis=1).mean())
    assert right >= 12 and np.mean(errors) < np.mean(staying) / 2


@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95), st.floats(0, 0.3), st.floats(0.7, 1))
@settings(deadline=None)
def test_the_tables_frame_maps_back_and_forth(across, deep, left, right):
    """A trapezoid that narrows towards the far edge."""
    mask = Image.new("1", (320, 240))
    ImageDraw.Draw(mask).polygon([(320 * left, 60), (320 * right - 1, 60), (319, 239), (0, 239)], fill=1)
    table = Table(np.asarray(mask), (2.0, 2.0))
    back = table.locate(table.point(across, deep))
    assert abs(back[0] - across) < 1e-6 and abs(back[1] - deep) < 1e-6
    assert table.width(0.05) <= table.width(0.95) + 1e-6
    assert table.point(0, 0).distance(Point(640 * left, 120)) < 12


@pytest.mark.parametrize("name", colours.NAMES)
def test_every_colours_samples_have_its_name(name):
    samples = np.array([[int(code[i : i + 2], 16) for i in (1, 3, 5)] for code in colours.SAMPLES[name]], np.uint8)
    likely = colours.likelihoods(samples)
    assert np.allclose(likely.sum(1), 1, atol=1e-5)
    assert (likely.argmax(1) == colours.NAMES.index(name)).all()
