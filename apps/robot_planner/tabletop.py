"""A simulated tabletop: seeded scenes with a robot arm, a task in words and its true motion.

A scene is a table seen by a tilted camera, three to six coloured objects, an arm that comes from behind, paper and
coins that nobody asks about, and one task. ``frame(step)`` draws it at any time from 0 to ``STEPS``; ``marks`` are
points on the gripper, on every object and on some of the litter, in random order; ``motion`` is where each mark truly
goes. Everything follows from the seed.

The table's own frame is (across, deep), 0..1 from its left and its far edge; a pinhole-like homography maps it to the
picture. Heights above the table are drawn as shifts up the picture, in shares of the table's width at that depth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import cv2
import numpy as np
from PIL import Image

from core.geometry import Point, Size

STEPS = 16
"""Future positions of every mark; frame 0 is the picture that is planned from."""

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (200, 40, 40),
    "green": (50, 150, 60),
    "blue": (45, 85, 200),
    "yellow": (230, 195, 40),
    "orange": (235, 125, 30),
    "purple": (130, 60, 165),
    "white": (235, 235, 230),
    "black": (45, 45, 48),
}
SHAPES = ("block", "cylinder", "ball", "cup", "box")
EDGES: dict[str, tuple[float, float]] = {"left": (-1, 0), "right": (1, 0), "far": (0, -1), "near": (0, 1)}
"""Of the table, and the way there in its own frame."""

SIDES: dict[str, tuple[float, float]] = {
    "next to": (1, 0),
    "to the left of": (-1, 0),
    "to the right of": (1, 0),
    "in front of": (0, 1),
    "behind": (0, -1),
}

Kind = Literal["push", "pick up", "put"]


@dataclass(frozen=True)
class Thing:
    """An object on the table: ``place`` is the middle of its foot, ``width`` a share of the table's width."""

    colour: str
    shape: str
    place: tuple[float, float]
    width: float
    shade: float

    @property
    def name(self) -> str:
        return f"{self.colour} {self.shape}"

    @property
    def height(self) -> float:
        return self.width * {"block": 0.8, "cylinder": 1.25, "ball": 0.95, "cup": 1.0, "box": 0.55}[self.shape]

    @property
    def footprint(self) -> float:
        """Its width on the table; a box is wider than it is tall."""
        return self.width * (1.5 if self.shape == "box" else 1.0)


@dataclass(frozen=True)
class Task:
    """``goal`` is where the object's foot ends, ``lift`` how high it ends above the table; ``landmark`` is the object
    that the goal is told by, if one."""

    kind: Kind
    text: str
    subject: int
    goal: tuple[float, float]
    lift: float
    landmark: int | None = None


@dataclass(frozen=True)
class Scene:
    seed: int
    size: Size
    things: tuple[Thing, ...]
    litter: tuple[tuple[float, float], ...]
    """Places of marks that nothing moves."""
    gripper: tuple[float, float, float]
    """Where its tip starts: across, deep, and height above the table."""
    task_given: Task
    corners: np.ndarray
    """[4, 2] of the table in the picture's unit frame: far left, far right, near right, near left."""
    light: float
    table: tuple[int, int, int]
    wall: tuple[int, int, int]
    shake: np.ndarray
    """[STEPS + 1, 3] camera motion against frame 0: pixels across and down at 256, and radians."""
    order: tuple[int, ...]
    """The numbers of the marks: gripper, things, litter."""

    @property
    def task(self) -> str:
        return self.task_given.text

    # ---- where things are ----

    @cached_property
    def _homography(self) -> np.ndarray:
        square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
        picture = (self.corners * np.array(self.size)).astype(np.float32)
        return cv2.getPerspectiveTransform(square, picture).astype(np.float64)

    def project(self, across: float, deep: float, height: float = 0.0) -> tuple[float, float]:
        """Pixels of the first frame."""
        x, y, w = self._homography @ (across, deep, 1.0)
        return x / w, y / w - height * self._scale(deep)

    def _scale(self, deep: float) -> float:
        """Pixels per table's width at this depth."""
        left, right = (self._homography @ (side, deep, 1.0) for side in (0.0, 1.0))
        return abs(right[0] / right[2] - left[0] / left[2])

    def _pose(self, step: float) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
        """Where the moved object's foot and the gripper's tip are: (across, deep, height) each."""
        task, thing = self.task_given, self.things[self.task_given.subject]
        grasp = self._grasp(thing)
        if step <= GRASP_STEP:
            share = ease(step / GRASP_STEP)
            return (*thing.place, 0.0), _mix(self.gripper, grasp, share)
        share = ease((step - GRASP_STEP) / (STEPS - GRASP_STEP))
        foot = _mix((*thing.place, 0.0), (*task.goal, task.lift), share)
        if task.kind == "put":
            foot = (foot[0], foot[1], CARRY_HEIGHT * math.sin(math.pi * share))
        moved = [foot[axis] - (*thing.place, 0.0)[axis] for axis in range(3)]
        return foot, (grasp[0] + moved[0], grasp[1] + moved[1], grasp[2] + moved[2])

    def _grasp(self, thing: Thing) -> tuple[float, float, float]:
        """The tip's place when it touches the object: above it to carry, behind it to push."""
        task = self.task_given
        if task.kind != "push":
            return (*thing.place, thing.height + 0.01)
        across, deep = task.goal[0] - thing.place[0], task.goal[1] - thing.place[1]
        length = math.hypot(across, deep) or 1.0
        reach = thing.footprint * 0.5 + 0.02
        return thing.place[0] - across / length * reach, thing.place[1] - deep / length * reach, thing.height * 0.5

    def _centre(self, thing: Thing, foot: tuple[float, float, float]) -> tuple[float, float]:
        return self.project(foot[0], foot[1], foot[2] + thing.height * 0.5)

    # ---- the marks ----

    @cached_property
    def motion(self) -> dict[int, np.ndarray]:
        """Mark -> float [STEPS + 1, 2], pixels of the first frame's view (no camera shake), frame 0 first."""
        poses = [self._pose(step) for step in range(STEPS + 1)]
        paths = [[self.project(*tip) for _, tip in poses]]
        for index, thing in enumerate(self.things):
            moved = index == self.task_given.subject
            paths.append([self._centre(thing, foot if moved else (*thing.place, 0.0)) for foot, _ in poses])
        paths += [[self.project(*place)] * (STEPS + 1) for place in self.litter]
        return {mark: np.array(path) for mark, path in sorted(zip(self.order, paths, strict=True))}

    @property
    def marks(self) -> dict[int, Point]:
        """On the first frame, pixels."""
        return {mark: Point(*map(float, path[0])) for mark, path in self.motion.items()}

    @property
    def moving(self) -> tuple[int, ...]:
        """The marks that truly move: the object's, then the gripper's."""
        return self.order[1 + self.task_given.subject], self.order[0]

    # ---- drawing ----

    def frame(self, step: float) -> Image.Image:
        """RGB, without marks, as the shaking camera sees it."""
        canvas = self._backdrop.copy()
        foot, tip = self._pose(step)
        standing = [
            (place_of(thing, foot, index == self.task_given.subject), thing) for index, thing in enumerate(self.things)
        ]
        arm_drawn = False
        for where, thing in sorted(standing, key=lambda pair: pair[0][1]):
            if not arm_drawn and where[1] > tip[1]:  # what stands nearer than the gripper hides it
                self._draw_arm(canvas, tip)
                arm_drawn = True
            self._draw_thing(canvas, thing, where)
        if not arm_drawn:
            self._draw_arm(canvas, tip)
        canvas = self._shaken(canvas, step)
        return Image.fromarray(canvas)

    @cached_property
    def _backdrop(self) -> np.ndarray:
        width, height = self.size
        generator = np.random.default_rng([self.seed, 1])
        canvas = np.empty((height, width, 3), np.float32)
        canvas[:] = np.array(self.wall) * np.linspace(1.0, 0.85, height, dtype=np.float32)[:, None, None]
        table = np.zeros((height, width), np.uint8)
        cv2.fillConvexPoly(table, _ints(self.corners * (width, height)), 255, cv2.LINE_AA, _SHIFT)
        grain = cv2.resize(
            generator.standard_normal((12, 4)).astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR
        )
        wood = np.array(self.table) * (1 + 0.06 * grain[..., None])
        share = table[..., None].astype(np.float32) / 255
        canvas = canvas * (1 - share) + wood * share
        noise = generator.integers(-5, 6, (height, width, 1), np.int8)
        canvas = (canvas * self.light + noise).clip(0, 255).astype(np.uint8)
        edge = _ints(self.corners[2:4] * (width, height))
        cv2.line(
            canvas, edge[0], edge[1], tuple(int(v * 0.6) for v in self.table), round(width / 64), cv2.LINE_AA, _SHIFT
        )
        for number, place in enumerate(self.litter):
            self._draw_litter(canvas, place, number)
        return canvas

    def _draw_litter(self, canvas: np.ndarray, place: tuple[float, float], number: int) -> None:
        across, deep = place
        if number % 2:  # a coin
            centre, size = self.project(across, deep), self._scale(deep) * 0.02
            axes = (size, size * 0.6)
            cv2.ellipse(canvas, _int(centre), _int(axes), 0, 0, 360, (165, 160, 150), -1, cv2.LINE_AA, _SHIFT)
        else:  # a sheet of paper
            sheet = [(-0.05, -0.035), (0.05, -0.03), (0.045, 0.035), (-0.05, 0.03)]
            corners = np.array([self.project(across + a, deep + d) for a, d in sheet])
            cv2.fillConvexPoly(canvas, _ints(corners), (222, 220, 212), cv2.LINE_AA, _SHIFT)

    def _draw_thing(self, canvas: np.ndarray, thing: Thing, foot: tuple[float, float, float]) -> None:
        across, deep, lifted = foot
        scale = self._scale(deep)
        half, tall = thing.footprint * scale / 2, thing.height * scale
        base = np.array(COLOURS[thing.colour]) * thing.shade * self.light
        side, top, dark = (tuple(int(min(255, v)) for v in base * factor) for factor in (0.85, 1.12, 0.6))
        shadow = self.project(across + 0.012, deep + 0.008)
        cv2.ellipse(
            canvas,
            _int(shadow),
            _int((half * 1.15, half * 0.5)),
            0,
            0,
            360,
            tuple(int(v * self.light * 0.62) for v in self.table),
            -1,
            cv2.LINE_AA,
            _SHIFT,
        )
        x, y = self.project(across, deep, lifted)
        depth = half * 0.42  # how much of the upper face the camera sees
        if thing.shape == "ball":
            centre = (x, y - tall / 2)
            cv2.circle(canvas, _int(centre), _length(tall / 2), side, -1, cv2.LINE_AA, _SHIFT)
            shine = (x - tall * 0.14, y - tall * 0.66)
            cv2.circle(
                canvas, _int(shine), _length(tall * 0.13), tuple(min(255, v + 60) for v in top), -1, cv2.LINE_AA, _SHIFT
            )
        elif thing.shape in ("block", "box"):
            front = np.array(
                [
                    (x - half, y - tall + depth),
                    (x + half, y - tall + depth),
                    (x + half, y + depth * 0.5),
                    (x - half, y + depth * 0.5),
                ]
            )
            upper = np.array(
                [
                    (x - half * 0.86, y - tall - depth * 0.5),
                    (x + half * 0.86, y - tall - depth * 0.5),
                    (x + half, y - tall + depth),
                    (x - half, y - tall + depth),
                ]
            )
            cv2.fillConvexPoly(canvas, _ints(front), side, cv2.LINE_AA, _SHIFT)
            cv2.fillConvexPoly(canvas, _ints(upper), top, cv2.LINE_AA, _SHIFT)
            if thing.shape == "box":  # open: one looks into it
                middle = upper.mean(axis=0)
                cv2.fillConvexPoly(canvas, _ints(middle + (upper - middle) * 0.72), dark, cv2.LINE_AA, _SHIFT)
        else:
            foot_half = half * (0.72 if thing.shape == "cup" else 1.0)
            body = np.array([(x - half, y - tall), (x + half, y - tall), (x + foot_half, y), (x - foot_half, y)])
            cv2.ellipse(canvas, _int((x, y)), _int((foot_half, depth)), 0, 0, 360, side, -1, cv2.LINE_AA, _SHIFT)
            cv2.fillConvexPoly(canvas, _ints(body), side, cv2.LINE_AA, _SHIFT)
            cv2.ellipse(canvas, _int((x, y - tall)), _int((half, depth)), 0, 0, 360, top, -1, cv2.LINE_AA, _SHIFT)
            if thing.shape == "cup":
                cv2.ellipse(
                    canvas,
                    _int((x, y - tall)),
                    _int((half * 0.8, depth * 0.75)),
                    0,
                    0,
                    360,
                    dark,
                    -1,
                    cv2.LINE_AA,
                    _SHIFT,
                )
                handle = (x + half * 1.05, y - tall * 0.5)
                cv2.ellipse(
                    canvas,
                    _int(handle),
                    _int((half * 0.4, tall * 0.25)),
                    0,
                    -100,
                    100,
                    side,
                    max(1, round(half / 5)),
                    cv2.LINE_AA,
                    _SHIFT,
                )

    def _draw_arm(self, canvas: np.ndarray, tip: tuple[float, float, float]) -> None:
        across, deep, height = tip
        scale = self._scale(deep)
        x, y = self.project(across, deep, height)
        unit = scale / 40
        wrist = (x, y - 4.5 * unit)
        shoulder = self.project(0.5, -0.12, 0.1)
        elbow = ((wrist[0] + shoulder[0]) / 2 + 0.06 * scale, min(wrist[1], shoulder[1]) - 0.16 * scale)
        metal, joint, rubber = (
            tuple(int(v * self.light) for v in colour) for colour in ((168, 172, 178), (96, 100, 108), (52, 54, 58))
        )
        for start, end, thick in ((shoulder, elbow, 3.2), (elbow, wrist, 2.4)):
            cv2.line(canvas, _int(start), _int(end), metal, max(2, round(thick * unit)), cv2.LINE_AA, _SHIFT)
        for centre in (elbow, wrist):
            cv2.circle(canvas, _int(centre), _length(1.7 * unit), joint, -1, cv2.LINE_AA, _SHIFT)
        cv2.line(
            canvas,
            _int((x - 2.1 * unit, wrist[1] + 1.5 * unit)),
            _int((x + 2.1 * unit, wrist[1] + 1.5 * unit)),
            rubber,
            max(2, round(1.2 * unit)),
            cv2.LINE_AA,
            _SHIFT,
        )
        for side in (-1, 1):
            upper, lower = (x + side * 2.0 * unit, wrist[1] + 1.5 * unit), (x + side * 1.5 * unit, y)
            cv2.line(canvas, _int(upper), _int(lower), rubber, max(2, round(0.9 * unit)), cv2.LINE_AA, _SHIFT)

    def _shaken(self, canvas: np.ndarray, step: float) -> np.ndarray:
        before, share = int(min(step, STEPS - 1)), step - int(min(step, STEPS - 1))
        across, down, turn = self.shake[before] * (1 - share) + self.shake[before + 1] * share
        if not (across or down or turn):
            return canvas
        width, height = self.size
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), math.degrees(turn), 1.0)
        matrix[:, 2] += np.array([across, down]) * width / 256
        return cv2.warpAffine(canvas, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


GRASP_STEP = 6
"""When the gripper reaches the object."""

CARRY_HEIGHT, PICK_HEIGHT = 0.14, 0.22
"""In widths of the table."""

_SHIFT = 4
"""OpenCV's fixed point: sixteenths of a pixel, so that slow motion is smooth."""


def make_scene(seed: int, size: Size = (512, 512), shaky: bool = False) -> Scene:
    """The scene of this seed. ``size`` only scales the picture; ``shaky`` lets the camera shake."""
    generator = np.random.default_rng([seed, 0])
    corners = np.array([[0.14, 0.30], [0.86, 0.30], [1.0, 0.97], [0.0, 0.97]])
    corners = corners + generator.uniform(-0.05, 0.05, (4, 2)) * (1, 0.7)
    things = _things(generator)
    task = _task(generator, things)
    litter = _places(generator, int(generator.integers(0, 3)), 0.10, [thing.place for thing in things] + [task.goal])
    gripper = _gripper(generator, things)
    shake = np.zeros((STEPS + 1, 3))
    if shaky:
        steps = generator.normal(0, 1, (STEPS + 1, 3)) * (1.2, 1.2, 0.006)
        shake = np.cumsum(steps, axis=0) * 0.8
        shake -= shake[0]
    return Scene(
        seed=seed,
        size=size,
        things=things,
        litter=litter,
        gripper=gripper,
        task_given=task,
        corners=corners,
        light=float(generator.uniform(0.8, 1.1)),
        table=_table_colour(generator),
        wall=tuple(int(v) for v in generator.integers(90, 235, 3)),
        shake=shake,
        order=tuple(int(v) for v in generator.permutation(1 + len(things) + len(litter)) + 1),
    )


def _things(generator: np.random.Generator) -> tuple[Thing, ...]:
    """Three to six objects, no two of the same colour and shape."""
    count = int(generator.integers(3, 7))
    kinds = [(colour, shape) for colour in COLOURS for shape in SHAPES]
    chosen = generator.choice(len(kinds), count, replace=False)
    places = _places(generator, count, 0.2)
    return tuple(
        Thing(*kinds[kind], place, float(generator.uniform(0.085, 0.125)), float(generator.uniform(0.88, 1.1)))
        for kind, place in zip(chosen, places, strict=False)
    )


def _places(
    generator: np.random.Generator, count: int, apart: float, taken: list[tuple[float, float]] | None = None
) -> tuple[tuple[float, float], ...]:
    """Up to ``count`` places on the table that keep apart from each other and from those taken."""
    taken, found = list(taken or ()), []
    for _ in range(count * 30):
        place = (float(generator.uniform(0.1, 0.9)), float(generator.uniform(0.1, 0.9)))
        if len(found) < count and all(math.dist(place, other) >= apart for other in taken + found):
            found.append(place)
    return tuple(found)


def _gripper(generator: np.random.Generator, things: tuple[Thing, ...]) -> tuple[float, float, float]:
    """A start in the air whose shadowless tip is not before an object."""
    for _ in range(30):
        tip = (
            float(generator.uniform(0.15, 0.85)),
            float(generator.uniform(0.0, 0.5)),
            float(generator.uniform(0.12, 0.25)),
        )
        if all(math.dist((tip[0], tip[1] - tip[2]), thing.place) > 0.2 for thing in things):
            break
    return tip


def _task(generator: np.random.Generator, things: tuple[Thing, ...]) -> Task:
    subject = int(generator.integers(len(things)))
    thing = things[subject]
    kind = ("push", "pick up", "put")[int(generator.integers(3))]
    if kind == "pick up":
        return Task(kind, f"pick up the {thing.name}", subject, thing.place, PICK_HEIGHT)
    if kind == "push":
        edge = str(generator.choice([*EDGES, "centre"]))
        if edge == "centre":
            return Task(kind, f"push the {thing.name} to the centre of the table", subject, (0.5, 0.5), 0.0)
        across, deep = EDGES[edge]
        goal = (
            thing.place[0] if not across else 0.5 + 0.43 * across,
            thing.place[1] if not deep else 0.5 + 0.43 * deep,
        )
        return Task(kind, f"push the {thing.name} to the {edge} edge of the table", subject, goal, 0.0)
    other = int(generator.choice([index for index in range(len(things)) if index != subject]))
    side = str(generator.choice(list(SIDES)))
    across, deep = SIDES[side]
    landmark = things[other]
    if side == "next to" and landmark.place[0] > 0.5:  # on the side with more room
        across = -across
    reach = 0.03 + (landmark.footprint + thing.footprint) / 2
    goal = (
        min(max(landmark.place[0] + across * reach, 0.04), 0.96),
        min(max(landmark.place[1] + deep * (reach + 0.05), 0.05), 0.95),
    )
    return Task(kind, f"put the {thing.name} {side} the {landmark.name}", subject, goal, 0.0, other)


def _table_colour(generator: np.random.Generator) -> tuple[int, int, int]:
    woods = ((176, 140, 104), (205, 180, 145), (120, 92, 70), (190, 190, 186), (98, 108, 118), (150, 165, 150))
    base = np.array(woods[int(generator.integers(len(woods)))]) + generator.integers(-15, 16, 3)
    return tuple(int(v) for v in base)


def ease(share: float) -> float:
    """How far an unhurried motion is after this share of its time, 0..1: it starts and ends at rest."""
    return share * share * (3 - 2 * share)


def place_of(thing: Thing, foot: tuple[float, float, float], moved: bool) -> tuple[float, float, float]:
    """Where the object stands now, ``foot`` being the moved one's."""
    return foot if moved else (*thing.place, 0.0)


def _mix(start: tuple[float, ...], end: tuple[float, ...], share: float) -> tuple[float, ...]:
    return tuple(a + (b - a) * share for a, b in zip(start, end, strict=True))


def _int(point: tuple[float, float]) -> tuple[int, int]:
    return round(point[0] * (1 << _SHIFT)), round(point[1] * (1 << _SHIFT))


def _length(pixels: float) -> int:
    return round(pixels * (1 << _SHIFT))


def _ints(points: np.ndarray) -> np.ndarray:
    return np.round(np.asarray(points) * (1 << _SHIFT)).astype(np.int32)
