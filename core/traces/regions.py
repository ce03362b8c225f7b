"""Points on plain surfaces: a patch of one colour says nothing about where it went, its outline does."""

from __future__ import annotations

import cv2
import numpy as np

SAME_COLOUR = 14
"""Of 255, in each channel: what belongs to the surface around a point."""

LARGEST = 1 / 12
"""Of the picture's area: a larger surface is ground or wall, which has no outline to go by."""

SMALLEST = 1 / 1000
"""Of the picture's area: a smaller one is a speck of texture."""

RIM = 3
"""Pixels around the surface that are matched with it."""

REACH = 1 / 8
"""Of the shorter side: the longest step that is looked for."""

UNLIKE = 24.0
"""Of 255: the root mean square difference above which the surface is not the one that was there."""


def follow_surfaces(
    before: np.ndarray, after: np.ndarray, points: np.ndarray, camera: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where points [n, 2] that lie on small plain surfaces of ``before`` are in ``after``, RGB uint8 [h, w, 3] both,
    and for which this can be told: float32 [n, 2] and bool [n]. All in OpenCV's coordinates.

    ``camera`` [2, 3] takes what stands still from ``before`` to ``after``; upon that a surface slides, but does not
    turn.
    """
    there, found = points.copy(), np.zeros(len(points), bool)
    if not len(points):
        return there, found
    height, width = before.shape[:2]
    after = cv2.warpAffine(after, camera, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    before, after = (cv2.GaussianBlur(frame, (5, 5), 0) for frame in (before, after))
    todo = np.ones(len(points), bool)
    columns, rows = np.clip(np.round(points).astype(int), 0, (width - 1, height - 1)).T
    for index in range(len(points)):
        if not todo[index]:
            continue
        surface = _surface(before, (int(columns[index]), int(rows[index])))
        together = todo & (surface[rows, columns] > 0)  # points on one surface move together
        together[index] = True
        todo &= ~together
        step = _shift(before, after, surface)
        if step is not None:
            there[together] += step
            found |= together
    return move(there, camera), found


def move(points: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Points [n, 2] through an affine motion [2, 3]: float32 [n, 2]."""
    return (points @ motion[:, :2].T + motion[:, 2]).astype(np.float32)


def _surface(frame: np.ndarray, seed: tuple[int, int]) -> np.ndarray:
    """The connected pixels of the seed's colour: uint8 [h, w], 0 or 255."""
    mask = np.zeros((frame.shape[0] + 2, frame.shape[1] + 2), np.uint8)
    flags = 4 | cv2.FLOODFILL_FIXED_RANGE | cv2.FLOODFILL_MASK_ONLY | 255 << 8
    cv2.floodFill(frame, mask, seed, 0, (SAME_COLOUR,) * 3, (SAME_COLOUR,) * 3, flags)
    return mask[1:-1, 1:-1]


def _shift(before: np.ndarray, after: np.ndarray, surface: np.ndarray) -> np.ndarray | None:
    """How far the surface went, (x, y) to a fraction of a pixel; None where it cannot be told."""
    height, width = surface.shape
    area = cv2.countNonZero(surface)
    if not SMALLEST * width * height <= area <= LARGEST * width * height:
        return None
    surface = cv2.dilate(surface, np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8))
    x, y, across, down = cv2.boundingRect(surface)
    if x == 0 or y == 0 or x + across == width or y + down == height:
        return None  # part of its outline is the picture's edge, which stays
    reach = round(REACH * min(width, height))
    left, top = max(0, x - reach), max(0, y - reach)
    window = after[top : y + down + reach, left : x + across + reach]
    mask = surface[y : y + down, x : x + across]
    patch = before[y : y + down, x : x + across]
    difference = cv2.matchTemplate(window, patch, cv2.TM_SQDIFF, mask=cv2.merge([mask // 255] * 3))
    row, column = np.unravel_index(np.argmin(difference), difference.shape)
    if difference[row, column] > UNLIKE**2 * 3 * cv2.countNonZero(mask):
        return None
    return np.array(
        [
            left + column + _vertex(difference[row, :], column) - x,
            top + row + _vertex(difference[:, column], row) - y,
        ],
        np.float32,
    )


def _vertex(values: np.ndarray, lowest: int) -> float:
    """Where a parabola through the lowest value and its neighbours is lowest, -0.5..0.5 from it."""
    if not 0 < lowest < len(values) - 1:
        return 0.0
    before, at, after = map(float, values[lowest - 1 : lowest + 2])
    bend = before - 2 * at + after
    return (before - after) / (2 * bend) if bend > 0 else 0.0
