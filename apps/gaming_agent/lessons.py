"""What the small checkpoint learns from the game: boards of many looks, with the numerals dealt out anew each time."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from apps.gaming_agent.drawing import DEFAULT_SIDE, Look, cell_box, draw_board, random_look
from apps.gaming_agent.game import Board, Cell, neighbours, random_board
from core.geometry import Point, to_grid, to_unit
from core.skills import DIRECTIONS, Marks, answer_prompt, format_marks, locate_prompt, move_prompt
from core.training.lessons import Lesson, Spot, Turn

SIZES = (6, 8, 10, 10, 10, 11, 13, 14)
"""Boards to learn from; 7, 9 and 12 are never seen in training."""

DEFAULT_LOOK = 0.15
"""Share of the boards that look as on the page."""

LAYERS = {
    "block": ("green block",),
    "robot": ("robot",),
    "mark": ("1", "2", "3", "4"),
    "closest": ("closest",),
}


def lessons(generator: np.random.Generator) -> Iterator[Lesson]:
    while True:
        board = random_board(generator, int(generator.choice(SIZES)))
        if generator.random() < 0.3:  # boards where the next step collects are rare by chance and matter most
            around = list(neighbours(board).values())
            board = Board(board.size, board.robot, (around[int(generator.integers(len(around)))],))
        yield lesson(board, generator)


def lesson(board: Board, generator: np.random.Generator, held_out: bool = False) -> Lesson:
    cells = neighbours(board)
    numbers = generator.permutation(len(DIRECTIONS)) + 1 if generator.random() < 0.7 else np.array(list(DIRECTIONS))
    marks = {int(n): cells[d] for n, d in zip(numbers, DIRECTIONS.values(), strict=True) if d in cells}
    look = Look() if not held_out and generator.random() < DEFAULT_LOOK else random_look(generator, held_out)
    picture = draw_board(board, look, marks)
    block = board.blocks[0]
    # The closer of two marks by straight distance; across before down where both are as close.
    nearest = min(marks, key=lambda mark: (math.dist(marks[mark], block), abs(marks[mark][1] - board.robot[1])))
    centres = {mark: _unit(cell, board.size) for mark, cell in marks.items()}
    spots = [
        Spot("block", "green block", _unit(block, board.size)),
        Spot("robot", "robot", _unit(board.robot, board.size)),
    ]
    spots += [Spot("mark", str(mark), centre) for mark, centre in centres.items()]
    spots.append(Spot("closest", "closest", centres[nearest]))
    x, y = to_grid(spots[0].point, (1, 1))
    where = {mark: to_grid(centre, (1, 1)) for mark, centre in sorted(centres.items())}
    turns = [
        Turn(move_prompt(picture).text, str(nearest), (centres[nearest],)),
        Turn(answer_prompt(picture, "Where is the green block?").text, f"[{x},{y}]", (spots[0].point,) * 2),
    ]
    if generator.random() < 0.2:
        looks = tuple(centres[mark] for mark in where for _ in range(3))
        turns.append(Turn(locate_prompt(picture).text, format_marks(Marks(where)), looks))
    return Lesson(picture, tuple(spots), tuple(turns))


def _unit(cell: Cell, size: int) -> Point:
    return to_unit(cell_box(cell, size).center, (DEFAULT_SIDE, DEFAULT_SIDE))
