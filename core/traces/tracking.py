"""Points followed through a clip.

The frame of points is that of ``core.geometry``: the centre of the top left pixel is (0.5, 0.5), so that points of a
clip read at another size differ by a factor and nothing else. OpenCV puts that centre at (0, 0): the half pixel is
added and taken here.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from core.errors import UserError
from core.geometry import Size
from core.traces.regions import follow_surfaces, move

TRACKERS = ("lucas-kanade", "cotracker3", "tapnext", "tapir")

WINDOW = 21
"""Pixels: the side of the patch that Lucas-Kanade matches."""

COARSEST = 32
"""Pixels: about the shorter side of the picture at the top of its pyramid, where large motions are small."""

FORWARD_BACKWARD = 1 / 2048
"""Of the shorter side: a point that does not come back this near to where it was is lost. On a real clip a looser check
lets faint textures follow shadows, and gains nothing elsewhere."""

EXACT = 0.1
"""Pixels: what Lucas-Kanade itself can be held to, however small the picture."""

DRIFT = 1 / 256
"""Of the shorter side: what a look at the first frame corrects; a point found further off is another one."""

LIKENESS = 0.5
"""Correlation of a point's surroundings with those on the first frame, below which it is hidden."""

FOUND_AGAIN = 0.8
"""The same, above which a hidden point is found again."""

SAME_COLOUR = 40.0
"""Of 255, in each channel: how far the colour of a plain surface may stray from what it was on the first frame."""

PATCH = 11
"""Pixels: the side of these surroundings."""


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
    done. All points are taken to be visible on frames[0]. Raises UserError for a tracker that is not there or cannot
    be had; ``core.traces.learnt`` tells what each of the others needs and allows."""
    points = np.asarray(points, np.float32).reshape(-1, 2)
    if tracker == "lucas-kanade":
        return (yield from _lucas_kanade(frames, points))
    if tracker not in TRACKERS:
        raise UserError(f"There is no tracker {tracker!r}; there are {', '.join(TRACKERS)}.")
    from core.traces import learnt  # torch, which Lucas-Kanade does without

    way, visible = yield from getattr(learnt, tracker)(frames, points)
    way = np.concatenate([points[None], way[1:]]).astype(np.float32)
    return Tracks(way, np.concatenate([np.ones((1, len(points)), bool), visible[1:]]))


def _lucas_kanade(frames: Sequence[np.ndarray], points: np.ndarray) -> Generator[int, None, Tracks]:
    """Pyramidal Lucas-Kanade (Bouguet 2001) from frame to frame, in colour, with a forward-backward check (Kalal et al.
    2010). Points on plain surfaces follow their outline. Each point is then sought with its looks on the first frame,
    turned and scaled as the camera has moved since: what is followed drifts no more, and what was hidden is found
    again. A hidden point moves with the camera."""
    height, width = frames[0].shape[:2]
    limit, drift = max(EXACT, FORWARD_BACKWARD * min(height, width)), DRIFT * min(height, width)
    levels = max(0, round(np.log2(min(height, width) / COARSEST)))
    start = points - np.float32(0.5)
    looks, colours = _surroundings(frames[0], start), _colours(frames[0], start)
    camera = np.eye(3)
    now, seen = start, np.ones(len(start), bool)
    way, visible = [now], [seen]
    yield 1
    for count, (before, after) in enumerate(pairwise(frames), 2):
        there, held = _step(before, after, now, now, levels, limit)
        held &= seen & (_correlation(looks, _surroundings(after, there)) > LIKENESS)
        motion = _camera_motion(now, there, held)
        plain = np.flatnonzero(seen & ~held)
        there[plain], held[plain] = follow_surfaces(before, after, now[plain], motion)
        held[plain] &= (np.abs(_colours(after, there[plain]) - colours[plain]) <= SAME_COLOUR).all(axis=1)
        there[~held] = move(now[~held], motion)

        camera = np.vstack([motion, (0, 0, 1)]) @ camera
        first, origin = cv2.warpAffine(frames[0], camera[:2], (width, height)), move(start, camera[:2])
        looks = _surroundings(first, origin)
        found, again = _step(first, after, origin, there, 1, limit)
        likeness = _correlation(looks, _surroundings(after, found))
        near = np.linalg.norm(found - there, axis=1) <= drift
        again &= likeness > np.where(held & near, LIKENESS, FOUND_AGAIN)
        again &= near | ~held
        now, seen = np.where(again[:, None], found, there), held | again
        way.append(now)
        visible.append(seen)
        yield count
    return Tracks(np.stack(way) + np.float32(0.5), np.stack(visible))


def _step(
    before: np.ndarray, after: np.ndarray, start: np.ndarray, guess: np.ndarray, levels: int, limit: float
) -> tuple[np.ndarray, np.ndarray]:
    """Where points [n, 2] went, and which of them lie on the picture and return to within ``limit`` of their start."""
    if not len(start):
        return start, np.zeros(0, bool)
    options = {"winSize": (WINDOW, WINDOW), "maxLevel": levels, "flags": cv2.OPTFLOW_USE_INITIAL_FLOW}
    there, _, _ = cv2.calcOpticalFlowPyrLK(before, after, start, guess.copy(), **options)
    back, _, _ = cv2.calcOpticalFlowPyrLK(after, before, there, there - (guess - start), **options)
    edge = np.array([after.shape[1] - 1, after.shape[0] - 1])
    inside = ((there >= 0) & (there <= edge)).all(axis=1)
    return there, inside & (np.linalg.norm(back - start, axis=1) <= limit)


def _camera_motion(now: np.ndarray, there: np.ndarray, held: np.ndarray) -> np.ndarray:
    """How most of the held points go: a similarity [2, 3], or rest where they are too few to tell."""
    motion = cv2.estimateAffinePartial2D(now[held], there[held])[0] if held.sum() >= 3 else None
    return np.eye(2, 3) if motion is None else motion


def _surroundings(frame: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The grey patch around each point, of mean 0 and length 1: float32 [n, PATCH * PATCH]."""
    if not len(points):
        return np.zeros((0, PATCH * PATCH), np.float32)
    y, x = (offsets.reshape(1, -1) - PATCH // 2 for offsets in np.indices((PATCH, PATCH), np.float32))
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    patches = cv2.remap(grey, points[:, :1] + x, points[:, 1:] + y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    patches -= patches.mean(axis=1, keepdims=True)
    return patches / np.maximum(np.linalg.norm(patches, axis=1, keepdims=True), 1e-6)


def _correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return (first * second).sum(axis=1)


def _colours(frame: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The mean colour around each point: float32 [n, 3], 0..255."""
    columns, rows = np.clip(np.round(points).astype(int), 0, (frame.shape[1] - 1, frame.shape[0] - 1)).T
    return cv2.blur(frame, (5, 5))[rows, columns].astype(np.float32)
