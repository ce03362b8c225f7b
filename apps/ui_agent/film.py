"""Steps as a film: a cursor moves to each click, the instruction below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from PIL import Image, ImageDraw

from apps.ui_agent.agent import Step
from apps.ui_agent.overlay import picture
from core.fonts import font_for
from core.geometry import Point, Size
from core.images import open_image
from core.marks import CLICK_COLOUR

FRAMES_PER_SECOND = 15
MOVE, PRESS, HOLD = 14, 5, 16
"""Frames: the cursor's way, the press, and the result."""

SHORTEST = 160
"""Pixels: room for the caption beside even the thinnest screenshot."""

CURSOR = ((0, 0), (0, 17), (4, 13), (7, 20), (10, 19), (7, 12), (13, 12))
"""Outline of the arrow at 1x, its tip at the origin."""


def side_of(path: str) -> int:
    """The longer side of a film's picture in pixels: a GIF of full size would take tens of megabytes."""
    return 640 if path.lower().endswith(".gif") else 1280


def film(steps: Sequence[tuple[Step, str]], side: int) -> Iterator[Image.Image]:
    """RGB frames of one size, at FRAMES_PER_SECOND, for steps in order, each with the path of its screenshot.

    ``side`` is the most pixels that the longer side of a picture takes. The first screenshot sets its shape; others are
    fitted into it.
    """
    first, _ = steps[0]
    scale = min(1.0, side / max(first.size))
    view = max(SHORTEST, round(first.size[0] * scale)), max(SHORTEST, round(first.size[1] * scale))
    cursor = Point(view[0] * 0.5, view[1] * 0.5)
    for number, (step, screenshot) in enumerate(steps, 1):
        image = open_image(screenshot)
        screen, to_view = _fit(image, view)
        caption = _caption(step, number, len(steps), view)
        if step.point is not None:
            target = Point(step.point.x * to_view[0] + to_view[1], step.point.y * to_view[0] + to_view[2])
            for frame in range(MOVE):
                yield _frame(screen, caption, _between(cursor, target, _ease((frame + 1) / MOVE)))
            cursor = target
            for frame in range(PRESS):
                yield _frame(screen, caption, cursor, ring=(frame + 1) / PRESS)
        screen, _ = _fit(picture(step, image), view)
        for _ in range(HOLD):
            yield _frame(screen, caption, cursor)


def _fit(image: Image.Image, view: Size) -> tuple[Image.Image, tuple[float, float, float]]:
    """The picture centred in the view, and (scale, x, y) of the way there."""
    scale = min(view[0] / image.width, view[1] / image.height)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    x, y = (view[0] - size[0]) // 2, (view[1] - size[1]) // 2
    canvas = Image.new("RGB", view, "#1b1b1f")
    canvas.paste(image.resize(size, Image.Resampling.LANCZOS), (x, y))
    return canvas, (scale, x, y)


def _caption(step: Step, number: int, count: int, view: Size) -> Image.Image:
    size = max(13, round(view[0] / 64))
    bar = Image.new("RGB", (view[0], size * 2 + (view[1] + size * 2) % 2), "#1b1b1f")
    text = " ".join((step.instruction or "(parse only)").split())
    text = f"{number}/{count}  {text}"
    if step.point is None and step.kind == "click":
        text += "  (no click)"
    face = font_for(text, size)
    while len(text) > 1 and face.getlength(text) > bar.width - 2 * size:
        text = text[:-2] + "\u2026"
    ImageDraw.Draw(bar).text((size, bar.height / 2), text, font=face, fill="white", anchor="lm")
    return bar


def _frame(screen: Image.Image, caption: Image.Image, cursor: Point, ring: float | None = None) -> Image.Image:
    frame = Image.new("RGB", (screen.width, screen.height + caption.height))
    frame.paste(screen, (0, 0))
    frame.paste(caption, (0, screen.height))
    draw = ImageDraw.Draw(frame)
    unit = max(1.0, screen.width / 800)
    if ring is not None:
        radius = (6 + 18 * ring) * unit
        circle = (cursor.x - radius, cursor.y - radius, cursor.x + radius, cursor.y + radius)
        draw.ellipse(circle, outline=CLICK_COLOUR, width=round(3 * unit))
    arrow = [(cursor.x + x * unit, cursor.y + y * unit) for x, y in CURSOR]
    draw.polygon(arrow, fill="black", outline="white", width=max(1, round(unit)))
    return frame


def _between(start: Point, end: Point, share: float) -> Point:
    return Point(start.x + (end.x - start.x) * share, start.y + (end.y - start.y) * share)


def _ease(share: float) -> float:
    """Slow at both ends, as a hand moves."""
    return share * share * (3 - 2 * share)
