"""Traces on a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from PIL import Image, ImageColor

from core.geometry import Point
from core.marks import PALETTE


def draw_traces(image: Image.Image, paths: Mapping[int, Sequence[Point]], shown: float = 1.0) -> Image.Image:
    """A copy of the picture with the first ``shown`` (0..1) of each path, by its steps, in the colour of its mark.

    The last position shown bears a dot.
    """
    picture = np.array(image.convert("RGB"))
    unit = max(1.0, min(image.size) / 360)
    for mark, path in paths.items():
        points = _until(np.array([(point.x, point.y) for point in path], np.float64).reshape(-1, 2), shown)
        if not len(points):
            continue
        fixed = np.round((points - 0.5) * 16).astype(np.int32)
        colour = ImageColor.getrgb(PALETTE[mark % len(PALETTE)])
        for tint, width, radius in (((255, 255, 255), 4, 5), (colour, 2, 3.5)):
            cv2.polylines(picture, [fixed], False, tint, round(width * unit), cv2.LINE_AA, 4)
            cv2.circle(picture, tuple(map(int, fixed[-1])), round(radius * unit * 16), tint, -1, cv2.LINE_AA, 4)
    return Image.fromarray(picture)


def _until(points: np.ndarray, shown: float) -> np.ndarray:
    """The polyline's first ``shown`` part, its last step cut where that falls."""
    end = min(max(shown, 0.0), 1.0) * (len(points) - 1)
    whole = int(end)
    if whole >= len(points) - 1:
        return points
    last = points[whole] + (points[whole + 1] - points[whole]) * (end - whole)
    return np.vstack([points[: whole + 1], last])
