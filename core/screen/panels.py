"""Panels of a screenshot: the cards, dialogs, bars and rows that hold what belongs together.

A panel is a flat patch with a closed outline, as a control is, but large enough to hold several. What lies on it leaves
holes in the patch, and what covers a part of it a dent.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.geometry import Box
from core.screen.controls import edges_of, outlines, text_height

SIDE, AREA = 2.0, 30.0
"""The shorter side of a panel, in heights of a line of text, and its area, in squares of that, at least."""
MOST_OF_SCREEN = 0.9
"""The share of the screen beyond which a panel is its background."""
DENTED = 0.6
"""The share of its bounding box that a panel fills at least."""
BORDER = 4
"""Pixels by which the two sides of one border lie apart at most."""
MOST = 300
"""Panels beyond this many, smallest first, are left out."""


def find_panels(image: np.ndarray, texts: Sequence[Box]) -> list[Box]:
    """The bounding boxes of the panels of an RGB picture [H, W, 3] uint8, in its pixels, the largest first."""
    height, width = image.shape[:2]
    unit = text_height((height, width), texts)
    found: list[tuple[int, int, int, int]] = []
    for edges in edges_of(image)[1:]:
        for x, y, w, h, area, hole in outlines(edges.astype(np.uint8)):
            if hole or min(w, h) < SIDE * unit or w * h < AREA * unit**2 or w * h > MOST_OF_SCREEN * width * height:
                continue
            if area >= DENTED * (w - 1) * (h - 1):
                found.append((x, y, x + w, y + h))
    kept = np.zeros((0, 4), int)
    for box in sorted(found, key=lambda box: (box[0] - box[2]) * (box[3] - box[1])):
        if len(kept) < MOST and not (np.abs(kept - box).max(axis=1) <= BORDER).any():
            kept = np.vstack([kept, box])
    return [Box(*map(float, box)) for box in kept]
