"""A plan as the planner gives it, what it was asked with, and its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypedDict

from PIL import Image

from apps.robot_planner.actions import ActionRecord
from apps.robot_planner.truth import ComparisonRecord, Truth
from core.errors import UserError
from core.geometry import GRID, Point, Size, to_grid
from core.robot_actions import ActionStatistics

PlannerName = Literal["auto", "model", "model-free"]

DEFAULT_MARKS, MAX_MARKS = 8, 64
DEFAULT_STEPS, MAX_STEPS = 16, 64
DEFAULT_SPEED = 8
"""Cells of the 256 grid a step, that a model is told where nothing else is asked."""


class PathRecord(TypedDict):
    """A mark's way: in pixels of the picture and on the 256 grid, now first and then after each step. ``frames`` are
    the moments of these positions, as counts of the film's frames."""

    mark: int
    pixels: list[list[float]]
    grid: list[list[int]]
    frames: list[int]


class MarkRecord(TypedDict):
    mark: int
    x: float
    y: float


class StepRecord(TypedDict):
    """A step as JSON. ``size`` is the picture's, in pixels; marks and paths are in them, origin top left."""

    task: str
    source: str
    size: list[int]
    planner: str
    sure: bool
    confidence: float | None
    reason: str
    notes: list[str]
    steps: int
    speed: float | None
    frames_per_second: float
    marks: list[MarkRecord]
    traces: list[PathRecord]
    prompt: str
    reply: str
    action: ActionRecord | None
    action_reason: str
    comparison: ComparisonRecord | None
    seconds: dict[str, float]


def in_range(name: str, value: float, low: int, high: int) -> None:
    """Raises UserError where the value is out of it."""
    if not low <= value <= high:
        raise UserError(f"{name} must be {low} to {high}, not {value:g}.")


@dataclass(frozen=True)
class Options:
    """``speed`` is the mean step on the 256 grid; None tells a model DEFAULT_SPEED and leaves the model-free planner as
    long as it has steps. ``action`` asks for the 7-DoF action too, which ``statistics``, those of the data set of this
    name, give the robot's units. ``seed`` decides which marks are proposed."""

    steps: int = DEFAULT_STEPS
    speed: float | None = None
    planner: PlannerName = "auto"
    count: int = DEFAULT_MARKS
    seed: int = 0
    action: bool = False
    dataset: str | None = None
    statistics: ActionStatistics | None = None

    def __post_init__(self) -> None:
        in_range("The number of steps", self.steps, 1, MAX_STEPS)
        in_range("The number of marks", self.count, 1, MAX_MARKS)
        if self.speed is not None:
            in_range("The speed", self.speed, 1, GRID - 1)
        if self.planner not in ("auto", "model", "model-free"):
            raise UserError(f"There is no planner {self.planner!r}: choose auto, model or model-free.")


@dataclass(frozen=True)
class Step:
    """One plan: what was seen, what the model was asked and said, what follows from it, and how long it took.

    ``paths`` maps each mark that moves to its position now and after each step, in pixels of the picture; empty where
    ``reason`` says why there is no plan. ``seen`` is the picture with its marks as the planner saw it. ``planner`` is
    who spoke and ``notes`` what that planner says of it. ``prompt`` and ``reply`` are what went into the model and came
    out of it, empty where none was asked. ``truth`` is what really happened, where that is known.
    """

    task: str
    source: str
    size: Size
    planner: str
    marks: dict[int, Point]
    options: Options
    seen: Image.Image
    frames_per_second: float
    frames_at: tuple[int, ...]
    paths: dict[int, tuple[Point, ...]] = field(default_factory=dict)
    confidence: float | None = None
    sure: bool = True
    reason: str = ""
    notes: tuple[str, ...] = ()
    prompt: str = ""
    reply: str = ""
    action: ActionRecord | None = None
    action_reason: str = ""
    truth: Truth | None = None
    comparison: ComparisonRecord | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def record(self) -> StepRecord:
        return StepRecord(
            task=self.task,
            source=self.source,
            size=list(self.size),
            planner=self.planner,
            sure=self.sure,
            confidence=None if self.confidence is None else round(self.confidence, 4),
            reason=self.reason,
            notes=list(self.notes),
            steps=self.options.steps,
            speed=self.options.speed,
            frames_per_second=round(self.frames_per_second, 3),
            marks=mark_records(self.marks),
            traces=[
                PathRecord(
                    mark=mark,
                    pixels=[[round(point.x, 1), round(point.y, 1)] for point in path],
                    grid=[list(to_grid(point, self.size)) for point in path],
                    frames=list(self.frames_at[: len(path)]),
                )
                for mark, path in self.paths.items()
            ],
            prompt=self.prompt,
            reply=self.reply,
            action=self.action,
            action_reason=self.action_reason,
            comparison=self.comparison,
            seconds={stage: round(seconds, 3) for stage, seconds in self.seconds.items()},
        )


def mark_records(marks: Mapping[int, Point]) -> list[MarkRecord]:
    return [MarkRecord(mark=mark, x=round(point.x, 1), y=round(point.y, 1)) for mark, point in sorted(marks.items())]
