"""The planner without a model: finds what the task names by colour, shape and size, and moves it along an eased path.

It is the baseline that a model has to beat, and speaks where there is no model that can. It says what it found and how
sure it is, and refuses where the task names nothing that it sees.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from PIL import Image

from apps.robot_planner.objects import Surroundings, Thing, look
from apps.robot_planner.table import Table
from apps.robot_planner.task import Description, Goal, Task, read_task
from core.geometry import GRID, Point
from core.skills import Refusal

NAME = "model-free planner"

APPROACH = 3 / 8
"""Share of the time in which the gripper comes near, where one is seen."""
LIFT, ARC = 0.22, 0.14
"""How high a thing is picked up, and how high it is carried elsewhere; in widths of the table."""
GAP = 0.03
"""Between two things that stand beside each other; in widths of the table."""
STRIDE = 0.3
"""How far "to the left" is, in sides of the table."""
REACH = 2.0
"""Pixels at the working size by which a mark may miss its thing."""
GRIPPER_REACH = 0.06
"""Share of the picture's shorter side by which a mark may miss the gripper's tip."""
LEAST_FIT = 0.35
SURE = 0.5

Place = tuple[float, float, float]
"""(across, deep, height above the table in its widths)"""


@dataclass(frozen=True)
class Found:
    """A thing that fits a description; ``confidence`` 0..1 says how sure it is that this is the one."""

    thing: Thing
    confidence: float


@dataclass(frozen=True)
class Planned:
    """``paths``: for every mark that moves, its position now and after each step, in pixels. ``marks`` are all marks,
    with one more where none lay on the thing. ``notes`` are sentences for people."""

    paths: dict[int, tuple[Point, ...]]
    marks: dict[int, Point]
    confidence: float
    notes: tuple[str, ...]


def plan(
    image: Image.Image, text: str, marks: Mapping[int, Point], steps: int, speed: float | None = None
) -> Planned | Refusal:
    """Plan ``steps`` steps for the marks of a picture (RGB), in its pixels.

    ``speed`` is the mean step of the moving thing on the 256 grid; None spreads the way over all the steps.
    """
    task = read_task(text)
    if isinstance(task, str):
        return Refusal(task)
    seen = look(image)
    found = _find(task.thing, seen)
    if isinstance(found, Refusal):
        return found
    anchors: list[Found] = []
    for description in task.goal.anchors:
        anchor = _find(description, seen, taken=[found.thing, *(other.thing for other in anchors)])
        if isinstance(anchor, Refusal):
            return anchor
        anchors.append(anchor)

    table = Table(seen.table, seen.scale)
    motion = _Motion(table, found.thing, task, [anchor.thing for anchor in anchors])
    on_thing = [mark for mark, point in marks.items() if seen.at(point, REACH) is found.thing]
    reach = GRIPPER_REACH * min(image.size)
    on_gripper = [
        mark
        for mark, point in marks.items()
        if mark not in on_thing and seen.gripper is not None and point.distance(seen.gripper) < reach
    ]
    notes = [_sentence(task.thing, found), *map(_sentence, task.goal.anchors, anchors)]
    marks = dict(marks)
    if not on_thing:
        on_thing = [next(number for number in range(1, len(marks) + 2) if number not in marks)]
        marks[on_thing[0]] = found.thing.centre
        notes.append(f"No mark lay on it, so mark {on_thing[0]} was put there.")
    if seen.gripper is not None:
        notes.append(f"A gripper is seen at {_at(seen.gripper)}; it comes near before the thing moves.")

    approach = APPROACH if seen.gripper is not None else 0.0
    shares = _shares(motion, steps, speed, approach, image.size)
    paths = {mark: tuple(motion.carried(marks[mark], share, approach) for share in shares) for mark in on_thing}
    for mark in on_gripper:
        paths[mark] = tuple(motion.gripper(marks[mark], share, approach) for share in shares)
    if shares[-1] < 1:
        notes.append(f"With speed {speed:g} the way is not finished in {steps} steps.")
    confidence = math.prod(one.confidence for one in (found, *anchors))
    paths = {mark: tuple(point.clamp(image.size) for point in paths[mark]) for mark in sorted(paths)}
    return Planned(paths, marks, confidence, tuple(notes))


class _Motion:
    """Where a thing, and the gripper that moves it, are after a share of the whole time."""

    def __init__(self, table: Table, thing: Thing, task: Task, anchors: list[Thing]) -> None:
        self._table, self._thing, self._task = table, thing, task
        self._foot = _foot(table, thing)
        self._goal = _goal(table, thing, task.goal, anchors)
        self._arc = ARC if task.carried and task.goal.kind != "lift" else 0.0

    def carried(self, start: Point, share: float, approach: float) -> Point:
        """Where a point that is now at ``start`` on the thing goes."""
        share = 0.0 if share <= approach else (share - approach) / (1 - approach)
        foot, now = self._project(0.0), self._project(_ease(share))
        nearer = self._table.width(self._place(_ease(share))[1]) / max(self._table.width(self._place(0.0)[1]), 1e-6)
        return Point(now.x + (start.x - foot.x) * nearer, now.y + (start.y - foot.y) * nearer)

    def gripper(self, start: Point, share: float, approach: float) -> Point:
        """Where a point on the gripper goes: to the thing, then with it."""
        grasp = self._grasp()
        if share < approach:
            near = _ease(share / approach)
            return Point(start.x + (grasp.x - start.x) * near, start.y + (grasp.y - start.y) * near)
        return self.carried(grasp, share, approach)

    def _grasp(self) -> Point:
        """Above a thing that is lifted, behind one that is pushed."""
        box = self._thing.box
        if self._task.carried:
            return Point(box.center.x, box.y1)
        here, there = self._project(0.0), self._project(1.0)
        length = here.distance(there) or 1.0
        reach = 0.6 * box.width
        return Point(
            box.center.x - (there.x - here.x) / length * reach, box.center.y - (there.y - here.y) / length * reach
        )

    def _place(self, share: float) -> Place:
        across, deep, height = (a + (b - a) * share for a, b in zip(self._foot, self._goal, strict=True))
        return across, deep, height + self._arc * math.sin(math.pi * share)

    def _project(self, share: float) -> Point:
        across, deep, height = self._place(share)
        point = self._table.point(across, deep)
        return Point(point.x, point.y - height * self._table.width(deep))


def _shares(
    motion: _Motion, steps: int, speed: float | None, approach: float, size: tuple[int, int]
) -> tuple[float, ...]:
    """How much of the whole time is over now and after each step."""
    if speed is None:
        return tuple(step / steps for step in range(steps + 1))
    start = Point(0.0, 0.0)
    way = [motion.carried(start, step / 64, approach) for step in range(65)]
    length = sum(math.hypot((b.x - a.x) / size[0], (b.y - a.y) / size[1]) for a, b in pairwise(way))
    needed = max(1.0, length * GRID / speed / (1 - approach))
    return tuple(min(1.0, step / needed) for step in range(steps + 1))


def _foot(table: Table, thing: Thing) -> Place:
    """The middle of where a thing stands, a little above the lowest point that is seen of it."""
    return (*table.locate(Point(thing.box.center.x, thing.box.y2 - 0.15 * thing.box.width)), 0.0)


def _goal(table: Table, thing: Thing, goal: Goal, anchors: list[Thing]) -> Place:
    across, deep, _ = _foot(table, thing)
    half = _half(table, thing)
    margin = half + 0.02
    if goal.kind == "lift":
        return across, deep, LIFT
    if goal.kind == "edge":
        x, y = goal.towards
        return (_edge(x, margin) if x else across, _edge(y, margin) if y else deep, 0.0)
    if goal.kind == "centre":
        return 0.5, 0.5, 0.0
    if goal.kind == "direction":
        x, y = goal.towards
        return _within(across + STRIDE * x, margin), _within(deep + STRIDE * y, margin), 0.0
    places = [_foot(table, anchor) for anchor in anchors]
    if goal.kind == "between":
        return (places[0][0] + places[1][0]) / 2, (places[0][1] + places[1][1]) / 2, 0.0
    (anchor_across, anchor_deep, _), anchor = places[0], anchors[0]
    if goal.kind in ("on", "in"):
        height = anchor.box.height / max(table.width(anchor_deep), 1e-6)
        return anchor_across, anchor_deep, height * (0.8 if goal.kind == "on" else 0.3)
    apart = half + _half(table, anchor) + GAP
    if goal.kind in ("towards", "away from"):
        x, y = across - anchor_across, deep - anchor_deep
        length = math.hypot(x, y) or 1.0
        reach = apart if goal.kind == "towards" else length + STRIDE
        return (
            _within(anchor_across + x / length * reach, margin),
            _within(anchor_deep + y / length * reach, margin),
            0.0,
        )
    side = {
        "left of": (-1, 0), "right of": (1, 0), "behind": (0, -1), "in front of": (0, 1),
        "beside": (-1 if anchor_across > 0.5 else 1, 0),  # the side with more room
    }[goal.kind]  # fmt: skip
    apart += 0.05 * abs(side[1])  # what stands behind is hidden otherwise
    return _within(anchor_across + side[0] * apart, 0.05), _within(anchor_deep + side[1] * apart, 0.05), 0.0


def _half(table: Table, thing: Thing) -> float:
    """Half a thing's width, in widths of the table."""
    return thing.box.width / 2 / max(table.width(_foot(table, thing)[1]), 1e-6)


def _edge(side: int, margin: float) -> float:
    return margin if side < 0 else 1 - margin


def _within(value: float, margin: float) -> float:
    return min(max(value, margin), 1 - margin)


def _ease(share: float) -> float:
    """Slow at both ends."""
    return share * share * (3 - 2 * share)


# ---- which thing is meant ----


def _find(description: Description, seen: Surroundings, taken: Sequence[Thing] = ()) -> Found | Refusal:
    """The thing that fits best, other than those ``taken``."""
    things = [thing for thing in seen.things if not any(thing is other for other in taken)]
    if not description.says_something and description.unknown:
        return Refusal(
            f"the planner without a model knows colours, sizes and plain shapes, and {description.words!r} names none; "
            f"{_inventory(seen)}"
        )
    fits = sorted(((_fit(description, thing, things), thing) for thing in things), key=lambda pair: -pair[0])
    if not fits or fits[0][0] < LEAST_FIT:
        return Refusal(f"nothing that is seen fits {description.words!r}; {_inventory(seen)}")
    best, thing = fits[0]
    rival = fits[1][0] if len(fits) > 1 else 0.0
    return Found(thing, best * best / (best + rival) if rival < best else best / 2)


def _fit(description: Description, thing: Thing, things: list[Thing]) -> float:
    """How well a thing fits, 0..1."""
    fit = 0.4 + 0.6 * thing.contrast
    if description.colour:
        fit *= thing.colours[description.colour] / max(thing.colours.values())
        alike = [t for t in things if t.colours[description.colour] > 0.5 * max(t.colours.values())]
    else:
        alike = things
    if description.shape:
        fit *= 0.4 + 0.6 * thing.shapes[description.shape]
    if description.size and len(alike) > 1:
        smaller = sum(other.area < thing.area for other in alike) / (len(alike) - 1)
        fit *= 0.3 + 0.7 * (smaller if description.size > 0 else 1 - smaller)
    for side, low, high, at in (
        (description.place[0], *_range([t.centre.x for t in alike]), thing.centre.x),
        (description.place[1], *_range([t.centre.y for t in alike]), thing.centre.y),
    ):
        if side and high > low:
            share = min(max((at - low) / (high - low), 0.0), 1.0)
            fit *= 0.2 + 0.8 * (share if side > 0 else 1 - share)
    return fit


def _range(values: list[float]) -> tuple[float, float]:
    return min(values, default=0.0), max(values, default=0.0)


def _sentence(description: Description, found: Found) -> str:
    thing = found.thing
    doubt = "" if found.confidence >= SURE else ", which is not much"
    ignored = f" {description.unknown!r} says nothing to it." if description.unknown else ""
    return (
        f"\u201c{description.words}\u201d: a {thing.colour} thing at {_at(thing.centre)}, {found.confidence:.0%} sure"
        f"{doubt}.{ignored}"
    )


def _inventory(seen: Surroundings) -> str:
    if not seen.things:
        return "nothing stands out from the background"
    listed = sorted(seen.things, key=lambda thing: -thing.area)[:8]
    return "it sees " + ", ".join(f"{thing.colour} at {_at(thing.centre)}" for thing in listed)


def _at(point: Point) -> str:
    return f"({point.x:.0f}, {point.y:.0f})"
