"""The things that lie on a table, found without a model: regions unlike the background, with colour, shape and size.

Works at about 320 pixels of the picture's longer side. The background is every colour that a large, spread-out part of
the picture has; what differs from all of them is split where the name of its colour changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations

import cv2
import numpy as np
from PIL import Image

from apps.robot_planner import colours
from apps.robot_planner.task import Shape
from core.geometry import Box, Point

WORKING_SIDE = 320
SMALLEST, LARGEST = 0.0008, 0.3
"""Shares of the picture that a thing may cover."""
TOO_SMALL = 16
"""Pixels of the shorter side at the working size, below which nothing is looked for."""
UNLIKE = 11.0
"""How far in weighted CIELAB a colour lies from every background colour where a thing is."""
ONE_SURFACE = 16.0
"""How far apart in weighted CIELAB two background colours of one table may be: grain, and light that falls off."""

_WEIGHTS = np.float32((0.7, 1.0, 1.0))


@dataclass(frozen=True)
class Thing:
    """``mask`` is bool [h, w] at the working size; ``box`` and ``centre`` are in pixels of the picture.

    ``colours`` maps the names of colours, ``shapes`` the kinds of shape to likelihoods 0..1. ``area`` is a share of the
    picture. ``contrast`` is how clearly it stands out from what surrounds it, 0..1.
    """

    mask: np.ndarray = field(repr=False, compare=False)
    box: Box
    centre: Point
    area: float
    colours: dict[str, float]
    shapes: dict[Shape, float]
    contrast: float

    @property
    def colour(self) -> str:
        return max(self.colours, key=self.colours.__getitem__)


@dataclass(frozen=True)
class Surroundings:
    """A picture's things; ``table`` is the part of the picture, bool [h, w] at the working size, that they may lie on
    (things included), ``scale`` the pixels of the picture for each of the working size, in x and y, and ``gripper`` the
    tip of a robot arm in pixels, where one is seen."""

    things: tuple[Thing, ...]
    table: np.ndarray = field(repr=False, compare=False)
    scale: tuple[float, float] = (1.0, 1.0)
    gripper: Point | None = None

    def at(self, point: Point, reach: float = 0.0) -> Thing | None:
        """The thing under a point, or the nearest within ``reach`` pixels of the working size."""
        x, y = point.x / self.scale[0], point.y / self.scale[1]
        best, least = None, reach
        for thing in self.things:
            distance = _distance(thing.mask, x, y)
            if distance <= least:
                best, least = thing, distance
        return best


def look(image: Image.Image) -> Surroundings:
    """Find the things on a picture (RGB)."""
    factor = min(1.0, WORKING_SIDE / max(image.size))
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    small = np.asarray(image.resize(size, Image.Resampling.BOX))
    scale = image.width / size[0], image.height / size[1]
    if min(size) < TOO_SMALL:
        return Surroundings((), np.ones(small.shape[:2], bool), scale)
    smooth = cv2.pyrMeanShiftFiltering(np.ascontiguousarray(small), 4, 10, maxLevel=0)
    lab = colours.to_lab(smooth)
    names = colours.likelihoods(smooth)
    modes, unlike = _background(lab)
    table = _table(lab, modes, unlike)
    regions = _without_shadows(_regions(unlike, names), smooth, modes)
    arm, tip = _arm(regions, lab, table)
    regions = [region for region in regions if not (region & arm).any()]
    things = [_thing(mask, lab, names, scale) for mask in _merged(regions, lab) if _stands_alone(mask)]
    return Surroundings(tuple(things), table, scale, Point(tip[0] * scale[0], tip[1] * scale[1]) if tip else None)


def _background(lab: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The background's colours in CIELAB [n, 3], and where the picture, bool [h, w], has none of them."""
    height, width = lab.shape[:2]
    flat = (lab * _WEIGHTS).reshape(-1, 3)
    wanted = min(10, len(np.unique((flat.round() + 128) @ np.float32((1, 256, 65536)))))
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 15, 0.5)
    cv2.setRNGSeed(0)
    _, labels, centres = cv2.kmeans(flat, wanted, None, criteria, 2, cv2.KMEANS_PP_CENTERS)
    labels = labels.reshape(height, width)
    rows, columns = np.mgrid[:height, :width]
    modes = []
    for cluster, centre in enumerate(centres):
        inside = labels == cluster
        if inside.mean() < 0.05:
            continue
        spread = max(np.std(columns[inside]) / width, np.std(rows[inside]) / height) * np.sqrt(12)  # 1: all of a side
        if inside.mean() > LARGEST or spread > 0.7:
            modes.append(centre)
    if not modes:
        modes = [centres[np.bincount(labels.ravel()).argmax()]]
    distance = np.min([np.linalg.norm(lab * _WEIGHTS - mode, axis=-1) for mode in modes], axis=0)
    return np.array(modes, np.float32) / _WEIGHTS, distance > UNLIKE


def _regions(unlike: np.ndarray, names: np.ndarray) -> list[np.ndarray]:
    """Masks of connected regions of one colour name."""
    named = names.argmax(-1)
    found, two = [], np.ones((2, 2), np.uint8)
    least = 0.3 * SMALLEST * unlike.size
    for name in np.unique(named[unlike]):
        mask = cv2.erode(((named == name) & unlike).astype(np.uint8), two)
        mask = cv2.dilate(mask, two, anchor=(0, 0))  # the anchor undoes the shift of an even kernel
        count, labels, statistics, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
        for label in range(1, count):
            if least <= statistics[label, cv2.CC_STAT_AREA] <= LARGEST * unlike.size:
                found.append(labels == label)
    return found


def _without_shadows(regions: list[np.ndarray], rgb: np.ndarray, modes: np.ndarray) -> list[np.ndarray]:
    """Leaves out what is a background colour, only darker, beside something that is not."""
    lights = cv2.cvtColor(modes[None], cv2.COLOR_LAB2RGB)[0] ** 2.2
    shadows = []
    for region in regions:
        ratios = (np.median(rgb[region], axis=0) / 255 + 0.005) ** 2.2 / (lights + 0.005)
        even = ratios.std(axis=1) / ratios.mean(axis=1) < 0.2
        shadows.append(bool((even & (ratios.mean(axis=1) > 0.2) & (ratios.mean(axis=1) < 0.9)).any()))
    solid = np.any([r for r, shadow in zip(regions, shadows, strict=True) if not shadow] or [False], axis=0)
    return [
        region
        for region, shadow in zip(regions, shadows, strict=True)
        if not (shadow and (_grown(region, 3) & solid).any())
    ]


def _merged(regions: list[np.ndarray], lab: np.ndarray) -> list[np.ndarray]:
    """Joins the sides of one thing: neighbours of one hue, or of none and about one lightness, and what lies within."""
    tints = [np.median(lab[region], axis=0) for region in regions]
    hulls = [_hull(region) for region in regions]
    group = list(range(len(regions)))
    for i, j in combinations(range(len(regions)), 2):
        if not (_grown(regions[i], 3) & regions[j]).any():
            continue
        small, large = sorted((i, j), key=lambda k: regions[k].sum())
        within = regions[small][hulls[large]].sum() > 0.7 * regions[small].sum()
        if within or _one_material(tints[i], tints[j]):
            old, new = group[j], group[i]
            group = [new if member == old else member for member in group]
    return [
        np.any([region for region, member in zip(regions, group, strict=True) if member == label], axis=0)
        for label in sorted(set(group))
    ]


def _one_material(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two colours can be the lit and the shaded side of one thing."""
    chromas = np.hypot(*one[1:]), np.hypot(*other[1:])
    if min(chromas) < 12:
        return max(chromas) < 20 and abs(one[0] - other[0]) < 30
    turn = np.degrees(np.arctan2(one[2], one[1]) - np.arctan2(other[2], other[1]))
    return abs((turn + 180) % 360 - 180) < 22


def _arm(
    regions: list[np.ndarray], lab: np.ndarray, table: np.ndarray
) -> tuple[np.ndarray, tuple[float, float] | None]:
    """The mask of a robot arm and the tip (x, y) of its gripper, where there is one: dark and colourless, two fingers
    that point down with a gap between them, and what colourless parts join it above."""
    colourless = [region for region in regions if np.hypot(*np.median(lab[region], axis=0)[1:]) < 14]
    claw, best = None, 0.0
    for region in colourless:
        forked = _forked(region) if np.median(lab[region][:, 0]) < 45 else 0.0
        if forked > best:
            claw, best = region, forked
    if claw is None:
        return np.zeros_like(table), None
    rows, columns = np.nonzero(claw)
    arm = claw
    for region in sorted(colourless, key=lambda region: -np.nonzero(region)[0].mean()):
        if (_grown(arm, 9) & region).any() and np.nonzero(region)[0].mean() < rows.mean() and (region & ~table).any():
            arm = arm | region
    return arm, (float(columns.min() + columns.max() + 1) / 2, float(rows.max()) + 0.5)


def _forked(mask: np.ndarray) -> float:
    """How much of a silhouette's lower half is a gap between two legs, 0..1; 0 where there are no two legs."""
    rows, columns = np.nonzero(mask)
    shape = mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    if min(shape.shape) < 5 or shape.shape[1] > 2.5 * shape.shape[0] or shape.shape[0] > 2 * shape.shape[1]:
        return 0.0
    lower = shape[shape.shape[0] // 2 :]
    third = shape.shape[1] // 3
    gap, legs = lower[:, third:-third], np.concatenate([lower[:, :third], lower[:, -third:]], axis=1)
    upper = shape[: shape.shape[0] // 2, third:-third]
    if gap.mean() > 0.25 or legs[:, :third].mean() < 0.3 or legs[:, third:].mean() < 0.3 or upper.mean() < 0.3:
        return 0.0
    return float(1 - gap.mean())


def _stands_alone(mask: np.ndarray) -> bool:
    rows, columns = np.nonzero(mask)
    share = mask.mean()
    return SMALLEST <= share <= LARGEST and max(np.ptp(columns) / mask.shape[1], np.ptp(rows) / mask.shape[0]) < 0.6


def _grown(mask: np.ndarray, side: int) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)).astype(bool)


def _hull(mask: np.ndarray) -> np.ndarray:
    points = np.argwhere(mask)[:, ::-1].astype(np.int32)
    return cv2.fillConvexPoly(np.zeros(mask.shape, np.uint8), cv2.convexHull(points), 1).astype(bool)


def _thing(mask: np.ndarray, lab: np.ndarray, names: np.ndarray, scale: tuple[float, float]) -> Thing:
    rows, columns = np.nonzero(mask)
    left, top, right, bottom = map(int, (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
    ring = _grown(mask, 7) & ~mask
    apart = (
        np.linalg.norm((np.median(lab[mask], axis=0) - np.median(lab[ring], axis=0)) * _WEIGHTS) if ring.any() else 0
    )
    return Thing(
        mask,
        Box(left * scale[0], top * scale[1], right * scale[0], bottom * scale[1]),
        Point((float(columns.mean()) + 0.5) * scale[0], (float(rows.mean()) + 0.5) * scale[1]),
        float(mask.mean()),
        dict(zip(colours.NAMES, map(float, names[mask].mean(0)), strict=True)),
        shapes(mask, scale),
        float(1 - np.exp(-apart / 25)),
    )


def shapes(mask: np.ndarray, scale: tuple[float, float] = (1.0, 1.0)) -> dict[Shape, float]:
    """How well a silhouette fits each kind of shape, 0..1: a picture shows no more than the outline."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(contours, key=cv2.contourArea).astype(np.float32) * np.float32(scale)
    hull = cv2.convexHull(outline)
    area = max(cv2.contourArea(hull), 1e-6)
    perimeter = max(cv2.arcLength(hull, True), 1e-6)
    circularity = min(1.0, 4 * np.pi * area / perimeter**2)
    (_, (one, other), _) = cv2.minAreaRect(hull)
    rectangle = area / max(one * other, 1e-6)
    triangle_area, _ = cv2.minEnclosingTriangle(hull)
    triangle = area / max(triangle_area, 1e-6)
    _, _, width, height = cv2.boundingRect(outline)
    tall = height / max(width, 1e-6)
    return {
        "ball": _bell(circularity, 0.95, 0.07) * _bell(tall, 1.0, 0.2),
        "box": max(_bell(rectangle, 1.0, 0.15), 0.8 * _bell(tall, 1.0, 0.4) * (circularity < 0.9)),
        "cylinder": _bell(rectangle, 0.93, 0.1) * (0.4 + 0.6 * min(1.0, max(0.0, tall - 0.8) / 0.5)),
        "cone": _bell(triangle, 0.95, 0.15),
        "cup": 0.8 * _bell(rectangle, 0.9, 0.12) * _bell(tall, 1.1, 0.4),
        "flat": _bell(tall, 0.45, 0.25) * _bell(rectangle, 0.8, 0.12),
    }


def _bell(value: float, centre: float, width: float) -> float:
    return float(np.exp(-(((value - centre) / width) ** 2) / 2))


def _table(lab: np.ndarray, modes: np.ndarray, unlike: np.ndarray) -> np.ndarray:
    """The hull of the background that fills the middle and the front of the picture: one mode, and those near it."""
    height, width = unlike.shape
    nearest = np.linalg.norm((lab[:, :, None] - modes) * _WEIGHTS, axis=-1).argmin(-1)
    front = nearest[height // 2 :, width // 8 : width - width // 8][
        ~unlike[height // 2 :, width // 8 : width - width // 8]
    ]
    if not front.size:
        return np.ones_like(unlike)
    main = modes[np.bincount(front, minlength=len(modes)).argmax()]
    alike = np.linalg.norm((modes - main) * _WEIGHTS, axis=-1) < ONE_SURFACE
    surface = cv2.morphologyEx((alike[nearest] & ~unlike).astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(surface, connectivity=4)
    if count < 2:
        return np.ones_like(unlike)
    return _hull(labels == 1 + statistics[1:, cv2.CC_STAT_AREA].argmax())


def _distance(mask: np.ndarray, x: float, y: float) -> float:
    rows, columns = np.nonzero(mask)
    return float(np.hypot(columns + 0.5 - x, rows + 0.5 - y).min(initial=np.inf)) - 0.71
