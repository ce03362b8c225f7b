"""The game: a robot on a square board collects green blocks. A Gymnasium environment.

The rules:

- The board has ``size`` x ``size`` cells, one robot, ``blocks`` green blocks and ``obstacles`` walled cells. Obstacles
  never cut the free cells apart, so every block can be reached.
- A move goes one cell up, down, left or right. A move off the board or into an obstacle costs the step and nothing
  else; so does staying.
- The robot collects a block by stepping onto it (not next to it, as in Magma's own demo, where the last step is never
  asked for). That scores 1, and a new block appears at once on a random free cell.
- The game is over after ``steps`` steps. It cannot be lost.
- The seed decides everything that is random. With one block, the places where blocks appear follow from the seed alone,
  whatever the moves, so that policies meet the same task.

Cells are (column, row) from the top left corner. The numbers of the actions are those of the marks that the model sees.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from apps.gaming_agent.drawing import DEFAULT_SIDE, Look, draw_board
from core.errors import UserError
from core.skills import DIRECTIONS, Direction

Cell = tuple[int, int]
"""(column, row), origin top left."""

OFFSETS: dict[Direction, Cell] = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}

MIN_SIZE, MAX_SIZE = 2, 20
"""Cells a side. On the largest board, numerals at the default picture side are as small as can be read: 10 pixels."""

MAX_STEPS = 10_000
"""Of a game, which bounds what one request can ask for: about a second of playing without a model."""

STAY = 0
"""The action of a step without a move; 1 to 4 are the moves, numbered as the marks."""

EMPTY, ROBOT, BLOCK, OBSTACLE = range(4)
"""What an observation holds in each cell."""


@dataclass(frozen=True)
class Board:
    """Where everything stands. No two things share a cell."""

    size: int
    robot: Cell
    blocks: tuple[Cell, ...]
    obstacles: frozenset[Cell] = frozenset()


def neighbours(board: Board) -> dict[Direction, Cell]:
    """The cells that the robot can step to: those around it that lie on the board and hold no obstacle.

    These, and no others, carry marks.
    """
    return _open_around(board.robot, board.size, board.obstacles)


def steps_to_block(board: Board) -> dict[Cell, int]:
    """From every cell that is no obstacle, the fewest steps to a block (breadth-first from all blocks at once)."""
    steps = dict.fromkeys(board.blocks, 0)
    queue = deque(board.blocks)
    while queue:
        cell = queue.popleft()
        for around in _open_around(cell, board.size, board.obstacles).values():
            if around not in steps:
                steps[around] = steps[cell] + 1
                queue.append(around)
    return steps


def best_directions(board: Board) -> tuple[Direction, ...]:
    """The moves that begin a shortest way to the nearest block, in the order of the marks."""
    steps = steps_to_block(board)
    return tuple(direction for direction, cell in neighbours(board).items() if steps[cell] < steps[board.robot])


def random_board(generator: np.random.Generator, size: int = 10, blocks: int = 1, obstacles: int = 0) -> Board:
    """Everything on random cells. Raises UserError where the board cannot hold it."""
    _check(size, blocks, obstacles)
    cells = [(int(place) % size, int(place) // size) for place in generator.permutation(size * size)]
    walls: set[Cell] = set()
    for cell in cells if obstacles else ():
        if len(walls) == obstacles:
            break
        if _connected(size, walls | {cell}):
            walls.add(cell)
    free = [cell for cell in cells if cell not in walls]
    if len(walls) < obstacles or len(free) < blocks + 1:
        raise UserError(
            f"A board of {size} x {size} cells has no room for {blocks} blocks and {obstacles} obstacles: "
            "take fewer or a larger board."
        )
    return Board(size, free[0], tuple(free[1 : blocks + 1]), frozenset(walls))


class GridGame(gymnasium.Env[np.ndarray, int]):
    """The game under the rules above. ``board`` and ``score`` tell where it stands.

    Observations are int8 [size, size], rows first: 0 free, 1 robot, 2 block, 3 obstacle. Actions are 0 to stay, 1 up,
    2 down, 3 left, 4 right. The reward is 1.0 for a collected block, else 0.0. ``render`` gives the plain board as
    uint8 [side, side, 3].
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 8}  # noqa: RUF012 (Gymnasium's own form)

    def __init__(
        self,
        size: int = 10,
        blocks: int = 1,
        obstacles: int = 0,
        steps: int = 100,
        look: Look = Look(),
        side: int = DEFAULT_SIDE,
        render_mode: str | None = None,
    ) -> None:
        _check(size, blocks, obstacles)
        if not 1 <= steps <= MAX_STEPS:
            raise UserError(f"A game has 1 to {MAX_STEPS:,} steps, not {steps}.")
        self.size, self.blocks, self.obstacles, self.steps = size, blocks, obstacles, steps
        self.look, self.side = look, side
        self.render_mode = render_mode
        self.observation_space = spaces.Box(EMPTY, OBSTACLE, (size, size), np.int8)
        self.action_space = spaces.Discrete(1 + len(DIRECTIONS))
        self.board: Board | None = None
        self.score = self.taken = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.board = random_board(self.np_random, self.size, self.blocks, self.obstacles)
        self.score = self.taken = 0
        return self._observation(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        board = self.board
        if board is None or not self.action_space.contains(action):
            raise ValueError(f"{action!r} is no action" if board else "a game begins with reset()")
        direction = DIRECTIONS.get(int(action))
        robot = neighbours(board).get(direction, board.robot)
        board = replace(board, robot=robot)
        collected = robot in board.blocks
        if collected:
            board = replace(board, blocks=tuple(self._new_block(board) if b == robot else b for b in board.blocks))
        self.board = board
        self.score += collected
        self.taken += 1
        return self._observation(), float(collected), False, self.taken >= self.steps, {}

    def render(self) -> np.ndarray | None:
        if self.render_mode is None or self.board is None:
            return None
        return np.asarray(draw_board(self.board, self.look, side=self.side))

    def _new_block(self, board: Board) -> Cell:
        """A free cell; there is always one, because the robot stands where the old block was."""
        taken = {board.robot, *board.blocks, *board.obstacles}
        cells = [(place % board.size, place // board.size) for place in range(board.size**2)]
        free = [cell for cell in cells if cell not in taken]
        return free[self.np_random.integers(len(free))]

    def _observation(self) -> np.ndarray:
        cells = np.full((self.size, self.size), EMPTY, np.int8)
        for column, row in self.board.obstacles:
            cells[row, column] = OBSTACLE
        for column, row in self.board.blocks:
            cells[row, column] = BLOCK
        column, row = self.board.robot
        cells[row, column] = ROBOT
        return cells


def _check(size: int, blocks: int, obstacles: int) -> None:
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise UserError(f"A board has {MIN_SIZE} to {MAX_SIZE} cells a side, not {size}.")
    if blocks < 1 or obstacles < 0:
        raise UserError(f"A board needs a block and no negative count, not {blocks} blocks and {obstacles} obstacles.")


def _open_around(cell: Cell, size: int, obstacles: set[Cell] | frozenset[Cell]) -> dict[Direction, Cell]:
    column, row = cell
    around = {direction: (column + x, row + y) for direction, (x, y) in OFFSETS.items()}
    return {
        direction: (x, y)
        for direction, (x, y) in around.items()
        if 0 <= x < size and 0 <= y < size and (x, y) not in obstacles
    }


def _connected(size: int, obstacles: set[Cell]) -> bool:
    """Whether there is a free cell and every other can be reached from it."""
    stride = size + 1  # a bit for every cell and one beside each row, which is never free: rows do not run together
    free = sum(1 << (row * stride + column) for row in range(size) for column in range(size)) - sum(
        1 << (row * stride + column) for column, row in obstacles
    )
    reached, before = free & -free, 0
    while reached != before:
        before = reached
        reached |= (reached << 1 | reached >> 1 | reached << stride | reached >> stride) & free
    return bool(free) and reached == free
