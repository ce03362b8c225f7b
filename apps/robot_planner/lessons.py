"""What the small checkpoint learns from the simulated tabletop: where things are, and the traces of every task."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from apps.robot_planner.tabletop import COLOURS, SHAPES, STEPS, Scene, make_scene
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
from core.training.lessons import Lesson, Spot

LAYERS = {
    "shape": SHAPES,
    "colour": tuple(COLOURS),
    "gripper": ("gripper",),
    "mark": tuple(str(mark) for mark in range(1, 10)),
}


def lessons(generator: np.random.Generator) -> Iterator[Lesson]:
    """Scenes of even seeds: the odd ones are kept for measuring."""
    while True:
        yield lesson(make_scene(2 * int(generator.integers(1 << 40)), (GRID, GRID)), generator)


def lesson(scene: Scene, generator: np.random.Generator) -> Lesson:
    marks = scene.marks
    picture = draw_points(scene.frame(0), marks)
    unit = {mark: Point(point.x / GRID, point.y / GRID) for mark, point in marks.items()}
    spots = [Spot("gripper", "gripper", unit[scene.order[0]])]
    spots += [Spot("mark", str(mark), point) for mark, point in unit.items()]
    for mark, thing in zip(scene.order[1:], scene.things, strict=False):
        spots += [Spot("shape", thing.shape, unit[mark]), Spot("colour", thing.colour, unit[mark])]
    cells = {mark: to_grid(point, scene.size) for mark, point in marks.items()}
    speed = scene_speed(scene) if generator.random() < 0.5 else DEFAULT_SPEED
    asked_about = trace_prompt(picture, scene.task, sorted(marks), speed, STEPS)
    turns = [(asked_about.text, format_traces(true_traces(scene)))]
    asked = generator.permutation(len(scene.things))[:2]
    for index in asked:
        x, y = cells[scene.order[1 + index]]
        turns.append((answer_prompt(picture, f"Where is the {scene.things[index].name}?").text, f"[{x},{y}]"))
    for index in asked[:1]:
        question = f"Which mark is on the {scene.things[index].name}?"
        turns.append((answer_prompt(picture, question).text, f"Mark {scene.order[1 + index]}"))
    if generator.random() < 0.3:
        turns.append((locate_prompt(picture).text, format_marks(Marks(cells))))
    return Lesson(picture, tuple(spots), tuple(turns))


DEFAULT_SPEED = 8
"""Grid cells a step, where nobody knows the true speed; half of the lessons say it instead."""


def scene_speed(scene: Scene) -> int:
    """The mean step length of the moving marks on the 256 grid."""
    steps = [np.linalg.norm(np.diff(scene.motion[mark], axis=0), axis=1).mean() for mark in scene.moving]
    return max(1, round(float(np.mean(steps)) * GRID / scene.size[0]))


def true_traces(scene: Scene) -> Traces:
    def cells(mark: int) -> list[tuple[int, int]]:
        return [to_grid(Point(*point), scene.size) for point in scene.motion[mark]]

    return Traces(tuple(Trace(mark, cells(mark)[0], tuple(cells(mark)[1:])) for mark in scene.moving))
