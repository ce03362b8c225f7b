"""Controls on a screenshot, by OpenCV: what is drawn, flat or outlined, and is not text.

Interfaces are drawn: a button, a field or a tile is a flat patch with a closed outline, an icon is a small figure on a
flat patch. Both show in one map of edges, with the text taken out of it. Nothing here knows what an icon shows.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from core.geometry import Box
from core.screen.elements import Element, Kind

EDGE = 10  # grey levels between neighbouring pixels that make an edge on a clean picture
NOISE = 4  # an edge also stands out this many times over the picture's own median

# Sizes below are in heights of a line of text, which is what a control is drawn around.
ICON = (0.5, 6.5)
PATCH = (1.2, 5.0)  # heights of buttons and fields
TILE = 14.0  # the longest side of tiles and images
PARTS = 0.3  # parts of one icon are closer than this


def find_controls(image: np.ndarray, texts: Sequence[Box]) -> list[Element]:
    """Regions of an RGB picture [H, W, 3] uint8 around and beside its ``texts``, which bound the ink of its lines."""
    unit = text_height(image.shape[:2], texts)
    edges = edge_map(image)
    for box in texts:
        x1, y1, x2, y2 = box.pad(1).clamp((image.shape[1], image.shape[0])).as_ints()
        edges[y1:y2, x1:x2] = 0
    patches = _patches(edges, unit)
    icons = _icons(edges, unit)
    return [*patches, *icons]


def text_height(shape: tuple[int, ...], texts: Sequence[Box]) -> float:
    """The typical height of a line of text in pixels; without any text, as on a screen 90 lines high."""
    if texts:
        return float(np.clip(np.median([box.height for box in texts]), 8, 60))
    return float(np.clip(min(shape[:2]) / 90, 10, 40))


def edge_map(image: np.ndarray) -> np.ndarray:
    """Where neighbouring pixels differ, [H, W] uint8 of 0 and 1; the threshold rises with the picture's noise."""
    kernel = np.ones((2, 2), np.uint8)
    gradient = cv2.subtract(cv2.dilate(image, kernel), cv2.erode(image, kernel)).max(axis=2)
    threshold = max(EDGE, NOISE * float(np.median(gradient[::4, ::4])))
    return (gradient > threshold).astype(np.uint8)


def _patches(edges: np.ndarray, unit: float) -> list[Element]:
    """Flat patches whose outline is close to a rectangle, a pill or a disc."""
    contours, hierarchy = cv2.findContours(1 - edges, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    regions = []
    for index, contour in enumerate(contours):
        if hierarchy[0][index][3] >= 0:  # a hole
            continue
        x, y, width, height = cv2.boundingRect(contour)
        if not (PATCH[0] * unit <= height <= TILE * unit and width >= PATCH[0] * unit):
            continue
        if width >= 0.95 * edges.shape[1] or (height > PATCH[1] * unit and width > TILE * unit):
            continue
        solidity = cv2.contourArea(contour) / max(1, (width - 1) * (height - 1))
        if solidity < 0.75:
            continue
        box = Box(x - 1, y - 1, x + width + 1, y + height + 1).clamp((edges.shape[1], edges.shape[0]))
        if height > PATCH[1] * unit:
            kind: Kind = "image"
        elif width > 5 * height:
            kind = "field"
        else:
            kind = "button"
        regions.append(Element(0, box, kind, clickable=True, confidence=min(1.0, solidity)))
    return regions


def _icons(edges: np.ndarray, unit: float) -> list[Element]:
    """Small compact figures: the parts of an icon lie closer to each other than to anything else."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(edges, connectivity=8)
    small = (stats[:, cv2.CC_STAT_WIDTH] <= ICON[1] * unit) & (stats[:, cv2.CC_STAT_HEIGHT] <= ICON[1] * unit)
    small[0] = False
    figures = small[labels].astype(np.uint8)
    reach = max(2, round(PARTS * unit))
    joined = cv2.morphologyEx(figures, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    regions = []
    for x, y, width, height, _ in stats[1:count]:
        long, short = max(width, height), min(width, height)
        if long < ICON[0] * unit or long > ICON[1] * unit or short < 0.12 * unit or long > 4 * short:
            continue
        confidence = 0.5 if long < unit else 0.7
        regions.append(Element(0, Box(x, y, x + width, y + height), "icon", clickable=True, confidence=confidence))
    return regions
