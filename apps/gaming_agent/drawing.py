"""Boards as pictures, drawn with pygame on plain surfaces: no display is opened.

A ``Look`` says what everything looks like. The default is the page's; ``random_look`` gives others to train on, and a
second, disjoint set to test with.
"""

from __future__ import annotations

import colorsys
import io
import math
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image, ImageFont

from core.geometry import Box

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")

import pygame
import pygame.font

if TYPE_CHECKING:
    from apps.gaming_agent.game import Board, Cell

Colour = tuple[int, int, int]
"""RGB, 0..255."""

Hues = tuple[tuple[int, int], ...]
"""Ranges in degrees."""

Robot = Literal["rover", "head", "disc", "walker", "beetle", "saucer"]
Block = Literal["cube", "tile", "gem", "crate", "ball"]
Obstacle = Literal["bricks", "stone", "crossed", "barrel"]
Numerals = Literal["bold", "slanted", "plain"]

DEFAULT_SIDE = 320
"""Pixels of the whole picture: numerals stay legible on boards of up to 20 x 20."""

NUMERAL_HEIGHT = 0.62
"""Of the cell's height: large enough to read, small enough that a block's colour shows around and through it."""

SMOOTH = 4
"""Sprites are drawn this many times larger and scaled down, which smooths their edges."""


@dataclass(frozen=True)
class Look:
    """What a board looks like. Floors are checkered where the two floor colours differ."""

    floor: Colour = (238, 241, 246)
    floor_second: Colour = (228, 233, 241)
    lines: Colour = (203, 211, 224)
    robot: Robot = "rover"
    robot_colour: Colour = (79, 70, 229)
    block: Block = "cube"
    block_colour: Colour = (34, 170, 84)
    obstacle: Obstacle = "bricks"
    obstacle_colour: Colour = (120, 96, 92)
    numerals: Numerals = "bold"
    numeral_colour: Colour = (200, 24, 48)
    numeral_outline: Colour = (255, 255, 255)


@dataclass(frozen=True)
class _Wardrobe:
    """What random looks are made of. The held-out hues lie at least 8 from the others and from the default look's."""

    robots: tuple[Robot, ...]
    blocks: tuple[Block, ...]
    obstacles: tuple[Obstacle, ...]
    greens: Hues
    hues: Hues
    """Of all that is not green: floors, robots, obstacles, numerals."""


TRAINING = _Wardrobe(
    robots=("rover", "head", "disc", "walker"),
    blocks=("cube", "tile", "gem"),
    obstacles=("bricks", "stone"),
    greens=((96, 114), (134, 150)),
    hues=((0, 24), (46, 56), (196, 232), (256, 292), (332, 350)),
)
HELD_OUT = _Wardrobe(
    robots=("beetle", "saucer"),
    blocks=("crate", "ball"),
    obstacles=("crossed", "barrel"),
    greens=((122, 126),),
    hues=((32, 38), (172, 188), (300, 324)),
)


def random_look(generator: np.random.Generator, held_out: bool = False) -> Look:
    """A look to train on, or one of the ``held_out`` ones, which share no sprite and no colour with the former."""
    wardrobe = HELD_OUT if held_out else TRAINING

    def pick(names: tuple) -> str:
        return names[generator.integers(len(names))]

    def colour(hues: Hues, saturation: tuple[float, float], value: tuple[float, float]) -> Colour:
        hue = generator.uniform(*hues[generator.integers(len(hues))]) / 360
        rgb = colorsys.hsv_to_rgb(hue, generator.uniform(*saturation), generator.uniform(*value))
        return tuple(round(255 * part) for part in rgb)

    dark = generator.random() < 0.4
    floor_value = (0.14, 0.34) if dark else (0.8, 1.0)
    floor_saturation = (0.25, 0.5) if dark else (0.12, 0.3)
    floor = colour(wardrobe.hues, floor_saturation, floor_value)
    checkered = generator.random() < 0.5
    lined = generator.random() < 0.7
    pale_numerals = generator.random() < 0.5
    return Look(
        floor=floor,
        floor_second=_shade(floor, 1.25 if dark else 0.93) if checkered else floor,
        lines=_shade(floor, 1.6 if dark else 0.82) if lined else floor,
        robot=pick(wardrobe.robots),
        robot_colour=colour(wardrobe.hues, (0.5, 0.9), (0.6, 0.95) if dark else (0.35, 0.8)),
        block=pick(wardrobe.blocks),
        block_colour=colour(wardrobe.greens, (0.55, 0.95), (0.5, 0.85)),
        obstacle=pick(wardrobe.obstacles),
        obstacle_colour=colour(wardrobe.hues, (0.15, 0.4), (0.5, 0.65)),
        numerals=pick(("bold", "slanted", "plain")),
        numeral_colour=colour(wardrobe.hues, (0.12, 0.3), (0.9, 1.0))
        if pale_numerals
        else colour(wardrobe.hues, (0.8, 1.0), (0.35, 0.75)),
        numeral_outline=(16, 16, 20) if pale_numerals else (255, 255, 255),
    )


def cell_box(cell: Cell, size: int, side: int = DEFAULT_SIDE) -> Box:
    """The pixels of a cell on a picture of ``side`` pixels of a board of ``size`` cells."""
    (x1, x2), (y1, y2) = ((round(place * side / size), round((place + 1) * side / size)) for place in cell)
    return Box(x1, y1, x2, y2)


_DRAWING = threading.Lock()  # the sprites and glyphs below are shared, and pygame says nothing of threads


def draw_board(
    board: Board, look: Look = Look(), marks: Mapping[int, Cell] | None = None, side: int = DEFAULT_SIDE
) -> Image.Image:
    """An RGB picture of ``side`` x ``side`` pixels. ``marks`` maps numerals to the cells that they are drawn on.

    A numeral is at least 0.6 of its cell high. A block under it still shows on half of its area, where cells have 22
    pixels a side or more (14 x 14 cells on 320 pixels), and on two fifths where they have 16.
    """
    with _DRAWING:
        surface = pygame.Surface((side, side), depth=24)
        _draw_floor(surface, board.size, look)
        cell_side = side // board.size
        things = [(cell, look.obstacle, look.obstacle_colour) for cell in sorted(board.obstacles)]
        things += [(cell, look.block, look.block_colour) for cell in board.blocks]
        things.append((board.robot, look.robot, look.robot_colour))
        for cell, sprite, colour in things:
            _centre(surface, _sprite(sprite, colour, cell_side), cell_box(cell, board.size, side))
        for mark, cell in (marks or {}).items():
            numeral = _numeral(str(mark), look.numerals, look.numeral_colour, look.numeral_outline, cell_side)
            _centre(surface, numeral, cell_box(cell, board.size, side))
        return Image.frombytes("RGB", (side, side), pygame.image.tobytes(surface, "RGB"))


def _draw_floor(surface: pygame.Surface, size: int, look: Look) -> None:
    side = surface.get_width()
    surface.fill(look.floor)
    if look.floor_second != look.floor:
        for column in range(size):
            for row in range((column + 1) % 2, size, 2):
                x1, y1, x2, y2 = cell_box((column, row), size, side).as_ints()
                surface.fill(look.floor_second, (x1, y1, x2 - x1, y2 - y1))
    if look.lines != look.floor:
        for place in range(1, size):
            at = round(place * side / size)
            surface.fill(look.lines, (at, 0, 1, side))
            surface.fill(look.lines, (0, at, side, 1))


def _centre(surface: pygame.Surface, drawn: pygame.Surface, box: Box) -> None:
    centre = box.center
    width, height = drawn.get_size()
    surface.blit(drawn, (round(centre.x - width / 2), round(centre.y - height / 2)))


def _shade(colour: Colour, factor: float) -> Colour:
    """Darker below 1, lighter above."""
    return tuple(min(255, round(part * factor)) for part in colour)


# ---- numerals -------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _font(style: Numerals, cell_side: int) -> pygame.font.Font:
    """The size at which digits are NUMERAL_HEIGHT of the cell high."""
    if not pygame.font.get_init():
        pygame.font.init()

    def opened(size: int) -> pygame.font.Font:
        # The two fonts that pygame and Pillow bring along: the same on every machine.
        file = io.BytesIO(ImageFont.load_default(size).font_bytes) if style == "plain" else None
        font = pygame.font.Font(file, size)
        font.bold, font.italic = style == "plain", style == "slanted"
        return font

    probe = 200
    height = opened(probe).render("4", True, "black").get_bounding_rect().height
    return opened(math.ceil(NUMERAL_HEIGHT * cell_side * probe / height))


@lru_cache(maxsize=4096)
def _numeral(text: str, style: Numerals, colour: Colour, outline: Colour, cell_side: int) -> pygame.Surface:
    """The numeral with a line around it that sets it off from any floor and block."""
    font = _font(style, cell_side)
    line = max(1, round(cell_side / 32))
    fill, edge = font.render(text, True, colour), font.render(text, True, outline)
    ink = fill.get_bounding_rect()
    surface = pygame.Surface((ink.width + 2 * line, ink.height + 2 * line), pygame.SRCALPHA)
    for x in range(-line, line + 1):
        for y in range(-line, line + 1):
            if x * x + y * y <= line * line:
                surface.blit(edge, (line + x, line + y), ink)
    surface.blit(fill, (line, line), ink)
    return surface


# ---- sprites: each is drawn on a square of one unit a side ----------------------------------------------------------


class _Pen:
    """Draws on a surface in shares of its side."""

    def __init__(self, surface: pygame.Surface) -> None:
        self._surface = surface
        self._unit = surface.get_width()

    def box(self, colour: Colour, x: float, y: float, width: float, height: float, round_by: float = 0.0) -> None:
        unit = self._unit
        rectangle = pygame.Rect(round(x * unit), round(y * unit), round(width * unit), round(height * unit))
        pygame.draw.rect(self._surface, colour, rectangle, border_radius=round(round_by * unit))

    def disc(self, colour: Colour, x: float, y: float, radius: float) -> None:
        pygame.draw.circle(self._surface, colour, (x * self._unit, y * self._unit), radius * self._unit)

    def shape(self, colour: Colour, *corners: tuple[float, float]) -> None:
        pygame.draw.polygon(self._surface, colour, [(x * self._unit, y * self._unit) for x, y in corners])

    def line(self, colour: Colour, start: tuple[float, float], end: tuple[float, float], width: float) -> None:
        ends = [(x * self._unit, y * self._unit) for x, y in (start, end)]
        pygame.draw.line(self._surface, colour, *ends, max(1, round(width * self._unit)))


WHITE, BLACK = (255, 255, 255), (24, 24, 32)


def _rover(pen: _Pen, colour: Colour) -> None:
    pen.line(_shade(colour, 0.7), (0.5, 0.1), (0.5, 0.3), 0.06)
    pen.disc((250, 176, 5), 0.5, 0.12, 0.07)
    for x in (0.2, 0.62):
        pen.box(BLACK, x, 0.74, 0.18, 0.18, 0.06)
    pen.box(colour, 0.12, 0.25, 0.76, 0.58, 0.16)
    pen.box(WHITE, 0.22, 0.35, 0.56, 0.26, 0.12)
    pen.disc(BLACK, 0.37, 0.48, 0.075)
    pen.disc(BLACK, 0.63, 0.48, 0.075)


def _head(pen: _Pen, colour: Colour) -> None:
    pen.box(_shade(colour, 0.65), 0.05, 0.38, 0.9, 0.26, 0.05)
    pen.box(colour, 0.13, 0.13, 0.74, 0.74, 0.08)
    for x in (0.25, 0.57):
        pen.box(WHITE, x, 0.28, 0.18, 0.2, 0.03)
        pen.box(BLACK, x + 0.06, 0.34, 0.07, 0.1)
    pen.box(BLACK, 0.28, 0.64, 0.44, 0.08)


def _disc(pen: _Pen, colour: Colour) -> None:
    pen.disc(_shade(colour, 0.6), 0.5, 0.5, 0.43)
    pen.disc(colour, 0.5, 0.5, 0.37)
    pen.disc(WHITE, 0.5, 0.42, 0.17)
    pen.disc(BLACK, 0.5, 0.42, 0.09)


def _walker(pen: _Pen, colour: Colour) -> None:
    for x in (0.3, 0.58):
        pen.box(_shade(colour, 0.6), x, 0.7, 0.12, 0.22)
    pen.box(_shade(colour, 0.8), 0.1, 0.46, 0.8, 0.12, 0.05)
    pen.box(colour, 0.26, 0.4, 0.48, 0.36, 0.05)
    pen.disc(colour, 0.5, 0.25, 0.18)
    pen.box(BLACK, 0.36, 0.2, 0.28, 0.09, 0.04)


def _beetle(pen: _Pen, colour: Colour) -> None:
    for y in (0.34, 0.54, 0.74):
        pen.line(BLACK, (0.08, y - 0.06), (0.92, y + 0.04), 0.05)
    pen.disc(BLACK, 0.5, 0.24, 0.16)
    pen.disc(colour, 0.5, 0.56, 0.32)
    pen.line(_shade(colour, 0.5), (0.5, 0.26), (0.5, 0.86), 0.04)


def _saucer(pen: _Pen, colour: Colour) -> None:
    pen.disc((190, 220, 245), 0.5, 0.42, 0.24)
    pen.shape(colour, (0.04, 0.58), (0.22, 0.44), (0.78, 0.44), (0.96, 0.58), (0.74, 0.74), (0.26, 0.74))
    for x in (0.28, 0.5, 0.72):
        pen.disc((255, 214, 90), x, 0.6, 0.055)


def _cube(pen: _Pen, colour: Colour) -> None:
    pen.box(_shade(colour, 0.62), 0.06, 0.06, 0.88, 0.88, 0.1)
    pen.box(colour, 0.06, 0.06, 0.82, 0.82, 0.1)


def _tile(pen: _Pen, colour: Colour) -> None:
    pen.box(colour, 0.07, 0.07, 0.86, 0.86)


def _gem(pen: _Pen, colour: Colour) -> None:
    near, far, cut = 0.03, 0.97, 0.24
    corners = [(cut, near), (1 - cut, near), (far, cut), (far, 1 - cut), (1 - cut, far), (cut, far)]
    pen.shape(colour, *corners, (near, 1 - cut), (near, cut))
    pen.shape(_shade(colour, 1.2), (cut, near), (1 - cut, near), (near, 1 - cut), (near, cut))


def _crate(pen: _Pen, colour: Colour) -> None:
    dark = _shade(colour, 0.68)
    pen.box(dark, 0.05, 0.05, 0.9, 0.9)
    pen.box(colour, 0.13, 0.13, 0.74, 0.74)
    pen.line(dark, (0.13, 0.13), (0.87, 0.87), 0.07)


def _ball(pen: _Pen, colour: Colour) -> None:
    pen.disc(colour, 0.5, 0.5, 0.49)
    pen.disc(_shade(colour, 1.2), 0.36, 0.34, 0.12)


def _bricks(pen: _Pen, colour: Colour) -> None:
    pen.box(_shade(colour, 0.6), 0.0, 0.0, 1.0, 1.0)
    for row, starts in enumerate(((0.0, 0.52), (-0.26, 0.26, 0.78), (0.0, 0.52))):
        for x in starts:
            pen.box(colour, max(0.0, x), 0.02 + row * 0.33, 0.48 + min(0.0, x), 0.29)


def _stone(pen: _Pen, colour: Colour) -> None:
    pen.shape(_shade(colour, 0.7), (0.2, 0.06), (0.78, 0.04), (0.98, 0.4), (0.9, 0.92), (0.16, 0.95), (0.02, 0.5))
    pen.shape(colour, (0.26, 0.12), (0.72, 0.1), (0.88, 0.4), (0.76, 0.72), (0.2, 0.74), (0.1, 0.46))


def _crossed(pen: _Pen, colour: Colour) -> None:
    pen.box(colour, 0.0, 0.0, 1.0, 1.0)
    for ends in (((0.1, 0.1), (0.9, 0.9)), ((0.9, 0.1), (0.1, 0.9))):
        pen.line(_shade(colour, 0.55), *ends, 0.14)


def _barrel(pen: _Pen, colour: Colour) -> None:
    pen.box(colour, 0.14, 0.04, 0.72, 0.92, 0.18)
    for y in (0.24, 0.66):
        pen.box(_shade(colour, 0.55), 0.14, y, 0.72, 0.09)


_SPRITES: dict[str, Callable[[_Pen, Colour], None]] = {
    "rover": _rover,
    "head": _head,
    "disc": _disc,
    "walker": _walker,
    "beetle": _beetle,
    "saucer": _saucer,
    "cube": _cube,
    "tile": _tile,
    "gem": _gem,
    "crate": _crate,
    "ball": _ball,
    "bricks": _bricks,
    "stone": _stone,
    "crossed": _crossed,
    "barrel": _barrel,
}


@lru_cache(maxsize=1024)
def _sprite(name: str, colour: Colour, cell_side: int) -> pygame.Surface:
    large = pygame.Surface((cell_side * SMOOTH, cell_side * SMOOTH), pygame.SRCALPHA)
    large.fill((*colour, 0))  # edges blend into their own colour, not into black
    _SPRITES[name](_Pen(large), colour)
    return pygame.transform.smoothscale(large, (cell_side, cell_side))
