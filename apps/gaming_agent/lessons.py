"""What the small checkpoint learns from the game: boards of many looks, with the numerals dealt out anew each time."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from apps.gaming_agent.drawing import DEFAULT_SIDE, Look, cell_box, draw_board, random_look
from apps.gaming_agent.game import Board, Cell, neighbours, random_board
from core.geometry import Box, Point, to_grid, to_unit
from core.skills import DIRECTIONS, Marks, answer_prompt, format_marks, locate_prompt, move_prompt
from core.training.lessons import Lesson, Spot, Turn, mark_spots

SIZES = (6, 8, 10, 10, 11, 13, 13, 14, 14, 14)
"""Whole boards to learn from; no whole board of 7, 9 or 12 is ever drawn."""

WINDOWS = 0.5
"""Share of the pictures that are windows onto larger boards, whose cells then have any side and lie anywhere: from
whole boards alone, one learns those sizes and no others."""

ACROSS = (6.0, 15.5)
"""Cells across a window: the more, the oftener, as small numerals are the hardest."""

NEAR = 0.5
"""Share of the boards whose block is but a few steps away: rare by chance, and every game's last steps."""

DEFAULT_LOOK = 0.15
"""Share of the pictures that look as on the page."""

WHOLE = Box(0, 0, DEFAULT_SIDE, DEFAULT_SIDE)
"""The window that shows the whole board."""

LAYERS = {
    "block": ("green block",),
    "robot": ("robot",),
    "closest": ("closest",),
}


def lessons(generator: np.random.Generator) -> Iterator[Lesson]:
    while True:
        if generator.random() < WINDOWS:
            cell_side = round(DEFAULT_SIDE / generator.triangular(*ACROSS, ACROSS[1]))
            size = DEFAULT_SIDE // cell_side + 2
            x, y = (int(generator.integers(size * cell_side - DEFAULT_SIDE + 1)) for _ in range(2))
            window, side = Box(x, y, x + DEFAULT_SIDE, y + DEFAULT_SIDE), size * cell_side
        else:
            size, window, side = int(generator.choice(SIZES)), WHOLE, DEFAULT_SIDE
        board = random_board(generator, size)
        if generator.random() < NEAR:
            around = _around(board, int(generator.integers(1, 5)))
            board = Board(size, board.robot, (around[int(generator.integers(len(around)))],))
        if all(_inside(cell, size, side, window) for cell in (board.robot, *board.blocks)):
            yield lesson(board, generator, side=side, window=window)


def lesson(
    board: Board,
    generator: np.random.Generator,
    side: int = DEFAULT_SIDE,
    window: Box = WHOLE,
) -> Lesson:
    """The board drawn on ``side`` pixels, of which the picture shows the square ``window``."""

    def unit(cell: Cell) -> Point:
        centre = cell_box(cell, board.size, side).center
        return to_unit(Point(centre.x - window.x1, centre.y - window.y1), (window.width, window.height))

    cells = {d: cell for d, cell in neighbours(board).items() if _inside(cell, board.size, side, window)}
    numbers = generator.permutation(len(DIRECTIONS)) + 1 if generator.random() < 0.7 else np.array(list(DIRECTIONS))
    marks = {int(n): cells[d] for n, d in zip(numbers, DIRECTIONS.values(), strict=True) if d in cells}
    look = Look() if generator.random() < DEFAULT_LOOK else random_look(generator)
    picture = draw_board(board, look, marks, side).crop(window.as_ints())
    block = board.blocks[0]
    # The closer of two marks by straight distance; across before down where both are as close.
    nearest = min(marks, key=lambda mark: (math.dist(marks[mark], block), abs(marks[mark][1] - board.robot[1])))
    centres = {mark: unit(cell) for mark, cell in sorted(marks.items())}
    spots = (
        Spot("block", "green block", unit(block)),
        Spot("robot", "robot", unit(board.robot)),
        *mark_spots(centres),
        Spot("closest", "closest", centres[nearest]),
    )
    x, y = to_grid(unit(block), (1, 1))
    turns = [
        Turn(move_prompt(picture).text, str(nearest), (centres[nearest],)),
        Turn(answer_prompt(picture, "Where is the green block?").text, f"[{x},{y}]", (unit(block),) * 2),
    ]
    if generator.random() < 0.2:
        where = {mark: to_grid(centre, (1, 1)) for mark, centre in centres.items()}
        looks = tuple(centre for centre in centres.values() for _ in range(3))
        turns.append(Turn(locate_prompt(picture).text, format_marks(Marks(where)), looks))
    return Lesson(picture, spots, tuple(turns))


def _around(board: Board, most: int) -> list[Cell]:
    """The cells that are at most this many steps from the robot."""
    column, row = board.robot
    cells = ((x, y) for x in range(board.size) for y in range(board.size))
    return [(x, y) for x, y in cells if 1 <= abs(x - column) + abs(y - row) <= most]


def _inside(cell: Cell, size: int, side: int, window: Box) -> bool:
    """Whether so much of the cell is in the window that what stands on it can be told."""
    return cell_box(cell, size, side).inside(window) >= 0.8
