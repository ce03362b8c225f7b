"""Points and boxes in pixels, and the only conversions to the other frames.

The frame everywhere is pixels of the picture the user gave: floats, origin top left, x to the right, y down,
boxes as (x1, y1, x2, y2) with x2 and y2 exclusive. Models speak three others, each converted here and nowhere else:

- unit: 0..1 of each side,
- thousand: integers 0..1000 of each side (``<box>`` replies),
- grid: integers 0..255, the 256 x 256 grid of Trace-of-Mark.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

GRID = 256

Size = tuple[int, int]
"""(width, height) of a picture in pixels, both at least 1."""


@dataclass(frozen=True)
class Point:
    x: float
    y: float

    def clamp(self, size: Size) -> Point:
        """The nearest point that lies on the picture."""
        return Point(min(max(self.x, 0.0), size[0] - 1.0), min(max(self.y, 0.0), size[1] - 1.0))

    def distance(self, other: Point) -> float:
        return math.hypot(self.x - other.x, self.y - other.y)


@dataclass(frozen=True)
class Box:
    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def width(self) -> float:
        return max(0.0, self.x2 - self.x1)

    @property
    def height(self) -> float:
        return max(0.0, self.y2 - self.y1)

    @property
    def area(self) -> float:
        return self.width * self.height

    @property
    def center(self) -> Point:
        return Point((self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2)

    def contains(self, point: Point) -> bool:
        """Edges included."""
        return self.x1 <= point.x <= self.x2 and self.y1 <= point.y <= self.y2

    def intersection(self, other: Box) -> float:
        """Shared area in square pixels."""
        width = min(self.x2, other.x2) - max(self.x1, other.x1)
        height = min(self.y2, other.y2) - max(self.y1, other.y1)
        return max(0.0, width) * max(0.0, height)

    def iou(self, other: Box) -> float:
        shared = self.intersection(other)
        union = self.area + other.area - shared
        return shared / union if union > 0 else 0.0

    def inside(self, other: Box) -> float:
        """The share of this box that lies in the other, 0..1."""
        return self.intersection(other) / self.area if self.area > 0 else 0.0

    def union(self, other: Box) -> Box:
        return Box(min(self.x1, other.x1), min(self.y1, other.y1), max(self.x2, other.x2), max(self.y2, other.y2))

    def pad(self, pixels: float) -> Box:
        return Box(self.x1 - pixels, self.y1 - pixels, self.x2 + pixels, self.y2 + pixels)

    def clamp(self, size: Size) -> Box:
        """The part that lies on the picture."""
        width, height = size
        x1, y1 = min(max(self.x1, 0.0), width), min(max(self.y1, 0.0), height)
        return Box(x1, y1, min(max(self.x2, x1), width), min(max(self.y2, y1), height))

    def scale(self, factor_x: float, factor_y: float) -> Box:
        return Box(self.x1 * factor_x, self.y1 * factor_y, self.x2 * factor_x, self.y2 * factor_y)

    def as_ints(self) -> tuple[int, int, int, int]:
        """Whole pixels that cover the box, for cropping and drawing."""
        return math.floor(self.x1), math.floor(self.y1), math.ceil(self.x2), math.ceil(self.y2)


def to_unit(point: Point, size: Size) -> Point:
    return Point(point.x / size[0], point.y / size[1])


def from_unit(point: Point, size: Size) -> Point:
    return Point(point.x * size[0], point.y * size[1])


def to_thousand(point: Point, size: Size) -> tuple[int, int]:
    return round(point.x / size[0] * 1000), round(point.y / size[1] * 1000)


def from_thousand(x: float, y: float, size: Size) -> Point:
    return Point(x / 1000 * size[0], y / 1000 * size[1])


def to_grid(point: Point, size: Size) -> tuple[int, int]:
    """The cell that holds the point; points off the picture go to the nearest cell."""
    cell_x, cell_y = math.floor(point.x / size[0] * GRID), math.floor(point.y / size[1] * GRID)
    return min(max(cell_x, 0), GRID - 1), min(max(cell_y, 0), GRID - 1)


def from_grid(x: int, y: int, size: Size) -> Point:
    """The centre of the cell, so that ``to_grid(from_grid(x, y))`` is (x, y)."""
    return Point((x + 0.5) / GRID * size[0], (y + 0.5) / GRID * size[1])
