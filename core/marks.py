"""Set-of-Mark: numbered marks on a picture (Yang et al. 2023, arXiv 2310.11441).

A mark is a box in pixels of the picture and a number. Its label goes to the place around the box that hides least of
the other boxes and labels, and never onto its own box while there is room beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

from core.fonts import Font, font
from core.geometry import Box, Point, Size

MarkStyle = Literal["boxes and numbers", "numbers", "boxes"]

PALETTE = ("#e6194b", "#0082c8", "#2f9e44", "#911eb4", "#d9480f", "#008080", "#c2255c", "#5f3dc4", "#9a6324", "#364fc7")
"""Dark enough for white numerals, far enough apart for neighbours to differ."""

CLICK_COLOUR = "#ff2d55"

POINT_NUMERALS = 17
"""The picture's shorter side over the height of the numerals beside points."""


@dataclass(frozen=True)
class Label:
    """Where the number of a mark is drawn, in pixels, and its colour."""

    box: Box
    colour: str


def place_labels(boxes: Mapping[int, Box], size: Size, font_size: int | None = None) -> dict[int, Label]:
    """Choose a place for the label of every mark. ``boxes`` maps numbers to boxes on a picture of this size.

    Small boxes choose first, as they have most to lose. Every label lies on the picture where the picture can hold it.
    """
    numerals = font(font_size or default_font_size(size))
    around = np.array([[b.x1, b.y1, b.x2, b.y2] for b in boxes.values()], dtype=np.float64).reshape(-1, 4)
    taken = np.empty((0, 4))
    labels: dict[int, Label] = {}
    for mark in sorted(boxes, key=lambda mark: boxes[mark].area):
        width, height = _label_size(str(mark), numerals)
        places = _places(boxes[mark], width, height, size)
        # A label over another label is unreadable, so that counts most; own box next; then what else it would hide.
        own = boxes[mark]
        cost = (
            100.0 * _overlap(places, taken)
            + 10.0 * _overlap(places, np.array([[own.x1, own.y1, own.x2, own.y2]]))
            + _overlap(places, around)
        )
        best = places[int(np.argmin(cost))]
        taken = np.vstack([taken, best])
        labels[mark] = Label(Box(*(float(v) for v in best)), PALETTE[mark % len(PALETTE)])
    return {mark: labels[mark] for mark in boxes}


def draw_marks(
    image: Image.Image,
    boxes: Mapping[int, Box],
    style: MarkStyle = "boxes and numbers",
    font_size: int | None = None,
) -> Image.Image:
    """A copy of the picture with the marks drawn on it."""
    picture = image.copy()
    draw = ImageDraw.Draw(picture)
    numerals = font(font_size or default_font_size(image.size))
    line = max(1, round(min(image.size) / 540))
    labels = place_labels(boxes, image.size, font_size)
    if style != "numbers":
        for mark, box in boxes.items():
            draw.rectangle(_outline(box.pad(line), image.size), outline=labels[mark].colour, width=line)
    if style != "boxes":
        for mark, label in labels.items():
            x1, y1, x2, y2 = label.box.as_ints()
            draw.rectangle((x1, y1, x2 - 1, y2 - 1), fill=label.colour)
            centre = label.box.center
            draw.text((centre.x, centre.y), str(mark), font=numerals, fill="white", anchor="mm")
    return picture


def draw_points(image: Image.Image, points: Mapping[int, Point], font_size: int | None = None) -> Image.Image:
    """A copy of the picture with a dot on every point and its number beside it, so that nothing marked is hidden.

    The default numerals stay legible when the picture is scaled to the 256 x 256 grid of Trace-of-Mark.
    """
    font_size = font_size or max(11, round(min(image.size) / POINT_NUMERALS))
    radius = max(2.0, font_size / 6)
    boxes = {mark: Box(point.x, point.y, point.x, point.y).pad(1.6 * radius) for mark, point in points.items()}
    picture = draw_marks(image, boxes, "numbers", font_size)
    draw = ImageDraw.Draw(picture)
    for mark, point in points.items():
        outline = (point.x - radius, point.y - radius, point.x + radius, point.y + radius)
        draw.ellipse(outline, fill=PALETTE[mark % len(PALETTE)], outline="white")
    return picture


def draw_click(image: Image.Image, point: Point, box: Box | None = None) -> Image.Image:
    """A copy of the picture with the click point as a ringed cross-hair, and its element outlined."""
    picture = image.copy()
    draw = ImageDraw.Draw(picture)
    unit = max(1.0, min(image.size) / 540)
    if box is not None:
        draw.rectangle(_outline(box.pad(3 * unit), image.size), outline=CLICK_COLOUR, width=round(3 * unit))
    for radius, colour, width in ((13, "white", 6), (13, CLICK_COLOUR, 3), (3, "white", 3), (2, CLICK_COLOUR, 2)):
        r = radius * unit
        draw.ellipse((point.x - r, point.y - r, point.x + r, point.y + r), outline=colour, width=round(width * unit))
    return picture


def default_font_size(size: Size) -> int:
    """Readable on a laptop's screen and still legible after the model's own scaling to about a thousand pixels."""
    return max(11, round(min(size) / 72))


def _outline(box: Box, size: Size) -> tuple[float, float, float, float]:
    clamped = box.clamp(size)
    return clamped.x1, clamped.y1, max(clamped.x1, clamped.x2 - 1), max(clamped.y1, clamped.y2 - 1)


def _label_size(text: str, numerals: Font) -> tuple[int, int]:
    left, top, right, bottom = numerals.getbbox(text)
    return math.ceil(right - left) + 6, math.ceil(bottom - top) + 5


def _places(box: Box, width: int, height: int, size: Size) -> np.ndarray:
    """Candidate label boxes [n, 4]: around the box first, its inner corners last, all moved onto the picture."""
    left, right, top, bottom = box.x1, box.x2 - width, box.y1, box.y2 - height
    above, below, before, after = box.y1 - height, box.y2, box.x1 - width, box.x2
    middle_x, middle_y = box.center.x - width / 2, box.center.y - height / 2
    corners = np.array(
        [
            (left, above), (right, above), (left, below), (right, below),
            (before, top), (after, top), (before, bottom), (after, bottom),
            (middle_x, above), (middle_x, below), (before, middle_y), (after, middle_y),
            (left, top), (right, top), (left, bottom), (right, bottom),
        ]
    )  # fmt: skip
    x = corners[:, 0].clip(0, max(0, size[0] - width))
    y = corners[:, 1].clip(0, max(0, size[1] - height))
    return np.stack([x, y, x + width, y + height], axis=1).round()


def _overlap(places: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Area that each place [n, 4] shares with all boxes [m, 4] together, in square pixels: [n]."""
    width = np.minimum(places[:, None, 2], boxes[None, :, 2]) - np.maximum(places[:, None, 0], boxes[None, :, 0])
    height = np.minimum(places[:, None, 3], boxes[None, :, 3]) - np.maximum(places[:, None, 1], boxes[None, :, 1])
    return (width.clip(0) * height.clip(0)).sum(axis=1)
