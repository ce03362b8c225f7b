"""The planner over HTTP and as MCP tools: /plan, /track and /propose_marks. Names, arguments and results are kept
stable."""

# No "from __future__ import annotations" here: gr.api reads the result's type itself, not its name. The result of a
# generator is what it yields last; what it yields before tells of progress, and between two of them it can be stopped.

import tempfile
from pathlib import Path
from typing import TypedDict

import gradio as gr

from apps.robot_planner.actions import choose_statistics
from apps.robot_planner.agent import RobotPlanner
from apps.robot_planner.film import film, side_of
from apps.robot_planner.observation import read_observation
from apps.robot_planner.step import MarkRecord, Options, StepRecord, mark_records
from apps.robot_planner.truth import follow
from core import page
from core.errors import UserError
from core.generators import passing_on
from core.geometry import Point
from core.video import write_video


class PlanRecord(TypedDict):
    """``step`` as the page's JSON gives it; ``film_url`` is the path of the MP4 on this server, None without a plan.
    Before the end ``progress`` says what is being done and ``step`` is None."""

    progress: str
    step: StepRecord | None
    film_url: str | None


class TrackRecord(TypedDict):
    """A mark through a video: pixels of the picture, the camera's motion removed, one position for each of ``frames``
    (counts at ``frames_per_second`` from the frame that was started from) until it is ``seen`` last; what is not seen
    is a guess."""

    mark: int
    moves: bool
    frames: list[int]
    pixels: list[list[float]]
    seen: list[bool]


class TracksRecord(TypedDict):
    """``lost`` are marks of which nothing is known. Before the end ``progress`` says what is being done."""

    progress: str
    size: list[int]
    frames_per_second: float
    tracks: list[TrackRecord]
    lost: list[int]


class MarksRecord(TypedDict):
    size: list[int]
    marks: list[MarkRecord]


def add_api(agent: RobotPlanner, queue: str) -> None:
    """Add the endpoints to the page under construction; ``queue`` is the concurrency group of its model calls."""

    @page.toasts
    def plan(
        file: gr.FileData,
        task: str,
        marks: list[MarkRecord] | None = None,
        count: int = 8,
        steps: int = 16,
        speed: float | None = None,
        frame: int | None = None,
        seconds: float | None = None,
        planner: str = "auto",
        action: bool = False,
        statistics: gr.FileData | None = None,
        dataset: str | None = None,
        film_too: bool = True,
    ) -> PlanRecord:
        """Predict where the marks of a picture or a video's frame move while a robot does a task.

        Args:
            file: A picture (PNG, JPEG, WebP) or a video (MP4, WebM, MOV).
            task: What the robot does, such as "push the red block to the left edge of the table".
            marks: Points to plan for, each {"mark": number, "x": pixels, "y": pixels}. Proposed if left out.
            count: How many marks are proposed.
            steps: How many future positions are predicted.
            speed: The mean step on the 256 x 256 grid.
            frame: The video's frame to plan from, counted from 0.
            seconds: How much of the video the steps cover.
            planner: auto, model or model-free.
            action: Also predict the 7-DoF robot action, where the checkpoint can.
            statistics: The model's dataset_statistics.json, which gives the action its units.
            dataset: The data set whose statistics count, such as bridge_orig.
            film_too: Also make the film.
        """
        observation = read_observation(page.uploaded(file), frame, seconds)
        name, chosen = choose_statistics(page.uploaded(statistics), dataset) if statistics else (None, None)
        options = Options(steps, speed, planner, count, action=action, dataset=name, statistics=chosen)

        def report(stage: str) -> PlanRecord:
            return PlanRecord(progress=stage, step=None, film_url=None)

        step = yield from passing_on(agent.plan(observation, task, _marks(marks), options), report)
        url = None
        if film_too and step.paths:
            with tempfile.TemporaryDirectory() as folder:
                clip = Path(folder) / "plan.mp4"
                writing = write_video(clip, film(step, observation, side_of(clip.name)), observation.frames_per_second)
                yield from passing_on(writing, lambda count: report(f"writing the film: frame {count}"))
                url = f"/gradio_api/file={page.served(clip.name, clip.read_bytes())}"
        yield PlanRecord(progress="", step=step.record(), film_url=url)

    @page.toasts
    def track(
        file: gr.FileData,
        marks: list[MarkRecord] | None = None,
        count: int = 8,
        frame: int | None = None,
        seconds: float | None = None,
        steps: int = 16,
    ) -> TracksRecord:
        """Follow marks through a video, the camera's motion removed.

        Args:
            file: A video (MP4, WebM, MOV).
            marks: Points on the frame started from, each {"mark": number, "x": pixels, "y": pixels}. Proposed if left
                out.
            count: How many marks are proposed.
            frame: The frame to start from, counted from 0.
            seconds: How long to follow them; all that is left, at most 4, if left out.
            steps: How many positions to give, evenly in time.
        """
        observation = read_observation(page.uploaded(file), frame, seconds)
        if not observation.following:
            raise UserError("There is nothing to follow the marks through: send a video, and an earlier frame of it.")
        options = Options(steps=steps, count=count)
        chosen = agent.propose(observation, options.count) if marks is None else _marks(marks)
        rate, size = observation.frames_per_second, list(observation.image.size)

        def report(count: int) -> TracksRecord:
            progress = f"following the marks: frame {count}"
            return TracksRecord(progress=progress, size=size, frames_per_second=rate, tracks=[], lost=[])

        truth = yield from passing_on(follow(observation, chosen, options.steps), report)
        yield TracksRecord(
            progress="",
            size=size,
            frames_per_second=rate,
            tracks=[
                TrackRecord(
                    mark=mark,
                    moves=mark in truth.moving,
                    frames=[observation.frame_of(step, options.steps) for step in range(len(path))],
                    pixels=[[round(float(x), 1), round(float(y), 1)] for x, y in path],
                    seen=truth.seen[mark].tolist(),
                )
                for mark, path in truth.paths.items()
            ],
            lost=list(truth.lost),
        )

    @page.toasts
    def propose_marks(file: gr.FileData, count: int = 8, frame: int | None = None, seed: int = 0) -> MarksRecord:
        """Choose points worth planning for: what moves in a video, what stands out in a picture.

        Args:
            file: A picture (PNG, JPEG, WebP) or a video (MP4, WebM, MOV).
            count: How many marks.
            frame: The video's frame to mark, counted from 0.
            seed: Another number gives other marks.
        """
        observation = read_observation(page.uploaded(file), frame)
        marks = agent.propose(observation, count, seed)
        return MarksRecord(size=list(observation.image.size), marks=mark_records(marks))

    for endpoint in (plan, track, propose_marks):
        gr.api(endpoint, api_name=endpoint.__name__, concurrency_id=queue, concurrency_limit=1)


def _marks(given: list[MarkRecord] | None) -> dict[int, Point] | None:
    """The marks of a request; what they are named and where is checked by the planner."""
    if given is None:
        return None
    wanted = 'Marks are a list of {"mark": number, "x": pixels, "y": pixels}, each number once.'
    try:
        marks = {int(mark["mark"]): Point(float(mark["x"]), float(mark["y"])) for mark in given}
    except (TypeError, KeyError, ValueError, OverflowError) as error:
        raise UserError(wanted) from error
    if len(marks) < len(given):
        raise UserError(wanted)
    return marks
