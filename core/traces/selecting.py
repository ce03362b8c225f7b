"""Which points become marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from sklearn.cluster import KMeans

from core.generators import finish
from core.geometry import Point, Size
from core.traces.stabilising import stabilise
from core.traces.tracking import Tracks, grid_points, track

MOVING_STEP = 1 / 256
"""Of the shorter side: points whose mean step is longer move."""

MOVING_MARKS, STATIC_MARKS = (2, 5), (6, 14)
"""How many clusters, from and to."""


@dataclass(frozen=True)
class Selected:
    """One point index per cluster."""

    moving: tuple[int, ...]
    static: tuple[int, ...]


def select(tracks: Tracks, size: Size, seed: int) -> Selected:
    """Split stabilised tracks into moving and static, cluster each, and take the point nearest to each centre.

    Points that are hidden in half of the frames or more are left out.
    """
    generator = np.random.default_rng(seed)
    kept = tracks.visible.mean(axis=0) > 0.5
    moving = kept & (mean_steps(tracks) > MOVING_STEP * min(size))
    ways = tracks.points.transpose(1, 0, 2).reshape(tracks.points.shape[1], -1)
    moving_count, static_count = (int(generator.integers(low, high + 1)) for low, high in (MOVING_MARKS, STATIC_MARKS))
    return Selected(
        _cluster(ways, np.flatnonzero(moving), moving_count, seed),
        _cluster(tracks.points[0], np.flatnonzero(kept & ~moving), static_count, seed),
    )


def mean_steps(tracks: Tracks) -> np.ndarray:
    """The mean length in pixels of each point's steps between frames that see it: [n], 0 where there is none."""
    steps = np.linalg.norm(np.diff(tracks.points, axis=0), axis=2)
    both = tracks.visible[1:] & tracks.visible[:-1]
    return (steps * both).sum(axis=0) / np.maximum(both.sum(axis=0), 1)


def number_marks(selected: Selected, seed: int) -> dict[int, int]:
    """Numbers from 1 on, in seeded random order, mapped to point indices: the number must not give motion away."""
    order = np.random.default_rng(seed).permutation(selected.moving + selected.static)
    return {number: int(point) for number, point in enumerate(order, 1)}


def propose_marks(frames: Sequence[np.ndarray], count: int, seed: int) -> dict[int, Point]:
    """Marks 1..count for frames[0], in its pixels, spread out: on what moves where later frames are given, and on
    what stands out."""
    height, width = frames[0].shape[:2]
    size = width, height
    chosen: list[np.ndarray] = []
    if len(frames) > 1:
        tracks = stabilise(finish(track(frames, grid_points(size))), size).tracks
        moving = (tracks.visible.mean(axis=0) > 0.5) & (mean_steps(tracks) > MOVING_STEP * min(size))
        chosen += [tracks.points[0][i] for i in _cluster(tracks.points[0], np.flatnonzero(moving), count, seed)]
    grey = cv2.cvtColor(frames[0], cv2.COLOR_RGB2GRAY)
    corners = cv2.goodFeaturesToTrack(grey, 500, 0.01, min(size) / 20)
    if corners is not None:
        chosen += list(corners[:, 0] + 0.5)
    chosen += list(grid_points(size, 8))
    apart: list[np.ndarray] = []
    spacing = min(size) / 8
    while len(apart) < count:
        for point in chosen:
            if len(apart) < count and all(np.linalg.norm(point - other) >= spacing for other in apart):
                apart.append(point)
        spacing /= 2
    order = np.random.default_rng(seed).permutation(count)
    return {number: Point(*map(float, apart[i])) for number, i in enumerate(order, 1)}


def _cluster(features: np.ndarray, members: np.ndarray, count: int, seed: int) -> tuple[int, ...]:
    count = min(count, len(members))
    if not count:
        return ()
    clusters = KMeans(count, n_init=4, random_state=seed).fit(features[members])
    distances = clusters.transform(features[members])
    return tuple(int(members[i]) for i in distances.argmin(axis=0))
