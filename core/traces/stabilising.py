"""The camera's motion taken out of tracks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from core.geometry import Size
from core.traces.tracking import Tracks

Fit = Literal["homography", "similarity", "frame before"]

INLIER = 1 / 256
"""Of the shorter side: how far a point of the background may lie from where the camera's motion puts it."""

ENOUGH = 12
"""Points: three times what a homography takes, so that errors show."""

MOST = 16.0
"""Times that an area may grow or shrink."""


@dataclass(frozen=True)
class Stabilised:
    """``tracks`` in the first frame's coordinates; ``homographies`` float64 [frames, 3, 3] map frame t to frame 0;
    ``fits`` says by frame what was fitted, or that there was too little to fit and the frame before's is used."""

    tracks: Tracks
    homographies: np.ndarray
    fits: tuple[Fit, ...]


def stabilise(tracks: Tracks, size: Size, background: np.ndarray | None = None) -> Stabilised:
    """Fit the camera's motion to the visible points and remove it; every frame keeps its place and its visibility.

    ``background``, bool [n], says which points may tell of the camera; all by default.
    """
    usable = tracks.visible[0] if background is None else tracks.visible[0] & background
    homographies, fits = [np.eye(3)], ["homography"]
    for points, visible in zip(tracks.points[1:], tracks.visible[1:], strict=True):
        both = usable & visible
        homography, fit = _fit(points[both], tracks.points[0][both], size)
        homographies.append(homographies[-1] if homography is None else homography)
        fits.append(fit)
    homographies = np.stack(homographies)
    points = np.stack(
        [warp(points, homography) for points, homography in zip(tracks.points, homographies, strict=True)]
    )
    return Stabilised(Tracks(points.astype(np.float32), tracks.visible), homographies, tuple(fits))


def warp(points: np.ndarray, homography: np.ndarray) -> np.ndarray:
    """Points [n, 2] through a homography [3, 3]: float64 [n, 2]."""
    mapped = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ homography.T
    return mapped[:, :2] / mapped[:, 2:]


def _fit(source: np.ndarray, target: np.ndarray, size: Size) -> tuple[np.ndarray | None, Fit]:
    threshold = INLIER * min(size)
    if len(source) >= ENOUGH:
        homography, _ = cv2.findHomography(source, target, cv2.USAC_MAGSAC, threshold)
        if homography is not None:
            homography = _refined(homography, source, target)
            if _plausible(homography, size):
                return homography, "homography"
    if len(source) >= 3:
        similarity, _ = cv2.estimateAffinePartial2D(source, target, ransacReprojThreshold=threshold)
        if similarity is not None:
            homography = np.vstack([similarity, (0, 0, 1)])
            if _plausible(homography, size):
                return homography, "similarity"
    return None, "frame before"


def _plausible(homography: np.ndarray, size: Size) -> bool:
    """Whether a camera could have done that within a clip: nothing at infinity or turned over, and no corner of the
    picture stretched or shrunk beyond MOST. Points on one line, or few of them, fit worse."""
    width, height = size
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
    depths = np.column_stack([corners, np.ones(4)]) @ homography[2]
    if not np.isfinite(homography).all() or depths.min() <= 0:
        return False
    growth = np.linalg.det(homography) / depths**3  # of the area at each corner
    return bool((growth > 1 / MOST).all() and (growth < MOST).all())


def _refined(homography: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Least squares over the points within three deviations, which the points themselves tell: MAGSAC's own answer
    wobbles by a few tenths of a pixel from frame to frame."""
    for _ in range(3):
        residuals = np.linalg.norm(warp(source, homography) - target, axis=1)
        near = residuals <= max(3 * 1.4826 * np.median(residuals), 0.05)
        better, _ = cv2.findHomography(source[near], target[near], 0)
        if better is None:
            break
        homography = better
    return homography
