"""The UI agent: a screenshot and an instruction in, the element and the click point out."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Literal, TypedDict

from PIL import Image

from core.engine import Engine
from core.errors import UserError
from core.generators import StageClock, passing_on, so_far
from core.geometry import Point, Size, from_unit, to_unit
from core.marks import draw_marks
from core.screen import Element, ParseOptions, Parser, Screen, sentences
from core.screen.grounding import Candidate, ground
from core.screen.loading import load_parser
from core.screen.quoting import quote
from core.skills import Click, Refusal, answer_prompt, click_prompt, parse_answer, parse_click

Kind = Literal["parse", "answer", "click"]

WITHOUT_MODEL = "grounding without a model"
MAX_INSTRUCTION = 1000
"""Characters. The sentence encoder reads 256 word pieces, about this much: more would be cut off silently."""

CACHED_SCREENS = 8


class CandidateRecord(TypedDict):
    """``confidence`` is None for the choice of a model, which gives none."""

    mark: int
    point: list[float]
    confidence: float | None
    why: str


class ElementRecord(TypedDict):
    mark: int
    kind: str
    text: str
    icon: str | None
    clickable: bool
    box: list[float]
    confidence: float


class StepRecord(TypedDict):
    """A step as JSON. Points and boxes are in pixels of the screenshot, ``point_unit`` in 0..1 of its sides."""

    kind: str
    instruction: str
    size: list[int]
    point: list[float] | None
    point_unit: list[float] | None
    mark: int | None
    sure: bool
    reason: str
    answer: str | None
    top: list[CandidateRecord]
    prompt: str
    reply: str
    model: str
    parser: str | None
    seconds: dict[str, float]
    elements: list[ElementRecord]


@dataclass(frozen=True)
class Step:
    """One step: what was seen, what the model was asked and said, what follows from it, and how long it took.

    ``size`` is the screenshot's, in pixels. ``point`` is the click in its pixels, ``mark`` the element it falls on,
    ``top`` the best five. ``sure`` is False and ``reason`` a sentence where the result is doubtful or there is none.
    ``prompt`` and ``reply`` are what went into the model and came out of it, empty where none was asked. ``seconds``
    maps the stages, in order, to their time.
    """

    kind: Kind
    instruction: str
    size: Size
    model: str
    screen: Screen | None = None
    point: Point | None = None
    mark: int | None = None
    top: tuple[Candidate, ...] = ()
    sure: bool = True
    reason: str = ""
    answer: str | None = None
    prompt: str = ""
    reply: str = ""
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def element(self) -> Element | None:
        """The element that is clicked."""
        return self.screen.element(self.mark) if self.screen and self.mark is not None else None

    def record(self) -> StepRecord:
        unit = to_unit(self.point, self.size) if self.point else None
        return StepRecord(
            kind=self.kind,
            instruction=self.instruction,
            size=list(self.size),
            point=_pair(self.point, 1) if self.point else None,
            point_unit=_pair(unit, 5) if unit else None,
            mark=self.mark,
            sure=self.sure,
            reason=self.reason,
            answer=self.answer,
            top=[candidate_record(candidate) for candidate in self.top],
            prompt=self.prompt,
            reply=self.reply,
            model=self.model,
            parser=self.screen.parser if self.screen else None,
            seconds={stage: round(seconds, 3) for stage, seconds in self.seconds.items()},
            elements=[element_record(element) for element in self.screen.elements] if self.screen else [],
        )


def candidate_record(candidate: Candidate) -> CandidateRecord:
    return CandidateRecord(
        mark=candidate.element_id,
        point=_pair(candidate.point, 1),
        confidence=None if candidate.confidence is None else round(candidate.confidence, 4),
        why=candidate.why,
    )


def element_record(element: Element) -> ElementRecord:
    box = element.box
    return ElementRecord(
        mark=element.id,
        kind=element.kind,
        text=element.text,
        icon=element.icons[0].name if element.icons else None,
        clickable=element.clickable,
        box=[round(value, 1) for value in (box.x1, box.y1, box.x2, box.y2)],
        confidence=round(element.confidence, 4),
    )


def _pair(point: Point, digits: int) -> list[float]:
    return [round(point.x, digits), round(point.y, digits)]


class UIAgent:
    """Parses screenshots, answers questions about them and finds what to click.

    Where the engine lacks a skill, or there is none, the click is grounded without a model and questions are answered
    by quoting. Parsed screens are kept, so that a further instruction on the same screenshot does not parse it again.
    Several threads may call one agent; models are loaded at the first call, once.
    """

    def __init__(self, model: str = "auto", parser: str = "auto") -> None:
        self._requested = (model, parser)
        self._loading = threading.Lock()
        self._loaded: tuple[Engine | None, Parser] | None = None
        self._screens: OrderedDict[tuple[bytes, ParseOptions], Screen] = OrderedDict()
        self._screens_lock = threading.Lock()
        self.notes: tuple[str, ...] = ()
        """Which model and parser were taken and why, once they are loaded."""

    def load(self) -> tuple[Engine | None, Parser]:
        """The engine, None where there is no model, and the parser. Raises UserError where one cannot be had."""
        with self._loading:
            if self._loaded is None:
                model, parser_name = self._requested
                engine, engine_note = _load_engine(model)
                parser, parser_note = load_parser(parser_name)
                self.notes = (engine_note, parser_note)
                self._loaded = engine, parser
            return self._loaded

    def warm_up(self) -> tuple[str, ...]:
        """Load everything that a first step would wait for; gives the notes."""
        self.load()
        sentences.warm_up()
        return self.notes

    def act(
        self, screenshot: Image.Image, instruction: str = "", options: ParseOptions = ParseOptions()
    ) -> Generator[str, None, Step]:
        """One step, as a generator that yields the name of each stage as it begins and returns the Step. While a model
        speaks, its words so far follow the stage's name and a colon.

        An empty instruction only parses; one that starts with "Q:" is a question about the screen; all else is a click.
        ``screenshot`` is RGB. Raises UserError for an instruction that cannot be read.
        """
        if not isinstance(instruction, str):
            raise UserError("The instruction must be a text.")
        instruction = instruction.strip()
        if len(instruction) > MAX_INSTRUCTION:
            raise UserError(
                f"The instruction is {len(instruction):,} characters long; at most {MAX_INSTRUCTION:,} are read. "
                "Say in a sentence what to click."
            )
        clock = StageClock()
        if self._loaded is None:
            yield clock.begin("loading models")
        engine, parser = self.load()
        if instruction[:2].lower() == "q:":
            question = instruction[2:].strip()
            if not question:
                raise UserError('Ask something after "Q:", for example "Q: What is the total?".')
            if engine is not None and "answer" in engine.skills:
                return (yield from self._answer(engine, screenshot, instruction, question, clock))
            screen = yield from self._parse(parser, screenshot, options, clock)
            return (yield from self._quote(screen, screenshot, instruction, question, clock))
        screen = yield from self._parse(parser, screenshot, options, clock)
        if not instruction:
            reason = "" if screen.elements else "Nothing on this picture looks like text or a control."
            return Step("parse", "", screenshot.size, WITHOUT_MODEL, screen, reason=reason, seconds=clock.stop())
        if not screen.elements:
            return Step(
                "click",
                instruction,
                screenshot.size,
                engine.name if engine else WITHOUT_MODEL,
                screen,
                sure=False,
                reason="Nothing on this picture looks like text or a control, so there is nothing to click.",
                seconds=clock.stop(),
            )
        if engine is not None and "click" in engine.skills:
            return (yield from self._click(engine, screen, screenshot, instruction, clock))
        return (yield from self._ground(screen, screenshot, instruction, clock))

    def _parse(
        self, parser: Parser, screenshot: Image.Image, options: ParseOptions, clock: StageClock
    ) -> Generator[str, None, Screen]:
        pixels = hashlib.blake2b(screenshot.tobytes(), digest_size=16, key=repr(screenshot.size).encode()).digest()
        key = pixels, options
        with self._screens_lock:
            screen = self._screens.get(key)
            if screen is not None:
                self._screens.move_to_end(key)
        if screen is None:
            screen = yield from passing_on(parser.parse(screenshot, options), clock.begin)
            with self._screens_lock:
                self._screens[key] = screen
                while len(self._screens) > CACHED_SCREENS:
                    self._screens.popitem(last=False)
        return screen

    def _ground(
        self, screen: Screen, screenshot: Image.Image, instruction: str, clock: StageClock
    ) -> Generator[str, None, Step]:
        yield clock.begin("grounding")
        grounding = ground(screen, instruction)
        best = grounding.candidates[0] if grounding.candidates else None
        return Step(
            "click",
            instruction,
            screenshot.size,
            WITHOUT_MODEL,
            screen,
            point=best.point if best else None,
            mark=best.element_id if best else None,
            top=grounding.candidates[:5],
            sure=grounding.sure,
            reason=grounding.reason,
            seconds=clock.stop(),
        )

    def _quote(
        self, screen: Screen, screenshot: Image.Image, instruction: str, question: str, clock: StageClock
    ) -> Generator[str, None, Step]:
        yield clock.begin("finding lines to quote")
        quotes = quote(screen, question)
        return Step(
            "answer",
            instruction,
            screenshot.size,
            WITHOUT_MODEL,
            screen,
            top=quotes.candidates[:5],
            sure=not quotes.reason,
            reason=quotes.reason,
            answer=quotes.text or None,
            seconds=clock.stop(),
        )

    def _answer(
        self, engine: Engine, screenshot: Image.Image, instruction: str, question: str, clock: StageClock
    ) -> Generator[str, None, Step]:
        yield clock.begin("answering")
        conversation = answer_prompt(screenshot, question)
        reply = yield from passing_on(engine.stream(conversation), so_far("answering"))
        answer = parse_answer(reply.text)
        refused = isinstance(answer, Refusal)
        return Step(
            "answer",
            instruction,
            screenshot.size,
            engine.name,
            sure=not refused,
            reason=answer.reason if refused else "",
            answer=None if refused else answer.text,
            prompt=conversation.text,
            reply=reply.text,
            seconds=clock.stop(),
        )

    def _click(
        self, engine: Engine, screen: Screen, screenshot: Image.Image, instruction: str, clock: StageClock
    ) -> Generator[str, None, Step]:
        yield clock.begin("drawing marks")
        boxes = {element.id: element.box for element in screen.elements}
        conversation = click_prompt(draw_marks(screenshot, boxes), instruction)
        yield clock.begin("choosing a mark")
        reply = yield from passing_on(engine.stream(conversation), so_far("choosing a mark"))
        click = parse_click(reply.text, boxes)
        yield clock.begin("ranking the others")
        others = ground(screen, instruction).candidates
        if isinstance(click, Refusal):
            point, mark, reason = None, None, f"The reply cannot be used: {click.reason}."
        else:
            point, mark, reason = resolve_click(click, screen, screenshot.size)
        chosen = () if mark is None or point is None else (Candidate(mark, point, None, "the model's choice"),)
        rest = tuple(candidate for candidate in others if candidate.element_id != mark)
        return Step(
            "click",
            instruction,
            screenshot.size,
            engine.name,
            screen,
            point=point,
            mark=mark,
            top=(chosen + rest)[:5],
            sure=not reason,
            reason=reason,
            prompt=conversation.text,
            reply=reply.text,
            seconds=clock.stop(),
        )


def resolve_click(click: Click, screen: Screen, size: Size) -> tuple[Point, int | None, str]:
    """The click point in pixels, the mark it falls on, and what is doubtful about them.

    The mark decides where the model named one: coordinates inside its box are kept, others give way to its centre.
    """
    point = from_unit(click.point, size).clamp(size) if click.point else None
    element = screen.element(click.mark) if click.mark is not None else None
    if element is None:
        assert point is not None, "a Click has a point or a mark on the screen"
        under = screen.at(point)
        return point, under.id if under else None, ""
    if point is None or element.box.contains(point):
        return point or element.box.center.clamp(size), element.id, ""
    reason = f"The reply's coordinates lie outside mark {element.id}; the mark's centre is clicked."
    return element.box.center.clamp(size), element.id, reason


def _load_engine(model: str) -> tuple[Engine | None, str]:
    if model == "embedded":
        return None, f"Model: none, as asked; clicks come from {WITHOUT_MODEL}."
    try:
        engine = Engine.load(model, skill="click")
    except UserError as error:
        if model != "auto":
            raise
        return None, f"Model: none ({error}) Clicks come from {WITHOUT_MODEL}."
    if "click" not in engine.skills:
        return (
            engine,
            f"Model: {engine.name}; it has no click skill, so clicks come from {WITHOUT_MODEL}. {engine.note}",
        )
    return engine, f"Model: {engine.name}. {engine.note}"
