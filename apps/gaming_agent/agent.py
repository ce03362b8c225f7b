"""The gaming agent: a picture with marks in, a mark's number out, and the robot moves.

Whoever plays, the flow is the same: the picture, a reply in text, the strict parser, the move. So a game is its
settings and the replies, and playing these again gives the same game.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal, Protocol, TypedDict, get_args

import numpy as np
from PIL import Image

from apps.gaming_agent.drawing import DEFAULT_SIDE, Look, draw_board, random_look
from apps.gaming_agent.game import STAY, Board, GridGame, best_directions, neighbours
from core.conversation import Conversation, Reply
from core.engine import Engine
from core.errors import UserError
from core.skills import DIRECTIONS, Direction, Move, Refusal, format_move, move_prompt, parse_move

Policy = Literal["model", "shortest", "random", "person"]
Looks = Literal["default", "training", "held-out"]
Outcome = Literal["moved", "collected", "blocked", "refused"]

QUESTION = move_prompt(Image.new("RGB", (1, 1))).text
"""What every player answers, by the picture or by knowing the board."""

MAX_SEED = 2**32 - 1
MAX_REPLY = 1000
"""Characters of a reply that comes from outside; a model's has 8 tokens."""

_MARKS, _LOOK, _RANDOM_POLICY = range(3)
"""Streams of random numbers beside the game's own, so that none depends on another."""


class StepRecord(TypedDict):
    """A step as JSON. ``outcome`` is "moved", "collected" (onto a block), "blocked" (a wall or an obstacle) or
    "refused" (the reply cannot be read, ``reason`` says why). ``shortest`` is the score that the shortest-path policy
    has after as many steps."""

    number: int
    marks: dict[str, str]
    prompt: str
    reply: str
    direction: str | None
    outcome: str
    reason: str
    score: int
    shortest: int
    seconds: float


@dataclass(frozen=True)
class GameSettings:
    """What is played. ``permute_marks`` numbers the marks anew at every step; ``looks`` other than "default" draws the
    board in a look that the seed decides. Raises UserError for what cannot be played."""

    seed: int = 0
    size: int = 10
    blocks: int = 1
    obstacles: int = 0
    steps: int = 100
    permute_marks: bool = False
    looks: Looks = "default"

    def __post_init__(self) -> None:
        for field in fields(self):
            wanted, value = {"bool": bool, "int": int}.get(field.type, str), getattr(self, field.name)
            if type(value) is not wanted:  # a bool is an int too, and no seed
                raise UserError(f"The game's {field.name} must be of type {wanted.__name__}, not {value!r:.40}.")
        if not 0 <= self.seed <= MAX_SEED:
            raise UserError(f"A seed is a whole number from 0 to {MAX_SEED}, not {self.seed}.")
        if self.looks not in get_args(Looks):
            raise UserError(f"Looks are {', '.join(get_args(Looks))}, not {self.looks!r:.40}.")

    def start(self) -> GridGame:
        game = GridGame(self.size, self.blocks, self.obstacles, self.steps)
        game.reset(seed=self.seed)
        return game

    def look(self) -> Look:
        if self.looks == "default":
            return Look()
        return random_look(np.random.default_rng((self.seed, _LOOK)), held_out=self.looks == "held-out")

    def marks(self, number: int) -> dict[int, Direction]:
        """Which way each mark is, at the step of this number."""
        if not self.permute_marks:
            return DIRECTIONS
        order = np.random.default_rng((self.seed, _MARKS, number)).permutation(len(DIRECTIONS))
        return dict(zip(DIRECTIONS, (tuple(DIRECTIONS.values())[place] for place in order), strict=True))


@dataclass(frozen=True)
class View:
    """What there is to see before a step. ``number`` counts the steps from 1. ``marks`` says which way each mark is;
    drawn are those whose cell the robot can step to."""

    number: int
    board: Board
    marks: dict[int, Direction]
    look: Look

    def picture(self, side: int = DEFAULT_SIDE) -> Image.Image:
        """With marks: what the model sees."""
        cells = neighbours(self.board)
        drawn = {mark: cells[direction] for mark, direction in self.marks.items() if direction in cells}
        return draw_board(self.board, self.look, drawn, side)

    def plain_picture(self, side: int = DEFAULT_SIDE) -> Image.Image:
        return draw_board(self.board, self.look, side=side)


@dataclass(frozen=True)
class Step:
    """One step: what was seen and replied, and what came of it. ``direction`` is None where the reply was
    refused. ``score`` and ``shortest`` are the blocks so far, the player's and the shortest-path policy's. ``seconds``
    is the time to the reply."""

    view: View
    reply: str
    direction: Direction | None
    outcome: Outcome
    reason: str
    score: int
    shortest: int
    seconds: float

    def record(self) -> StepRecord:
        return StepRecord(
            number=self.view.number,
            marks={str(mark): direction for mark, direction in self.view.marks.items()},
            prompt=QUESTION,
            reply=self.reply,
            direction=self.direction,
            outcome=self.outcome,
            reason=self.reason,
            score=self.score,
            shortest=self.shortest,
            seconds=self.seconds,
        )


class Episode:
    """A game under way, and beside it the same game as the shortest-path policy plays it.

    ``policy`` is who plays, ``model`` the checkpoint that does: empty until its first move, and where none is asked.
    Several threads may hold an episode: ``turn`` is taken for a step.
    """

    def __init__(self, settings: GameSettings, policy: Policy, model: str = "") -> None:
        if policy not in get_args(Policy):
            raise UserError(f"Who plays is one of {', '.join(get_args(Policy))}, not {policy!r:.40}.")
        self.settings, self.policy, self.model = settings, policy, model
        self.steps: list[Step] = []
        self.turn = threading.RLock()
        self._game, self._shortest = settings.start(), settings.start()
        self._look = settings.look()

    @property
    def view(self) -> View:
        number = len(self.steps) + 1
        return View(number, self._game.board, self.settings.marks(number), self._look)

    @property
    def score(self) -> int:
        return self._game.score

    @property
    def shortest(self) -> int:
        """The score that the shortest-path policy has after as many steps."""
        return self._shortest.score

    @property
    def refusals(self) -> int:
        return sum(step.outcome == "refused" for step in self.steps)

    @property
    def over(self) -> bool:
        return len(self.steps) >= self.settings.steps

    def require_under_way(self) -> None:
        """Raises UserError after the end."""
        if self.over:
            raise UserError("The game is over: start a new one.")

    def take(self, reply: str, seconds: float = 0.0) -> Step:
        """Move by a reply. One that cannot be read is refused, and the robot stays. Raises UserError after the end."""
        with self.turn:
            self.require_under_way()
            view = self.view
            move = parse_move(reply, view.marks)
            if isinstance(move, Refusal):
                direction, reason, outcome = None, move.reason, "refused"
                self._game.step(STAY)
            else:
                direction, reason = move.direction, ""
                reward = self._game.step(action_of(direction))[1]
                moved = self._game.board.robot != view.board.robot
                outcome = "collected" if reward else "moved" if moved else "blocked"
            self._shortest.step(action_of(best_directions(self._shortest.board)[0]))
            seconds = round(seconds, 4)
            step = Step(view, reply, direction, outcome, reason, self.score, self.shortest, seconds)
            self.steps.append(step)
            return step


class Model(Protocol):
    """What an Engine has that the game needs."""

    name: str

    def generate(self, conversation: Conversation) -> Reply: ...


class GamingAgent:
    """Plays games by any policy. The model is loaded at its first move, once; several threads may call one agent.

    ``model`` is "auto", "mini", a hub id or a folder, or an engine that is loaded already.
    """

    def __init__(self, model: str | Model = "auto") -> None:
        self._loading = threading.Lock()
        self._engine = None if isinstance(model, str) else model
        self._requested = model if isinstance(model, str) else model.name
        self.note = f"Model: {self._requested}, loaded at its first move."
        """Which model was taken and why, or why there is none."""

    @property
    def loaded(self) -> bool:
        return self._engine is not None

    def load(self) -> Model:
        """Raises UserError where the model cannot be had, or was never taught to play."""
        with self._loading:
            if self._engine is None:
                try:
                    engine = Engine.load(self._requested)
                    if "move" not in engine.skills:
                        raise UserError(f"{engine.name} has not learnt to play: it has no move skill.")
                except UserError as error:
                    self.note = f"Model: none. {error} The other players need none."
                    raise
                self._engine = engine
                self.note = f"Model: {engine.name}. {engine.note}"
            return self._engine

    def step(self, episode: Episode, said: str = "") -> Step:
        """One step of whoever plays; ``said`` is the reply of a person, whose time is not taken. Raises UserError after
        the end of the game and where the model cannot be had."""
        with episode.turn:
            episode.require_under_way()
            if episode.policy == "person":
                return episode.take(said)
            engine = self.load() if episode.policy == "model" else None
            began = time.perf_counter()
            if engine is not None:
                if episode.model not in ("", engine.name):
                    raise UserError(f"{episode.model} began this game; {engine.name} cannot go on with it.")
                episode.model = engine.name
                reply = engine.generate(move_prompt(episode.view.picture())).text
            elif episode.policy == "random":
                reply = _random_reply(episode)
            else:
                reply = format_move(Move(best_directions(episode.view.board)[0]), episode.view.marks)
            return episode.take(reply, time.perf_counter() - began)

    def play(self, episode: Episode) -> Iterator[Step]:
        """To the end."""
        while not episode.over:
            yield self.step(episode)


def action_of(direction: Direction) -> int:
    """The game's action, which has the number of the mark where marks are not permuted."""
    return next(action for action, other in DIRECTIONS.items() if other == direction)


def _random_reply(episode: Episode) -> str:
    """One of the marks on the picture; which one follows from the seed and the step, so that it can be told again."""
    view = episode.view
    generator = np.random.default_rng((episode.settings.seed, _RANDOM_POLICY, view.number))
    return format_move(Move(str(generator.choice(list(neighbours(view.board))))), view.marks)
