"""What the small checkpoint learns from the simulated tabletop: where things are, and the traces of every task."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from apps.robot_planner.step import DEFAULT_SPEED
from apps.robot_planner.tabletop import COLOURS, GRASP_STEP, SHAPES, STEPS, Scene, make_scene
from core.geometry import GRID, Point, to_grid
from core.marks import draw_points
from core.skills import (
    Marks,
    Trace,
    Traces,
    answer_prompt,
    format_marks,
    format_traces,
    locate_prompt,
    trace_prompt,
)
from core.training.lessons import Lesson, Spot, Turn, mark_spots

LAYERS = {
    "shape": SHAPES,
    "colour": tuple(COLOURS),
    "gripper": ("gripper",),
}


def lessons(generator: np.random.Generator, traces: bool = True) -> Iterator[Lesson]:
    """Scenes of even seeds: the odd ones are kept for measuring. ``traces`` asks for them, beside where things are."""
    while True:
        size = (GRID, GRID) if generator.random() < 0.8 else (2 * GRID, 2 * GRID)
        yield lesson(make_scene(2 * int(generator.integers(1 << 40)), size), generator, traces)


def lesson(scene: Scene, generator: np.random.Generator, traces: bool = True) -> Lesson:
    scale = GRID / scene.size[0]
    marks = {mark: Point(point.x * scale, point.y * scale) for mark, point in scene.marks.items()}
    picture = draw_points(scene.frame(0).resize((GRID, GRID)), marks)
    unit = {mark: Point(point.x / GRID, point.y / GRID) for mark, point in marks.items()}
    spots = [Spot("gripper", "gripper", unit[scene.order[0]])]
    spots += mark_spots(unit)
    for mark, thing in zip(scene.order[1:], scene.things, strict=False):
        spots += [Spot("shape", thing.shape, unit[mark]), Spot("colour", thing.colour, unit[mark])]
    cells = {mark: to_grid(point, (GRID, GRID)) for mark, point in marks.items()}
    turns = []
    if traces:
        speed = scene_speed(scene) if generator.random() < 0.5 else DEFAULT_SPEED
        question = trace_prompt(picture, scene.task, sorted(marks), speed, STEPS).text
        turns.append(Turn(question, format_traces(true_traces(scene)), _looks(scene, unit)))
    asked = generator.permutation(len(scene.things))[:2]
    for index in asked:
        mark, name = scene.order[1 + index], scene.things[index].name
        x, y = cells[mark]
        turns.append(Turn(answer_prompt(picture, f"Where is the {name}?").text, f"[{x},{y}]", (unit[mark],) * 2))
    for index in asked[:1]:
        mark, name = scene.order[1 + index], scene.things[index].name
        turns.append(Turn(answer_prompt(picture, f"Which mark is on the {name}?").text, f"Mark {mark}", (unit[mark],)))
    if generator.random() < 0.2:
        looks = tuple(unit[mark] for mark in cells for _ in range(3))
        turns.append(Turn(locate_prompt(picture).text, format_marks(Marks(cells)), looks))
    return Lesson(picture, tuple(spots), tuple(turns))


def _looks(scene: Scene, unit: dict[int, Point]) -> tuple[Point, ...]:
    """Where every number of the traces is read: the marks' own places first; along the paths the object, then, where
    the task names one, the landmark that it goes to."""
    thing, gripper = scene.moving
    landmark = scene.task_given.landmark
    goal = unit[thing if landmark is None else scene.order[1 + landmark]]
    along = (unit[thing],) * (2 * GRASP_STEP) + (goal,) * (2 * (STEPS - GRASP_STEP))
    return (unit[thing],) * 3 + (unit[gripper],) * 3 + (unit[thing], *along) + (unit[gripper], *along)


def scene_speed(scene: Scene) -> int:
    """The mean step length of the moving marks on the 256 grid."""
    steps = [np.linalg.norm(np.diff(scene.motion[mark], axis=0), axis=1).mean() for mark in scene.moving]
    return max(1, round(float(np.mean(steps)) * GRID / scene.size[0]))


def true_traces(scene: Scene) -> Traces:
    def trace(mark: int) -> Trace:
        start, *future = (to_grid(Point(*point), scene.size) for point in scene.motion[mark])
        return Trace(mark, start, tuple(future))

    return Traces(tuple(map(trace, scene.moving)))
