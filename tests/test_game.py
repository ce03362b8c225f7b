from __future__ import annotations

import colorsys
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.gaming_agent.drawing import HELD_OUT, TRAINING, Look, cell_box, draw_board, random_look
from apps.gaming_agent.game import (
    BLOCK,
    OBSTACLE,
    OFFSETS,
    ROBOT,
    STAY,
    Board,
    GridGame,
    best_directions,
    neighbours,
    random_board,
    steps_to_block,
)
from core.errors import UserError
from core.skills import DIRECTIONS

seeds = st.integers(0, 2**32 - 1)
kinds = st.fixed_dictionaries({"size": st.integers(4, 14), "blocks": st.integers(1, 4), "obstacles": st.integers(0, 6)})


def started(seed: int, **options) -> GridGame:
    game = GridGame(**options)
    game.reset(seed=seed)
    return game


def places(board: Board) -> list[tuple[int, int]]:
    return [board.robot, *board.blocks, *board.obstacles]


@pytest.mark.filterwarnings("error", "ignore:.*Not able to test alternative render modes")
@pytest.mark.parametrize("options", [{}, {"size": 4, "blocks": 3, "obstacles": 2}, {"render_mode": "rgb_array"}])
def test_it_is_a_gymnasium_environment(options):
    check_env(GridGame(**options))


@given(seeds, kinds)
@settings(deadline=None)
def test_everything_on_a_board_has_a_cell_of_its_own_and_every_block_can_be_reached(seed, kind):
    board = random_board(np.random.default_rng(seed), **kind)
    assert len(set(places(board))) == 1 + kind["blocks"] + kind["obstacles"]
    assert all(0 <= value < kind["size"] for cell in places(board) for value in cell)
    assert len(steps_to_block(board)) == kind["size"] ** 2 - kind["obstacles"]


@given(seeds, kinds, st.lists(st.integers(0, 4), max_size=60))
@settings(deadline=None)
def test_the_rules(seed, kind, actions):
    game, score = started(seed, steps=60, **kind), 0
    for number, action in enumerate(actions, 1):
        before = game.board
        target = neighbours(before).get(DIRECTIONS.get(action), before.robot)
        observation, reward, terminated, truncated, _ = game.step(action)
        after = game.board
        assert after.robot == target and after.obstacles == before.obstacles
        collected = target in before.blocks
        score += collected
        assert (reward, game.score, terminated, truncated) == (float(collected), score, False, number == 60)
        assert len(set(places(after))) == len(places(before))
        assert set(after.blocks) >= set(before.blocks) - {target}
        for cell, what in ((after.robot, ROBOT), (after.blocks[0], BLOCK), *((c, OBSTACLE) for c in after.obstacles)):
            assert observation[cell[1], cell[0]] == what
        assert np.count_nonzero(observation) == len(places(after))


@pytest.mark.parametrize(("action", "direction"), DIRECTIONS.items())
def test_a_wall_and_an_obstacle_cost_the_step_and_nothing_else(action, direction):
    column, row = OFFSETS[direction]
    edge = ((column + 1) * 2 if column else 2, (row + 1) * 2 if row else 2)  # of a board of 5 cells a side
    for board in (
        Board(5, edge, ((1, 1),)),
        Board(5, (2, 2), ((1, 1),), frozenset({(2 + column, 2 + row)})),
    ):
        game = started(0, size=5)
        game.board = board
        assert direction not in neighbours(board)
        assert game.step(action)[1] == 0.0
        assert game.board == board and game.taken == 1


def test_marks_and_actions_have_the_same_numbers():
    game = started(0, size=5)
    for action, direction in DIRECTIONS.items():
        game.board = Board(5, (2, 2), ((0, 0),))
        game.step(action)
        column, row = OFFSETS[direction]
        assert game.board.robot == (2 + column, 2 + row)
    game.step(STAY)
    assert game.board.robot == (3, 2)


def block_places(game: GridGame, choose) -> list:
    found = []
    for _ in range(400):
        found += [game.board.blocks[0]] if found[-1:] != [game.board.blocks[0]] else []
        game.step(choose(game.board))
    return found


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_with_one_block_all_policies_meet_the_same_blocks(seed):
    moves = np.random.default_rng(seed)
    wandering = block_places(started(seed, size=5, steps=400), lambda board: int(moves.integers(1, 5)))
    number = {direction: mark for mark, direction in DIRECTIONS.items()}
    straight = block_places(started(seed, size=5, steps=400), lambda board: number[best_directions(board)[0]])
    assert len(straight) > len(wandering) and straight[: len(wandering)] == wandering


@given(seeds, kinds)
@settings(deadline=None)
def test_every_best_move_is_one_step_nearer_and_no_other_is(seed, kind):
    board = random_board(np.random.default_rng(seed), **kind)
    steps = steps_to_block(board)
    assert all(steps[block] == 0 for block in board.blocks)
    nearer = {direction for direction, cell in neighbours(board).items() if steps[cell] == steps[board.robot] - 1}
    assert set(best_directions(board)) == nearer != set()
    if not board.obstacles:
        distances = [abs(x - board.robot[0]) + abs(y - board.robot[1]) for x, y in board.blocks]
        assert steps[board.robot] == min(distances)


@pytest.mark.parametrize(
    "options",
    [
        {"size": 1},
        {"size": 21},
        {"blocks": 0},
        {"obstacles": -1},
        {"steps": 0},
        {"steps": 10_001},
    ],
)
def test_games_that_cannot_be_played_are_refused(options):
    with pytest.raises(UserError):
        GridGame(**options)


@pytest.mark.parametrize("options", [{"blocks": 9}, {"obstacles": 8}, {"blocks": 4, "obstacles": 5}, {"blocks": 10**9}])
def test_a_board_that_is_too_full_is_refused(options):
    with pytest.raises(UserError, match="no room"):
        started(0, size=3, **options)


def test_a_full_board_still_plays():
    game = started(0, size=3, blocks=8)
    assert game.step(1)[1] + game.step(2)[1] + game.step(3)[1] + game.step(4)[1] >= 2
    assert len(set(places(game.board))) == 9


# ---- drawing --------------------------------------------------------------------------------------------------------


def pixels(board: Board, look: Look, marks=None) -> np.ndarray:
    return np.asarray(draw_board(board, look, marks)).astype(int)


def inside(picture: np.ndarray, cell, size: int) -> np.ndarray:
    x1, y1, x2, y2 = cell_box(cell, size).as_ints()
    return picture[y1:y2, x1:x2]


def marked(board: Board, order=(1, 2, 3, 4)) -> dict:
    return dict(zip(order, neighbours(board).values(), strict=False))


@given(seeds, st.integers(4, 20), st.booleans(), st.permutations([1, 2, 3, 4]))
@settings(max_examples=60, deadline=None)
def test_marks_change_their_own_cells_and_nothing_else(seed, size, held_out, order):
    generator = np.random.default_rng(seed)
    board, look = random_board(generator, size, 2, 3), random_look(generator, held_out)
    marks = marked(board, order)
    plain, with_marks = pixels(board, look), pixels(board, look, marks)
    changed = (plain != with_marks).any(axis=2)
    for cell in marks.values():
        rows = np.flatnonzero(inside(changed, cell, size).any(axis=1))
        assert rows[-1] - rows[0] + 1 >= 0.6 * (320 // size)
        x1, y1, x2, y2 = cell_box(cell, size).as_ints()
        changed[y1:y2, x1:x2] = False
    assert not changed.any()


@given(seeds, st.integers(4, 20), st.booleans(), st.sampled_from([1, 2, 3, 4]))
@settings(max_examples=100, deadline=None)
def test_a_block_shows_under_its_mark(seed, size, held_out, mark):
    generator = np.random.default_rng(seed)
    board, look = random_board(generator, size), random_look(generator, held_out)
    cell = next(iter(neighbours(board).values()))
    board = replace(board, blocks=(cell,))
    block = abs(pixels(board, look) - pixels(replace(board, blocks=()), look)).sum(axis=2) > 30
    kept = block & (pixels(board, look) == pixels(board, look, {mark: cell})).all(axis=2)
    assert kept.sum() / block.sum() >= (0.5 if size <= 14 else 0.4)


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_numerals_differ_from_each_other(seed):
    generator = np.random.default_rng(seed)
    board, look = random_board(generator, 14), random_look(generator)
    cell = next(iter(neighbours(board).values()))
    drawn = [pixels(board, look, {mark: cell}).tobytes() for mark in (1, 2, 3, 4)]
    assert len(set(drawn)) == 4


def hue(colour) -> float:
    return 360 * colorsys.rgb_to_hsv(*(part / 255 for part in colour))[0]


@given(seeds, st.booleans())
@settings(deadline=None)
def test_held_out_looks_share_no_sprite_and_no_colour_with_those_of_training(seed, held_out):
    look = random_look(np.random.default_rng(seed), held_out)
    ours, others = (HELD_OUT, TRAINING) if held_out else (TRAINING, HELD_OUT)
    for name in ("robot", "block", "obstacle"):
        assert getattr(look, name) in getattr(ours, f"{name}s")
        assert getattr(look, name) not in getattr(others, f"{name}s")

    def apart(value: float, hues) -> bool:
        return all(
            min((value - high) % 360, (low - value) % 360) >= 1 and not low <= value <= high for low, high in hues
        )

    assert apart(hue(look.block_colour), others.greens)
    for colour in (look.floor, look.robot_colour, look.obstacle_colour, look.numeral_colour):
        assert apart(hue(colour), others.hues)
        assert not 70 < hue(colour) < 170  # nothing else is green
    assert 90 < hue(look.block_colour) < 155


def test_held_out_looks_share_nothing_with_the_default_one():
    """It is trained on too."""
    default = Look()
    assert default.robot not in HELD_OUT.robots and default.block not in HELD_OUT.blocks
    assert default.obstacle not in HELD_OUT.obstacles
    for colour in (default.robot_colour, default.numeral_colour, default.block_colour):
        assert all(not low - 8 < hue(colour) < high + 8 for low, high in HELD_OUT.hues + HELD_OUT.greens)


def test_a_picture_follows_from_its_board_and_look():
    board = random_board(np.random.default_rng(1), 9, 2, 5)
    assert draw_board(board, side=333).size == (333, 333)
    assert draw_board(board, marks=marked(board)).tobytes() == draw_board(board, marks=marked(board)).tobytes()
    assert draw_board(board).tobytes() != draw_board(replace(board, robot=board.blocks[0], blocks=())).tobytes()


def test_no_display_is_opened():
    program = (
        "from apps.gaming_agent.game import GridGame\n"
        "import pygame\n"
        "game = GridGame(render_mode='rgb_array')\n"
        "game.reset(seed=0)\n"
        "assert game.render().shape == (320, 320, 3)\n"
        "assert not pygame.display.get_init()\n"
    )
    without = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run([sys.executable, "-c", program], env=without, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
