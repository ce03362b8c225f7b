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

MOVING_WAY = 1 / 40
"""Of the shorter side: points that never get further than this from where they were stand still."""

MOVING_MARKS, STATIC_MARKS = (2, 5), (6, 14)
"""How many clusters, from and to."""

WHOLE = 0.75
"""Of the frames that the best moving point is seen on: those on which a moving mark is seen at least."""

SALIENT_SIDE = 240
"""Pixels: the shorter side at which a picture is looked over for what stands out."""


@dataclass(frozen=True)
class Selected:
    """One point index per cluster."""

    moving: tuple[int, ...]
    static: tuple[int, ...]


def select(tracks: Tracks, size: Size, seed: int) -> Selected:
    """Split stabilised tracks into moving and static, cluster each, and take a point of each cluster.

    Points that are hidden in half of the frames or more are left out, and moving ones that are seen much less than
    others: they lie on the rim of what moves, where a patch is half its ground.
    """
    generator = np.random.default_rng(seed)
    moving_count, static_count = (int(generator.integers(low, high + 1)) for low, high in (MOVING_MARKS, STATIC_MARKS))
    seen = tracks.visible.mean(axis=0)
    kept, moving = seen > 0.5, moving_points(tracks, size)
    whole = kept & moving & (seen >= WHOLE * seen[moving].max(initial=0.0))
    starts = tracks.points[0]
    ways = np.concatenate([starts, _travelled(tracks)], axis=1)
    return Selected(
        _cluster(ways, np.flatnonzero(whole), seen, moving_count, seed),
        _cluster(starts, np.flatnonzero(kept & ~moving), seen, static_count, seed),
    )


def moving_points(tracks: Tracks, size: Size) -> np.ndarray:
    """Which points of stabilised tracks move, bool [n]: by the mean step and by how far they get, because what trembles
    makes steps too."""
    away = np.linalg.norm(tracks.points - tracks.points[0], axis=2) * tracks.visible
    return (mean_steps(tracks) > MOVING_STEP * min(size)) & (away.max(axis=0) > MOVING_WAY * min(size))


def mean_steps(tracks: Tracks) -> np.ndarray:
    """The mean length in pixels of each point's steps between frames that see it: [n], 0 where there is none."""
    steps = np.linalg.norm(np.diff(tracks.points, axis=0), axis=2)
    both = tracks.visible[1:] & tracks.visible[:-1]
    return (steps * both).sum(axis=0) / np.maximum(both.sum(axis=0), 1)


def _travelled(tracks: Tracks) -> np.ndarray:
    """How far each point goes in the whole clip, as far as it is seen and at that pace: (x, y) in pixels, [n, 2]."""
    both = (tracks.visible[1:] & tracks.visible[:-1])[..., None]
    steps = np.diff(tracks.points, axis=0) * both
    return steps.sum(axis=0) / np.maximum(both.sum(axis=0), 1) * len(steps)


def number_marks(selected: Selected, seed: int) -> dict[int, int]:
    """Numbers from 1 on, in seeded random order, mapped to point indices: the number must not give motion away."""
    order = np.random.default_rng(seed).permutation(selected.moving + selected.static)
    return {number: int(point) for number, point in enumerate(order, 1)}


def propose_marks(frames: Sequence[np.ndarray], count: int, seed: int) -> dict[int, Point]:
    """Marks 1..count for frames[0], in its pixels, in seeded random order: on what moves where later frames are given,
    else and for the rest on what stands out; spread out."""
    height, width = frames[0].shape[:2]
    size = width, height
    candidates: list[np.ndarray] = []
    if len(frames) > 1:
        tracks = stabilise(finish(track(frames, grid_points(size))), size).tracks
        seen = tracks.visible.mean(axis=0)
        moving = np.flatnonzero((seen > 0.5) & moving_points(tracks, size))
        candidates += [tracks.points[0][index] for index in _cluster(tracks.points[0], moving, seen, count, seed)]
    candidates += [*_salient(frames[0]), *grid_points(size, 16)]
    chosen: list[np.ndarray] = []
    spacing = min(size) / 8
    while len(chosen) < count:
        for point in candidates:
            if len(chosen) < count and all(np.linalg.norm(point - other) >= spacing for other in chosen):
                chosen.append(point)
        spacing = spacing / 2 if spacing > 0.1 else 0.0
    order = np.random.default_rng(seed).permutation(count)
    return {number: Point(*map(float, chosen[index])) for number, index in enumerate(order, 1)}


def _salient(frame: np.ndarray) -> np.ndarray:
    """Points [n, 2] whose colour differs most from that of their surroundings, best first: the middle of things
    (centre-surround contrast over scales, after Itti et al. 1998)."""
    height, width = frame.shape[:2]
    scale = min(1.0, SALIENT_SIDE / min(height, width))
    small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    colours = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    contrast = np.zeros(small.shape[:2], np.float32)
    for share in (1 / 40, 1 / 24, 1 / 14):
        sigma = share * min(small.shape[:2])
        centre, surround = (cv2.GaussianBlur(colours, (0, 0), factor * sigma) for factor in (0.7, 2.0))
        contrast = np.maximum(contrast, np.linalg.norm(centre - surround, axis=2))
    reach = 2 * round(min(small.shape[:2]) / 24) + 1
    peaks = (contrast == cv2.dilate(contrast, np.ones((reach, reach), np.uint8))) & (contrast > 2.0)
    rows, columns = np.nonzero(peaks)
    order = np.argsort(-contrast[rows, columns], kind="stable")
    return (np.stack([columns, rows], axis=1)[order] + 0.5) / scale


def _cluster(features: np.ndarray, members: np.ndarray, seen: np.ndarray, count: int, seed: int) -> tuple[int, ...]:
    """At most ``count`` of the ``members``, one for each cluster of their features [n, k]: of those that are ``seen``
    [n] most, the one nearest to the centre."""
    count = min(count, len(members))
    if not count:
        return ()
    clusters = KMeans(count, n_init=4, random_state=seed).fit(features[members])
    distances = clusters.transform(features[members])
    return tuple(
        int(
            members[
                min(np.flatnonzero(clusters.labels_ == label), key=lambda i: (-seen[members[i]], distances[i, label]))
            ]
        )
        for label in np.unique(clusters.labels_)
    )
