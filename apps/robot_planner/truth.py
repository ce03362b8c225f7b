"""What really happened after the frame that was planned from, and how far a plan is from it."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, fields
from typing import TypedDict

import cv2
import numpy as np

from apps.robot_planner.observation import Observation
from core.generators import passing_on
from core.geometry import GRID, Point, Size
from core.traces import (
    TraceErrors,
    constant_velocity,
    grid_points,
    stabilise,
    stay,
    straight_line,
    trace_errors,
    track,
)
from core.traces.selecting import MOVING_STEP

TRACKING_SIDE = 384
"""Pixels of the longer side at which marks are followed."""

Paths = Mapping[int, tuple[Point, ...]]
"""Mark -> its position now and after each step, in pixels of the picture."""


class ErrorRecord(TypedDict):
    """Distances in cells of the 256 grid and in percent of the picture's side; hits are shares of the steps."""

    ade: float
    fde: float
    frechet: float
    ade_percent: float
    fde_percent: float
    frechet_percent: float
    hit4: float
    hit8: float
    hit16: float


class ComparisonRecord(TypedDict):
    """``errors`` are means over ``marks``, those that really move: of the plan and of guesses that cost nothing."""

    source: str
    marks: list[int]
    planned: list[int]
    right_marks: bool
    errors: dict[str, ErrorRecord]
    by_mark: dict[str, ErrorRecord]
    note: str


@dataclass(frozen=True)
class Truth:
    """``paths``: mark -> float [k + 1, 2], the position now and after each step until it is seen last, in pixels of the
    picture, the camera's motion removed. ``seen``: mark -> bool [k + 1]; a position that is not is a guess between its
    neighbours, and nothing is measured by it. ``histories``: mark -> float [h, 2], the positions up to now, a step
    apart. ``cameras`` float [frames, 3, 3] map the picture's pixels to those of each frame. ``moving`` are the marks
    that move. ``lost`` says of which marks nothing is known."""

    paths: dict[int, np.ndarray]
    seen: dict[int, np.ndarray]
    histories: dict[int, np.ndarray]
    cameras: np.ndarray
    moving: tuple[int, ...]
    source: str
    lost: tuple[int, ...] = ()


def follow(observation: Observation, marks: Mapping[int, Point], steps: int) -> Generator[int, None, Truth | None]:
    """Track the marks through the frames that follow, yielding the count of frames done; None where none follow."""
    frames = observation.frames(TRACKING_SIDE)
    if len(frames) < 2:
        return None
    numbers = sorted(marks)
    size = frames[0].shape[1], frames[0].shape[0]
    factor = np.array([observation.image.width / size[0], observation.image.height / size[1]])
    known = _simulated(observation, marks, steps)
    if observation.steady and len(known) == len(marks):
        moving = tuple(mark for mark in observation.scene.moving if mark in known)
        histories = {mark: path[:1] for mark, path in known.items()}
        return Truth(known, _all_seen(known), histories, np.eye(3)[None], moving, "simulated")
    points = np.array([(marks[mark].x, marks[mark].y) for mark in numbers], np.float32).reshape(-1, 2) / factor
    tracked = yield from track(frames, np.concatenate([points, grid_points(size)]).astype(np.float32))
    steady = stabilise(tracked, size)
    enlarge = np.diag([*factor, 1.0])
    cameras = enlarge @ np.linalg.inv(steady.homographies) @ np.linalg.inv(enlarge)
    indices = [observation.frame_of(step, steps) for step in range(steps + 1)]
    indices = [index for index in indices if index < len(frames)]
    paths, seen, lost = {}, {}, []
    for column, mark in enumerate(numbers):
        if mark in known:
            paths[mark] = known[mark]
            seen |= _all_seen({mark: known[mark]})
            continue
        visible = steady.tracks.visible[indices, column]
        if not visible[1:].any():
            lost.append(mark)
            continue
        way = steady.tracks.points[indices, column].astype(np.float64) * factor
        paths[mark], seen[mark] = _without_gaps(way, visible)
    histories = yield from passing_on(
        _histories(observation, frames[0], {mark: points[numbers.index(mark)] for mark in paths}, factor, steps),
        lambda count: len(frames) + count,
    )
    moving = tuple(mark for mark, path in paths.items() if _moves(path[seen[mark]], observation.image.size))
    source = "simulated" if known else "tracked"
    return Truth(paths, seen, histories, cameras, moving, source, tuple(lost))


def _without_gaps(way: np.ndarray, visible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A way [k, 2] up to where it is seen last, straight where it is hidden, and where it is seen, bool [k]."""
    last = int(np.flatnonzero(visible)[-1])
    steps = np.arange(last + 1)
    known = np.flatnonzero(visible)
    filled = np.stack([np.interp(steps, known, way[known, axis]) for axis in (0, 1)], axis=1)
    return filled, visible[: last + 1]


def _simulated(observation: Observation, marks: Mapping[int, Point], steps: int) -> dict[int, np.ndarray]:
    """The motion of the scene's own marks, which the simulator knows; what a person moved is tracked like others."""
    if observation.scene is None:
        return {}
    own = observation.scene.marks
    return {
        mark: observation.scene.motion[mark][: steps + 1]
        for mark, point in marks.items()
        if mark in own and point.distance(own[mark]) < 1
    }


def _histories(
    observation: Observation, first: np.ndarray, points: Mapping[int, np.ndarray], factor: np.ndarray, steps: int
) -> Generator[int, None, dict[int, np.ndarray]]:
    """Each mark a step ago and now, the camera's motion removed; only now where that was not seen."""
    back = max(1, observation.frame_of(1, steps))
    size = first.shape[1], first.shape[0]
    frames = [first, *(cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in reversed(observation.before[-back:]))]
    now = {mark: point[None] * factor for mark, point in points.items()}
    if len(frames) < 2 or not points:
        return now
    starts = np.concatenate([np.stack(list(points.values())), grid_points(size)]).astype(np.float32)
    tracks = stabilise((yield from track(frames, starts)), size).tracks
    share = back / (len(frames) - 1)  # fewer frames went before than a step has: the way is drawn out
    for column, (mark, point) in enumerate(points.items()):
        if tracks.visible[-1, column]:
            before = point + (tracks.points[-1, column] - point) * share
            now[mark] = np.stack([before, point]) * factor
    return now


def _all_seen(paths: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
    return {mark: np.ones(len(path), bool) for mark, path in paths.items()}


def _moves(path: np.ndarray, size: Size) -> bool:
    """By the measure that chooses marks: the mean step against the picture's shorter side."""
    return len(path) > 1 and bool(np.linalg.norm(np.diff(path, axis=0), axis=1).mean() > MOVING_STEP * min(size))


def compare(
    planned: Paths, marks: Mapping[int, Point], truth: Truth, size: Size, steps: int
) -> ComparisonRecord | None:
    """The errors of a plan of this many steps and of the baselines, over the marks that really move (where none does,
    over those that the plan moves); a mark that the plan leaves out is taken to stay. None where no mark is left to
    measure by.

    The straight line goes at an even pace to where the plan ends: what the plan's own path and pace are worth.
    """
    measured = [mark for mark in truth.moving or planned if mark in truth.paths]
    if not measured:
        return None
    grid = np.array([GRID / size[0], GRID / size[1]])
    by_mark: dict[int, dict[str, TraceErrors]] = {}
    for mark in measured:
        path = truth.paths[mark] * grid
        start, count = np.array([marks[mark].x, marks[mark].y]) * grid, len(path) - 1
        plan = _as_long(planned[mark], steps) * grid if mark in planned else stay(start, steps)
        guesses = {"plan": plan, "stay": stay(start, steps), "straight line": straight_line(start, plan[-1], steps)}
        history = truth.histories[mark] * grid
        if len(history) > 1:
            guesses["constant velocity"] = constant_velocity(history, steps)
        seen = truth.seen[mark][1:]
        by_mark[mark] = {name: trace_errors(guess[:count][seen], path[1:][seen]) for name, guess in guesses.items()}
    names = [
        name
        for name in ("plan", "stay", "constant velocity", "straight line")
        if all(name in e for e in by_mark.values())
    ]
    notes = []
    if not truth.moving:
        notes.append("No mark is seen to move; the errors are those of the marks that the plan moves.")
    if "constant velocity" not in names:
        notes.append("Nothing before this frame tells of a velocity.")
    if truth.lost:
        notes.append(f"Nothing is known of marks {', '.join(map(str, truth.lost))}.")
    for mark in measured:
        if (hidden := int(steps - truth.seen[mark][1:].sum())) > 0:
            notes.append(f"Mark {mark} is hidden after {hidden} of the {steps} steps, which are not counted.")
    return ComparisonRecord(
        source=truth.source,
        marks=measured,
        planned=sorted(planned),
        right_marks=set(planned) == set(truth.moving),
        errors={name: _record(_mean([errors[name] for errors in by_mark.values()])) for name in names},
        by_mark={str(mark): _record(errors["plan"]) for mark, errors in by_mark.items()},
        note=" ".join(notes),
    )


def _as_long(path: tuple[Point, ...], steps: int) -> np.ndarray:
    """The positions after each of these steps: [steps, 2]; the last one is held."""
    points = np.array([(point.x, point.y) for point in path[1 : steps + 1]] or [(path[0].x, path[0].y)])
    return np.concatenate([points, np.repeat(points[-1:], steps - len(points), axis=0)])


def _mean(errors: list[TraceErrors]) -> TraceErrors:
    return TraceErrors(*(float(np.mean([getattr(e, field.name) for e in errors])) for field in fields(TraceErrors)))


def _record(errors: TraceErrors) -> ErrorRecord:
    percent = errors.percent()
    return ErrorRecord(
        ade=round(errors.ade, 2),
        fde=round(errors.fde, 2),
        frechet=round(errors.frechet, 2),
        ade_percent=round(percent["ade"], 2),
        fde_percent=round(percent["fde"], 2),
        frechet_percent=round(percent["frechet"], 2),
        hit4=round(errors.hit4, 3),
        hit8=round(errors.hit8, 3),
        hit16=round(errors.hit16, 3),
    )
