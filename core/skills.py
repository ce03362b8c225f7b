"""Every prompt that Magma was trained on, each beside the strict parser of its reply.

Pure functions in pairs: ``x_prompt(...) -> Conversation`` says what to ask, ``parse_x(reply, ...)`` gives the value or
a ``Refusal`` with the reason, never an exception, in time linear in the reply. ``format_x`` writes the reply that
training teaches, and parses back to the same value.

Replies are untrusted text. A parser accepts what is unmistakable and refuses the rest: a wrong click costs more than
none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from core import robot_actions
from core.conversation import Conversation
from core.geometry import GRID, Box, Point, from_thousand

Cell = tuple[int, int]
"""(x, y) on the 256 x 256 grid, 0..255; ``core.geometry.from_grid`` maps it to pixels."""

SKILLS = frozenset({"click", "answer", "move", "trace", "locate", "robot_action"})
"""What a checkpoint may declare that it was trained on."""


@dataclass(frozen=True)
class Refusal:
    """No value can be read from the reply; ``reason`` is a sentence for people."""

    reason: str


# ---- click: where on a screenshot with numbered marks ---------------------------------------------------------------


@dataclass(frozen=True)
class Click:
    """Where to click: ``point`` and ``box`` in the unit frame (map with ``from_unit``), ``mark`` the number drawn.

    At least one of point and mark is there. ``box`` is set where the model named a box; ``point`` is then its centre.
    """

    point: Point | None = None
    mark: int | None = None
    box: Box | None = None


def click_prompt(image: Image.Image, instruction: str) -> Conversation:
    """``image`` bears the marks."""
    text = (
        f'In this view I need to click a button to "{instruction}"? Provide the coordinates and the mark index of the '
        "containing bounding box if applicable."
    )
    return Conversation(text, (image,), max_new_tokens=64)


_MARK = re.compile(r"\bmarks?+(?:\s++index)?+\s*+:?\s*+#?([-+.]?\d[\w.,+-]*+)", re.IGNORECASE)
_TAGGED_BOX = re.compile(r"<box>([^<]*+)</box>", re.IGNORECASE)
_NUMBER = r"[-+]?(?:\.?\d|nan\b|inf\b|infinity\b)[\w.]*+"
# Numbers joined by commas. Possessive, and one number alone matches too, so that no character is scanned twice.
_NUMBERS = re.compile(rf"(?<![\w.+-]){_NUMBER}(?:\s*+,\s*+{_NUMBER})*+", re.IGNORECASE)
_WHOLE = re.compile(r"\d{1,6}+", re.ASCII)
_DECIMAL = re.compile(r"\d{1,4}+(?:\.\d{0,20}+)?|\.\d{1,20}+", re.ASCII)


def parse_click(reply: str, marks: Collection[int] | None = None) -> Click | Refusal:
    """``Coordinates: (x,y). Mark: 12.`` in either order or one of the two; the coordinates may also be a box of four
    numbers or ``<box>(x,y),(x,y)</box>``. ``marks`` are the numbers drawn on the picture, where known.

    Decimals up to 1 are shares of the picture's sides; whole numbers are thousandths of them, in ``<box>`` always.
    """
    named = {mark.rstrip(".,") for mark in _MARK.findall(reply)}
    if len(named) > 1:
        return Refusal("the reply names more than one mark")
    if not all(_WHOLE.fullmatch(mark) for mark in named):
        return Refusal("the mark is no plain number")
    mark = int(named.pop()) if named else None
    if mark is not None and marks is not None and mark not in marks:
        return Refusal(f"mark {mark} is not on the picture")

    unmarked = _MARK.sub(" ", reply)
    untagged = _TAGGED_BOX.sub(" ", unmarked)
    if any(map(str.isnumeric, _NUMBERS.sub(" ", untagged))):
        return Refusal("the reply holds numbers that are neither coordinates nor a mark")
    named_places = [(re.findall(r"[^\s,()\[\]]++", numbers), True) for numbers in _TAGGED_BOX.findall(unmarked)]
    named_places += [(numbers.split(","), False) for numbers in _NUMBERS.findall(untagged)]
    places: set[tuple[Point, Box | None]] = set()
    for numbers, tagged in named_places:
        place = _place(numbers, tagged)
        if isinstance(place, Refusal):
            return place
        places.add(place)
    if len(places) > 1:
        return Refusal("the reply names more than one place")
    if places:
        point, box = places.pop()
        return Click(point, mark, box)
    return Refusal("the reply names neither coordinates nor a mark") if mark is None else Click(mark=mark)


def format_click(click: Click) -> str:
    """Coordinates to three decimals of the unit frame."""
    parts = [f"Coordinates: ({click.point.x:.3f},{click.point.y:.3f})."] if click.point else []
    parts += [f"Mark: {click.mark}."] if click.mark is not None else []
    return " ".join(parts)


def _place(numbers: list[str], tagged: bool) -> tuple[Point, Box | None] | Refusal:
    """Two numbers are a point, four a box; in the unit frame."""
    if len(numbers) not in ((4,) if tagged else (2, 4)):
        return Refusal("the reply holds numbers that are neither coordinates nor a mark")
    numbers = [number.strip().rstrip(".") for number in numbers]
    if not all(_DECIMAL.fullmatch(number) for number in numbers):
        return Refusal("the coordinates are not plain numbers on the picture")
    values = [float(number) for number in numbers]
    whole = all("." not in number for number in numbers)
    if tagged and not whole:
        return Refusal("a <box> holds whole numbers 0..1000")
    if max(values) > (1000 if whole else 1):
        return Refusal("the coordinates lie off the picture")
    if whole and not tagged and max(values) == 1:
        return Refusal("it is unclear whether the coordinates are shares or thousandths of the picture")
    corners = list(zip(values[::2], values[1::2], strict=True))
    points = [from_thousand(x, y, (1, 1)) if whole else Point(x, y) for x, y in corners]
    if len(points) == 1:
        return points[0], None
    box = Box(points[0].x, points[0].y, points[1].x, points[1].y)
    if box.x1 > box.x2 or box.y1 > box.y2:
        return Refusal("the box's corners are the wrong way round")
    return box.center, box


# ---- answer: a question about a picture -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    text: str


def answer_prompt(image: Image.Image, question: str) -> Conversation:
    """``image`` bears no marks."""
    return Conversation(f"{question} Answer the question briefly.", (image,), max_new_tokens=128)


def parse_answer(reply: str) -> Answer | Refusal:
    text = reply.strip()
    return Answer(text) if text else Refusal("the model gave no answer")


# ---- move: one step of the game -------------------------------------------------------------------------------------

Direction = Literal["up", "down", "left", "right"]

DIRECTIONS: dict[int, Direction] = {1: "up", 2: "down", 3: "left", 4: "right"}
"""The marks around the player, where they are not permuted."""


@dataclass(frozen=True)
class Move:
    direction: Direction


def move_prompt(image: Image.Image, target: str = "green block") -> Conversation:
    """``image`` bears the marks 1..4 around the player."""
    return Conversation(f"Which mark is closer to {target}? Answer with a single number.", (image,), max_new_tokens=8)


def parse_move(reply: str, marks: Mapping[int, Direction] = DIRECTIONS) -> Move | Refusal:
    """Exactly one number in the reply, that of a mark; punctuation and words around it do no harm. ``marks`` says which
    way each mark is."""
    numbers = [word.strip(".,:;!?\"'()[]*") for word in reply.split() if any(map(str.isnumeric, word))]
    if len(numbers) != 1:
        return Refusal("the reply holds no number" if not numbers else "the reply holds more than one number")
    direction = {str(mark): direction for mark, direction in marks.items()}.get(numbers[0])
    if direction is None:
        return Refusal(f"the reply's number is none of the marks {', '.join(map(str, sorted(marks)))}")
    return Move(direction)


def format_move(move: Move, marks: Mapping[int, Direction] = DIRECTIONS) -> str:
    return next(str(mark) for mark, direction in marks.items() if direction == move.direction)


# ---- trace: which marks move and where ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trace:
    """A mark's way on the 256 grid: where it is now, and its next positions (at least one)."""

    mark: int
    start: Cell
    future: tuple[Cell, ...]


@dataclass(frozen=True)
class Traces:
    """One trace for each mark that moves (at least one), no mark twice."""

    traces: tuple[Trace, ...]


def trace_prompt(
    image: Image.Image, task: str, marks: Sequence[int], speed: int, steps: int, training: bool = False
) -> Conversation:
    """``image`` bears the marks. ``speed`` is the mean step length on the 256 grid. The demo's wording differs from the
    training data's by a colon and a word."""
    labelled = "and labeled with numeric marks:" if training else "and is labeled with numeric marks"
    split = f"{GRID}x{GRID} grids, " if training else f"{GRID}x{GRID} grids "
    text = (
        f"The image is split into {split}{labelled} {list(marks)}.\n"
        f"The robot is doing: {task}. To finish the task, how to move the numerical marks in the image with speed "
        f"{speed} for the next {steps} steps?\n"
    )
    return Conversation(text, (image.resize((GRID, GRID)),), max_new_tokens=1024)


_ANNOUNCEMENT = "should be moved, and their future positions are:"
_CELL = r"\[\s*+\d{1,3}+\s*+,\s*+\d{1,3}+\s*+\]"
_MARK_AT = re.compile(rf"\s*+Mark (\d{{1,4}}+) at ({_CELL})\s*+", re.ASCII)
_PATH_LINE = re.compile(rf'\s*+"Mark (\d{{1,4}}+)"\s*+:\s*+"\[\s*+({_CELL}(?:\s*+,\s*+{_CELL})*+)\s*+\]"\s*+', re.ASCII)
_PAIR = re.compile(r"(\d{1,3}+)\s*+,\s*+(\d{1,3}+)", re.ASCII)


def parse_traces(reply: str, marks: Collection[int]) -> Traces | Refusal:
    """``marks`` are the numbers asked about."""
    head, announced, body = reply.partition(_ANNOUNCEMENT)
    if not announced:
        return Refusal("the reply does not say which marks should be moved")
    starts = _marks_at(head, r",\s*+(?=Mark)")
    if isinstance(starts, Refusal):
        return starts
    paths: dict[int, tuple[Cell, ...]] = {}
    for line in filter(str.strip, body.splitlines()):
        match = _PATH_LINE.fullmatch(line)
        if not match:
            return Refusal(f"no path of [x,y] positions in the line {_excerpt(line)}")
        mark = int(match[1])
        if mark in paths:
            return Refusal(f"mark {mark} has two paths")
        paths[mark] = _cells(match[2])
    if starts.keys() != paths.keys():
        return Refusal("the marks that should be moved and the marks with a path differ")
    if strangers := sorted(paths.keys() - set(marks)):
        return Refusal(f"mark {strangers[0]} was not asked about")
    traces = tuple(Trace(mark, start, paths[mark]) for mark, start in starts.items())
    if any(max(cell) >= GRID for trace in traces for cell in (trace.start, *trace.future)):
        return Refusal(f"a position lies off the {GRID} x {GRID} grid")
    return Traces(traces)


def format_traces(traces: Traces) -> str:
    head = ", ".join(f"Mark {trace.mark} at {_cell_text(trace.start)}" for trace in traces.traces)
    paths = "".join(
        f'"Mark {trace.mark}": "[{",".join(map(_cell_text, trace.future))}]"\n\n' for trace in traces.traces
    )
    return f"{head} {_ANNOUNCEMENT}\n\n{paths}"


# ---- locate marks: where every mark stands --------------------------------------------------------------------------


@dataclass(frozen=True)
class Marks:
    """The cell of every mark on the 256 grid, at least one."""

    cells: dict[int, Cell]


def locate_prompt(image: Image.Image) -> Conversation:
    return Conversation("Please locate all the numerical marks in the image.", (image,), max_new_tokens=512)


def parse_marks(reply: str) -> Marks | Refusal:
    cells = _marks_at(reply.strip().removesuffix("."), r"\.\s*+(?=Mark)")
    if isinstance(cells, Refusal):
        return cells
    if any(max(cell) >= GRID for cell in cells.values()):
        return Refusal(f"a position lies off the {GRID} x {GRID} grid")
    return Marks(cells)


def format_marks(marks: Marks) -> str:
    return ". ".join(f"Mark {mark} at {_cell_text(cell)}" for mark, cell in marks.cells.items())


def _marks_at(text: str, separator: str) -> dict[int, Cell] | Refusal:
    """``Mark 3 at [x,y]`` and so on."""
    cells: dict[int, Cell] = {}
    for part in re.split(separator, text):
        match = _MARK_AT.fullmatch(part)
        if not match:
            return Refusal(f"no mark with its position in {_excerpt(part)}")
        if int(match[1]) in cells:
            return Refusal(f"mark {int(match[1])} stands in two places")
        cells[int(match[1])] = _cells(match[2])[0]
    return cells


def _cells(text: str) -> tuple[Cell, ...]:
    return tuple((int(x), int(y)) for x, y in _PAIR.findall(text))


def _cell_text(cell: Cell) -> str:
    return f"[{cell[0]},{cell[1]}]"


def _excerpt(text: str) -> str:
    """A model's words inside a reason: short and on one line."""
    return repr(text.strip()[:40])


# ---- robot action: seven tokens, which are no text ------------------------------------------------------------------


def robot_action_prompt(image: Image.Image, task: str) -> Conversation:
    """The one skill whose reply may hold action tokens: seven, then the end of the turn."""
    return Conversation(f"What action should the robot take to {task}?", (image,), max_new_tokens=8, actions=True)


def parse_robot_action(
    token_ids: Sequence[int], base_vocabulary: int = robot_actions.BASE_VOCABULARY
) -> robot_actions.RobotAction | Refusal:
    """``token_ids`` is the whole reply, without its end-of-turn token: seven action tokens and nothing else."""
    if len(token_ids) != robot_actions.DEGREES_OF_FREEDOM:
        return Refusal(f"the reply has {len(token_ids)} tokens where an action has {robot_actions.DEGREES_OF_FREEDOM}")
    allowed = robot_actions.action_token_ids(base_vocabulary)
    if not all(token_id in allowed for token_id in token_ids):
        return Refusal("the reply holds tokens that are no action")
    return robot_actions.decode(token_ids, base_vocabulary)
