"""The table's own frame: (across, deep), 0..1 from its left and from its far edge, as the picture shows it."""

from __future__ import annotations

import cv2
import numpy as np

from core.geometry import Point

LEAST_FILLED = 0.85
"""Share of a quadrilateral that the table's outline must fill to be taken for one seen in perspective."""


class Table:
    """Maps between the picture's pixels and the table. ``mask`` is bool [h, w], the table's outline filled; ``scale``
    the picture's pixels for each of the mask's, in x and y.

    An outline that is no quadrilateral gives way to its bounding box, which knows no perspective.
    """

    def __init__(self, mask: np.ndarray, scale: tuple[float, float]) -> None:
        outline = cv2.convexHull(np.argwhere(mask)[:, ::-1].astype(np.float32))
        left, top, width, height = cv2.boundingRect(outline)
        corners = np.float32([(left, top), (left + width, top), (left + width, top + height), (left, top + height)])
        if len(outline) > 4:
            corners = _quadrilateral(outline, corners)
        square = np.float32([(0, 0), (1, 0), (1, 1), (0, 1)])
        self._to_picture = cv2.getPerspectiveTransform(square, (corners + 0.5) * np.float32(scale)).astype(np.float64)
        self._to_table = np.linalg.inv(self._to_picture)

    def locate(self, point: Point) -> tuple[float, float]:
        """(across, deep) of the table's point that is seen there."""
        return _map(self._to_table, point.x, point.y)

    def point(self, across: float, deep: float) -> Point:
        return Point(*_map(self._to_picture, across, deep))

    def width(self, deep: float) -> float:
        """Pixels from the left to the right edge at this depth."""
        return self.point(0.0, deep).distance(self.point(1.0, deep))


def _quadrilateral(outline: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """The corners [4, 2], far left first and then clockwise."""
    corners = cv2.approxPolyN(outline, 4, ensure_convex=True).reshape(-1, 2).astype(np.float32)
    if len(corners) != 4 or cv2.contourArea(outline) < LEAST_FILLED * cv2.contourArea(corners):
        return otherwise
    far, near = np.split(corners[np.argsort(corners[:, 1], kind="stable")], 2)
    far, near = far[np.argsort(far[:, 0])], near[np.argsort(near[:, 0])]
    ordered = np.stack([far[0], far[1], near[1], near[0]])
    return ordered if cv2.isContourConvex(ordered) else otherwise


def _map(homography: np.ndarray, x: float, y: float) -> tuple[float, float]:
    across, down, depth = homography @ (x, y, 1.0)
    depth = depth if abs(depth) > 1e-9 else 1e-9
    return float(across / depth), float(down / depth)
