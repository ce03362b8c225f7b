"""The robot planner: a picture, a moment of a video or a simulated scene and a task in; where the marks go out."""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping
from dataclasses import replace

import numpy as np
from PIL import Image

from apps.robot_planner import model_free
from apps.robot_planner.actions import action_record
from apps.robot_planner.objects import look
from apps.robot_planner.observation import Observation
from apps.robot_planner.step import DEFAULT_MARKS, DEFAULT_SPEED, MAX_MARKS, Options, PlannerName, Step, in_range
from apps.robot_planner.truth import compare, follow
from core.engine import Engine
from core.errors import UserError
from core.generators import StageClock, passing_on, so_far
from core.geometry import GRID, Point, Size, from_grid, to_grid
from core.marks import draw_points
from core.selection import MINI
from core.skills import Refusal, Traces, parse_robot_action, parse_traces, robot_action_prompt, trace_prompt
from core.traces import propose_marks

MAX_TASK = 500
"""Characters."""
TRAINED_ON = "The small checkpoint was trained on simulated tabletops only; on real pictures it is out of its depth."
PROPOSING_FRAMES = 17
"""Of those that follow: where marks are proposed by what moves."""


class RobotPlanner:
    """Proposes marks and plans where they go.

    Where the engine lacks the trace skill, or there is none, or the small checkpoint would be asked about a real
    picture, the model-free planner speaks; ``notes`` and every Step say so. Several threads may call one planner; the
    model is loaded at the first call that needs it, once.
    """

    def __init__(self, model: str = "auto") -> None:
        self._requested = model
        self._loading = threading.Lock()
        self._loaded: tuple[Engine | None] | None = None
        self.notes: tuple[str, ...] = ()
        """Which model was taken and why, once it is loaded."""

    def load(self) -> Engine | None:
        """The engine, None where there is no model. Raises UserError where the one asked for cannot be had."""
        with self._loading:
            if self._loaded is None:
                engine, note = _load_engine(self._requested)
                self.notes = (note,)
                self._loaded = (engine,)
            return self._loaded[0]

    def warm_up(self) -> tuple[str, ...]:
        """Load everything that a first plan would wait for; gives the notes."""
        self.load()
        return self.notes

    def propose(self, observation: Observation, count: int = DEFAULT_MARKS, seed: int = 0) -> dict[int, Point]:
        """Marks on what moves, where later frames are given, and on things that stand out; a simulated scene brings
        its own."""
        in_range("The number of marks", count, 1, MAX_MARKS)
        if observation.scene is not None:
            return observation.scene.marks
        frames = observation.frames()
        chosen = [frames[round(i)] for i in np.linspace(0, len(frames) - 1, min(len(frames), PROPOSING_FRAMES))]
        height, width = frames[0].shape[:2]
        factor = observation.image.width / width, observation.image.height / height
        marks = propose_marks(chosen, count, seed)
        marks = {mark: Point(point.x * factor[0], point.y * factor[1]) for mark, point in marks.items()}
        return marks if observation.following else _on_things(observation.image, marks)

    def plan(
        self,
        observation: Observation,
        task: str,
        marks: Mapping[int, Point] | None = None,
        options: Options = Options(),
    ) -> Generator[str, None, Step]:
        """One plan, as a generator that yields the name of each stage as it begins and returns the Step. While a model
        speaks, its words so far follow the stage's name and a colon.

        ``marks`` are in pixels of the picture; None proposes them. Raises UserError for a task or marks that cannot be
        used, and where a planner is asked for that is not there.
        """
        task = _clean(task)
        clock = StageClock()
        if self._loaded is None and (options.planner != "model-free" or options.action):
            yield clock.begin("loading the model")
        engine = None if options.planner == "model-free" and not options.action else self.load()
        if marks is None:
            yield clock.begin("proposing marks")
            marks = self.propose(observation, options.count, options.seed)
        marks = _on_picture(marks, observation.image.size)
        asks_model, why = _who_speaks(engine, observation, options.planner)
        if asks_model:
            assert engine is not None
            step = yield from self._ask(engine, observation, task, marks, options, clock)
        else:
            yield clock.begin("looking for what the task names")
            step = _model_free(observation, task, marks, options)
        step = replace(step, notes=(*((why,) if why else ()), *step.notes))
        if options.action:
            step = yield from self._act(engine, observation, step, clock)
        if observation.following:
            truth = yield from passing_on(
                follow(observation, step.marks, options.steps),
                lambda count: clock.begin("following the marks") + f": frame {count}",
            )
            compared = (
                compare(step.paths, step.marks, truth, step.size, options.steps) if truth and step.paths else None
            )
            step = replace(step, truth=truth, comparison=compared)
        return replace(step, seconds=clock.stop())

    def _ask(
        self,
        engine: Engine,
        observation: Observation,
        task: str,
        marks: Mapping[int, Point],
        options: Options,
        clock: StageClock,
    ) -> Generator[str, None, Step]:
        """The model's plan."""
        seen = marked_frame(observation.image, marks)
        speed = round(options.speed or DEFAULT_SPEED)
        conversation = trace_prompt(seen, task, sorted(marks), speed, options.steps)
        yield clock.begin("planning")
        reply = yield from passing_on(engine.stream(conversation), so_far("planning"))
        traces = parse_traces(reply.text, marks)
        step = _step(observation, task, marks, options, engine.name, seen)
        step = replace(step, prompt=conversation.text, reply=reply.text)
        if isinstance(traces, Refusal):
            cut = len(reply.token_ids) >= conversation.max_new_tokens
            end = f"; it was cut off after {conversation.max_new_tokens} tokens" if cut else ""
            return replace(step, sure=False, reason=f"The reply cannot be used: {traces.reason}{end}.")
        paths = to_paths(traces, marks, observation.image.size, options.steps)
        return replace(step, paths=paths, notes=_model_notes(traces, marks, observation, engine.name, options.steps))

    def _act(
        self, engine: Engine | None, observation: Observation, step: Step, clock: StageClock
    ) -> Generator[str, None, Step]:
        """The 7-DoF action for the frame, without marks."""
        if engine is None or "robot_action" not in engine.skills:
            name = engine.name if engine else "no model"
            return replace(
                step, action_reason=f"A 7-DoF action needs a checkpoint that has the skill; there is {name}."
            )
        yield clock.begin("choosing the action")
        reply = yield from passing_on(
            engine.stream(robot_action_prompt(observation.image, step.task)), lambda piece: "choosing the action"
        )
        action = parse_robot_action(reply.token_ids, engine.base_vocabulary)
        if isinstance(action, Refusal):
            return replace(step, action_reason=f"The action cannot be used: {action.reason}.")
        return replace(step, action=action_record(action, step.options.statistics, step.options.dataset))


def _on_things(image: Image.Image, marks: Mapping[int, Point]) -> dict[int, Point]:
    """Marks moved to the things that are seen on a picture, the largest first, and to a gripper; the others stay."""
    seen = look(image)
    wanted = [thing.centre for thing in sorted(seen.things, key=lambda thing: -thing.area)]
    wanted = ([seen.gripper] if seen.gripper else []) + wanted
    free = dict(marks)
    moved = {}
    for point in wanted[: len(marks)]:
        nearest = min(free, key=lambda mark: point.distance(free[mark]))
        del free[nearest]
        moved[nearest] = point
    return dict(sorted((moved | free).items()))


def marked_frame(image: Image.Image, marks: Mapping[int, Point]) -> Image.Image:
    """The picture as a model sees it: on the 256 x 256 grid, the marks drawn after scaling so that they are legible."""
    scale = GRID / image.width, GRID / image.height
    points = {mark: Point(point.x * scale[0], point.y * scale[1]) for mark, point in marks.items()}
    return draw_points(image.resize((GRID, GRID)), points)


def to_paths(traces: Traces, marks: Mapping[int, Point], size: Size, steps: int) -> dict[int, tuple[Point, ...]]:
    """The traces in pixels of the picture: from where each mark is, through the cells named, at most ``steps`` of
    them."""
    return {
        trace.mark: (marks[trace.mark], *(from_grid(x, y, size) for x, y in trace.future[:steps]))
        for trace in sorted(traces.traces, key=lambda trace: trace.mark)
    }


def _model_notes(
    traces: Traces, marks: Mapping[int, Point], observation: Observation, name: str, steps: int
) -> tuple[str, ...]:
    notes = [TRAINED_ON] if name == MINI.name and observation.scene is None else []
    for trace in traces.traces:
        x, y = to_grid(marks[trace.mark], observation.image.size)
        if (away := np.hypot(trace.start[0] - x, trace.start[1] - y)) > 16:
            notes.append(f"It takes mark {trace.mark} to be {away:.0f} cells from where it is.")
    if any(len(trace.future) > steps for trace in traces.traces):
        notes.append(f"Steps after the {steps} asked for are left out.")
    return tuple(notes)


def _model_free(observation: Observation, task: str, marks: Mapping[int, Point], options: Options) -> Step:
    planned = model_free.plan(observation.image, task, marks, options.steps, options.speed)
    if isinstance(planned, Refusal):
        step = _step(observation, task, marks, options, model_free.NAME)
        return replace(step, sure=False, reason=f"There is no plan: {planned.reason}.")
    step = _step(observation, task, planned.marks, options, model_free.NAME)
    return replace(
        step,
        paths=planned.paths,
        confidence=planned.confidence,
        sure=planned.confidence >= model_free.SURE,
        notes=planned.notes,
    )


def _step(
    observation: Observation,
    task: str,
    marks: Mapping[int, Point],
    options: Options,
    planner: str,
    seen: Image.Image | None = None,
) -> Step:
    return Step(
        task=task,
        source=observation.kind,
        size=observation.image.size,
        planner=planner,
        marks=dict(marks),
        options=options,
        seen=seen or draw_points(observation.image, marks),
        frames_per_second=observation.frames_per_second,
        frames_at=tuple(observation.frame_of(step, options.steps) for step in range(options.steps + 1)),
    )


def _who_speaks(engine: Engine | None, observation: Observation, asked: PlannerName) -> tuple[bool, str]:
    """Whether the model is asked, and why it is not."""
    if asked == "model-free":
        return False, ""
    if engine is None or "trace" not in engine.skills:
        lack = "There is no model here" if engine is None else f"{engine.name} has not learnt to predict traces"
        if asked == "model":
            raise UserError(f"{lack}: choose the planner auto or model-free, or another checkpoint with --model.")
        return False, f"{lack}, so the model-free planner speaks."
    if asked == "auto" and engine.name == MINI.name and observation.scene is None:
        return False, f"{engine.name} knows simulated tabletops only, so the model-free planner speaks."
    return True, ""


def _clean(task: str) -> str:
    if not isinstance(task, str) or not task.strip():
        raise UserError('Say what the robot should do, for example "push the red block to the left edge".')
    task = " ".join(task.split())
    if len(task) > MAX_TASK:
        raise UserError(
            f"The task is {len(task):,} characters long; at most {MAX_TASK} are read. Say it in a sentence."
        )
    return task.rstrip(".")


def _on_picture(marks: Mapping[int, Point], size: Size) -> dict[int, Point]:
    if not marks:
        raise UserError("There are no marks: let them be proposed, or add some by clicking the picture.")
    in_range("The number of marks", len(marks), 1, MAX_MARKS)
    for mark, point in marks.items():
        if not 1 <= mark <= 9999:
            raise UserError(f"Mark {mark}: numbers of marks go from 1 to 9999.")
        if not (0 <= point.x <= size[0] and 0 <= point.y <= size[1]):
            raise UserError(
                f"Mark {mark} at ({point.x:g}, {point.y:g}) is not on the picture of {size[0]} x {size[1]}."
            )
    return dict(sorted(marks.items()))


def _load_engine(model: str) -> tuple[Engine | None, str]:
    if model == "none":
        return None, f"Model: none, as asked; plans come from the {model_free.NAME}."
    try:
        engine = Engine.load(model, skill="trace")
    except UserError as error:
        if model != "auto":
            raise
        return None, f"Model: none ({error}) Plans come from the {model_free.NAME}."
    if "trace" not in engine.skills:
        return engine, f"Model: {engine.name}; it has no trace skill, so the {model_free.NAME} plans. {engine.note}"
    if engine.name == MINI.name:
        return engine, f"Model: {engine.name}. {engine.note} {TRAINED_ON}"
    return engine, f"Model: {engine.name}. {engine.note}"
