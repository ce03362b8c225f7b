"""Points followed through a clip.

The frame of points is that of ``core.geometry``: the centre of the top left pixel is (0.5, 0.5), so that points of a
clip read at another size differ by a factor and nothing else. OpenCV puts that centre at (0, 0): the half pixel is
added and taken here.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from core.errors import UserError
from core.geometry import Size

WINDOW = 21
"""Pixels: the side of the patch that Lucas-Kanade matches."""

FORWARD_BACKWARD = 1 / 256
"""Of the shorter side: a point that does not come back this near to where it was is lost."""


@dataclass(frozen=True)
class Tracks:
    """``points`` float32 [frames, n, 2], (x, y) in pixels; ``visible`` bool [frames, n]. What is not visible has a
    guessed position."""

    points: np.ndarray
    visible: np.ndarray


def grid_points(size: Size, side: int = 15) -> np.ndarray:
    """The centres of side x side equal cells: float32 [side * side, 2] in pixels, row by row."""
    steps = (np.arange(side, dtype=np.float32) + 0.5) / side
    x, y = np.meshgrid(steps * size[0], steps * size[1])
    return np.stack([x.ravel(), y.ravel()], axis=1)


def track(
    frames: Sequence[np.ndarray], points: np.ndarray, tracker: str = "lucas-kanade"
) -> Generator[int, None, Tracks]:
    """Follow ``points`` [n, 2] of frames[0] through RGB uint8 frames [h, w, 3] of one size; yields the count of frames
    done. Raises UserError for a tracker that is not there."""
    if tracker != "lucas-kanade":
        raise UserError(f"There is no tracker {tracker!r}; there is lucas-kanade.")
    return (yield from _lucas_kanade(frames, points))


def _lucas_kanade(frames: Sequence[np.ndarray], points: np.ndarray) -> Generator[int, None, Tracks]:
    height, width = frames[0].shape[:2]
    limit = FORWARD_BACKWARD * min(height, width)
    levels = 3
    now = np.ascontiguousarray(points, np.float32).reshape(-1, 1, 2) - np.float32(0.5)
    seen = np.ones(len(now), bool)
    way, visible = [now[:, 0]], [seen]
    before = cv2.cvtColor(frames[0], cv2.COLOR_RGB2GRAY)
    yield 1
    options = {"winSize": (WINDOW, WINDOW), "maxLevel": levels, "minEigThreshold": 1e-4}
    for count, frame in enumerate(frames[1:], 2):
        after = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        if len(now):
            there, found, _ = cv2.calcOpticalFlowPyrLK(before, after, now, None, **options)
            back, returned, _ = cv2.calcOpticalFlowPyrLK(after, before, there, None, **options)
            error = np.linalg.norm(back - now, axis=2)[:, 0]
            inside = ((there[:, 0] >= 0) & (there[:, 0] <= (width - 1, height - 1))).all(axis=1)
            seen = seen & (found[:, 0] > 0) & (returned[:, 0] > 0) & (error <= limit) & inside
            now = np.where(seen[:, None, None], there, now)
        way.append(now[:, 0])
        visible.append(seen)
        before = after
        yield count
    return Tracks(np.stack(way) + np.float32(0.5), np.stack(visible))
