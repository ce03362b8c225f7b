"""Controls on a screenshot, by OpenCV: what is drawn, flat or outlined, and is not text.

Interfaces are drawn: a button, a field or a tile is a flat patch with a closed outline, an icon is a small figure on a
flat patch, a photograph is neither. All of it shows in one map of edges with the text taken out of it. Nothing here
knows what an icon shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np

from core.geometry import Box
from core.screen.elements import Element, Kind
from core.screen.merge import INSIDE, distinct, overlaps, rows

EDGE, FAINT = 10, 3  # grey levels between neighbouring pixels that make an edge, and the faint edge of a pale button
NOISE = 4  # on a noisy picture, an edge stands out this many times over the median difference
DENSE, BUSY = 0.1, 0.75  # shares of edge pixels, and of text-high cells with a faint edge, that make a photograph
SOLID = 0.68  # the share of its bounding box that a patch fills; a small disc fills 0.7
RECTANGLE = 0.88  # likewise one without text: a long pill fills 0.93, a hill in a drawing less
SHADING = 24  # grey levels between the darkest and the lightest part of an empty field or button
CROWDED = 0.4  # the share of edge pixels around a figure that makes it part of a texture
CONTRAST = 80  # grey levels at which an icon stands out fully
UNLIKELY = 0.1  # figures less sure than this are parts of a texture
JOINED = 0.8  # each of the buttons that are joined in a row fills this share of its height
MOST = 500  # figures, and patches, beyond this many, least sure first, are left out: noise makes thousands
SAME = 0.8  # boxes that overlap by more than this are one control found twice

# Sizes in heights of a line of text, which is what controls are drawn around.
FIGURE = (0.5, 6.5)  # the longer side of an icon
SMALL = 0.8  # either side of an icon among others
PATCH = (0.7, 5.0)  # heights of checkboxes, buttons and fields
TILE = 16.0  # the height of tiles and text areas
MOST_ICONS = 8  # as many may stand in one field
LONG = 8.0  # a patch that is longer and touches the edge of the screen is a bar
DASH = 1.4  # a minus sign is no longer; a longer line is a line
PARTS, TIGHT = 0.35, 0.15  # parts of an icon are closer than this; where icons crowd, closer than that


def find_controls(image: np.ndarray, texts: Sequence[Box]) -> list[Element]:
    """Controls of an RGB picture [H, W, 3] uint8 in its pixels, not yet numbered, surest first.

    ``texts`` bound the ink of its lines. Bars, cards and rows that hold several controls are left out: what they hold
    is what a person clicks.
    """
    unit = text_height(image.shape[:2], texts)
    gradient, sharp, faint = edges_of(image)
    pictures = _pictures(_without(sharp, texts), _without(faint, texts), unit)
    patches = [patch for edges in (sharp, faint) for patch in _patches(edges.astype(np.uint8), unit)]
    letters = (overlaps([patch.box for patch in patches], texts) >= INSIDE).any(axis=1)
    patches = [patch for patch, letter in zip(patches, letters, strict=True) if not letter]
    figures = _figures(_without(sharp, texts), sharp, gradient, patches, unit)
    # Each by itself: the cells of a spreadsheet must not crowd out its icons.
    drawn = distinct([*_surest(figures, pictures), *_surest(patches, pictures)], SAME)
    boxes = [element.box for element in drawn]
    inside = overlaps(boxes, boxes) >= INSIDE
    kinds = []
    for i, element in enumerate(drawn):
        inner = [drawn[j] for j in np.flatnonzero(inside[:, i]) if drawn[j].box.area < element.box.area]
        kinds.append(_kind(element, inner, image, texts, drawn, unit))
    controls = [replace(element, kind=kind) for element, kind in zip(drawn, kinds, strict=True) if kind is not None]
    return distinct([*pictures, *controls], SAME)


def _surest(found: Sequence[Element], pictures: Sequence[Element]) -> list[Element]:
    """At most MOST of what was found outside of the pictures, each but once."""
    free = [element for element in found if not _inside_any(element.box, pictures)]
    return distinct(sorted(free, key=lambda element: -element.confidence)[: 2 * MOST], SAME)[:MOST]


def text_height(shape: tuple[int, ...], texts: Sequence[Box]) -> float:
    """The typical height of a line of text in pixels; without any text, as on a screen 90 lines high."""
    if texts:
        return float(np.clip(np.median([box.height for box in texts]), 8, 60))
    return float(np.clip(min(shape[:2]) / 90, 10, 40))


def edges_of(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All [H, W]: the largest difference within each 2 x 2 pixels in any channel, uint8; where it is a sharp edge, and
    where at least a faint one, bool."""
    kernel = np.ones((2, 2), np.uint8)
    gradient = cv2.subtract(cv2.dilate(image, kernel), cv2.erode(image, kernel)).max(axis=2)
    noise = NOISE * float(np.median(gradient[::4, ::4]))
    return gradient, gradient > max(EDGE, noise), gradient > max(FAINT, noise)


def _without(edges: np.ndarray, texts: Sequence[Box]) -> np.ndarray:
    sheet = edges.astype(np.uint8)
    for text in texts:
        x1, y1, x2, y2 = text.pad(1).clamp((edges.shape[1], edges.shape[0])).as_ints()
        sheet[y1:y2, x1:x2] = 0
    return sheet


def _pictures(edges: np.ndarray, faint: np.ndarray, unit: float) -> list[Element]:
    """Photographs and drawings: whole figures on a flat ground, full of edges and nowhere flat for long."""
    height, width = edges.shape
    cell = max(2, round(unit))
    busy = cv2.resize(faint * 255, (-(-width // cell), -(-height // cell)), interpolation=cv2.INTER_AREA)
    found = []
    for x, y, w, h, _, hole in outlines(edges):
        if not hole or min(w, h) < FIGURE[1] * unit or w * h > 0.6 * width * height:
            continue
        cells = busy[y // cell : (y + h) // cell, x // cell : (x + w) // cell]
        share = float(np.count_nonzero(cells)) / max(1, cells.size)
        if share > BUSY and edges[y : y + h, x : x + w].mean() > DENSE:
            found.append(Element(0, Box(x, y, x + w - 1, y + h - 1), "image", clickable=True, confidence=share))
    return found


def _figures(
    edges: np.ndarray, all_edges: np.ndarray, gradient: np.ndarray, patches: Sequence[Element], unit: float
) -> list[Element]:
    """Icons: small compact figures whose parts lie closer to each other than to anything else."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(edges, connectivity=8)
    small = (stats[:, cv2.CC_STAT_WIDTH] <= FIGURE[1] * unit) & (stats[:, cv2.CC_STAT_HEIGHT] <= FIGURE[1] * unit)
    small[0] = False
    parts = small[labels].astype(np.uint8)
    whole, apart = _joined(parts, PARTS * unit), _joined(parts, TIGHT * unit)
    alike = _alike(stats[small, :4], unit)
    sums = cv2.integral(all_edges.astype(np.uint8))
    grounds = [patch.box for patch in patches]
    found = []
    for box in [*_uncrowd(whole, apart, unit), *alike]:
        long, short = max(box.width, box.height), min(box.width, box.height)
        dash = box.width == long <= DASH * unit
        thin = long > (4 if long > 1.6 * unit else 20 if dash else 8) * short
        if (thin and box not in alike) or not FIGURE[0] * unit <= long <= FIGURE[1] * unit:
            continue
        x1, y1, x2, y2 = box.as_ints()
        contrast = min(1.0, float(gradient[y1:y2, x1:x2].max()) / CONTRAST)
        crowded = _ring(sums, box, max(2, round(TIGHT * unit))) / CROWDED
        if crowded > 0.25:
            tiles = np.flatnonzero(overlaps(grounds, [box])[:, 0] == 1)
            if any(grounds[i].area > 0.4 * box.area for i in tiles):
                continue  # a tile on a busy ground: its patch has the outline
        size = min(1.0, long / unit)
        confidence = 0.9 * contrast * size * max(0.0, 1 - crowded**2)
        if confidence > UNLIKELY:
            found.append(Element(0, box, "icon", clickable=True, confidence=confidence))
    return found


def _joined(parts: np.ndarray, reach: float) -> list[Box]:
    side = 2 * max(1, round(reach / 2)) + 1  # odd, since closing with an even kernel moves the picture by a pixel
    kernel = np.ones((side, side), np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(cv2.morphologyEx(parts, cv2.MORPH_CLOSE, kernel))
    return [Box(x, y, x + width - 1, y + height - 1) for x, y, width, height, _ in stats[1:count].tolist()]


def _alike(parts: np.ndarray, unit: float) -> list[Box]:
    """Icons whose parts stand far apart: two equal bars (pause), and three equal dots in a row or a column (more).

    ``parts``: int [N, 4], x, y, width and height in pixels.
    """
    parts = parts[(parts[:, 2:].max(axis=1) <= FIGURE[1] * unit / 2) & (parts[:, 2:].min(axis=1) > 1)]
    squarish = np.abs(parts[:, 2] - parts[:, 3]) <= 0.3 * parts[:, 2:].max(axis=1)
    bars, dots = parts[parts[:, 3] >= 2 * parts[:, 2]], parts[squarish & (parts[:, 3] < SMALL * unit)]
    found = []
    for kind, count, axis in ((bars, 2, 0), (dots, 3, 0), (dots, 3, 1)):
        for first in kind:
            reach = 0.8 * first[3] + first[2] if count == 2 else 2.8 * first[2 + axis]
            same = (np.abs(kind[:, [1 - axis, 2, 3]] - first[[1 - axis, 2, 3]]) <= 1).all(axis=1)
            row = kind[same & (np.abs(kind[:, axis] - first[axis]) <= 3 * reach)]
            row = row[np.argsort(row[:, axis])]
            steps = np.diff(row[:, axis])
            if len(row) == count and (row[0] == first).all() and np.ptp(steps) <= 2 and steps.max() <= reach:
                (left, top), (right, bottom) = row[:, :2].min(axis=0), (row[:, :2] + row[:, 2:] - 1).max(axis=0)
                found.append(Box(float(left), float(top), float(right), float(bottom)))
    return found


def _uncrowd(whole: list[Box], apart: list[Box], unit: float) -> list[Box]:
    """Long boxes that are several icons in a row or column, taken apart."""
    apart = [box for box in apart if min(box.width, box.height) >= SMALL * unit]
    result = []
    for box in whole:
        long, short = max(box.width, box.height), min(box.width, box.height)
        pieces = [piece for piece in apart if piece.inside(box) == 1] if long > 1.6 * short >= SMALL * unit else []
        result.extend(pieces if len(pieces) > 1 else [box])
    return result


def _patches(edges: np.ndarray, unit: float) -> list[Element]:
    """Flat patches that fill a rectangle, a pill or a disc. Their kind is settled later, by what they hold."""
    height, width = edges.shape
    found = []
    for x, y, w, h, area, hole in outlines(edges):
        if hole or min(w, h) < PATCH[0] * unit or h > TILE * unit or w > 0.95 * width:
            continue
        if w > LONG * unit and (min(x, y) == 0 or x + w == width or y + h == height):
            continue  # a bar along the edge of the screen
        solidity = area / max(1, (w - 1) * (h - 1))
        if solidity > SOLID:
            box = Box(x - 1, y - 1, x + w, y + h).clamp((width, height))
            found.append(Element(0, box, "button", clickable=True, confidence=min(1.0, solidity)))
    return found


def outlines(edges: np.ndarray) -> list[tuple[int, int, int, int, float, bool]]:
    """What the flat parts of a picture are bounded by: x, y, width, height, area, and whether it is a hole in one."""
    contours, hierarchy = cv2.findContours(1 - edges, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    return [
        (*cv2.boundingRect(contour), cv2.contourArea(contour), bool(hierarchy[0][i][3] >= 0))
        for i, contour in enumerate(contours)
        if len(contour) > 3
    ]


def _kind(
    element: Element,
    inner: Sequence[Element],
    image: np.ndarray,
    texts: Sequence[Box],
    others: Sequence[Element],
    unit: float,
) -> Kind | None:
    """What a figure or a patch with ``inner`` ones is, or None for a bar, a card or a row of several controls."""
    box = element.box
    if sum(e.kind == "button" and e.box.height >= JOINED * box.height for e in inner) > 1:
        return None  # the outline of buttons that are joined in a row
    if _knob(box, inner):
        return "toggle"
    squarish = max(box.width, box.height) <= 1.35 * min(box.width, box.height)
    if squarish and box.height <= 2 * unit and _hollow(image, box):
        if _labelled(box, texts, unit) or (_clear(image, box) and _in_column(box, others)):
            return "checkbox"
    held = [text for text in texts if text.inside(box) >= INSIDE]
    glyph = len(held) == 1 and held[0].height > 0.3 * box.height and held[0].width < 0.6 * box.width
    if element.kind == "icon" or (squarish and box.height <= FIGURE[1] * unit and (not held or glyph)):
        return "icon"
    tall = box.height > PATCH[1] * unit
    if tall and box.width > TILE * unit:  # an empty text area, or else a card
        return "field" if not held and not inner and _bordered(image, box) else None
    if not held:
        if element.confidence < RECTANGLE or not _flat(image, box) or (len(inner) > 1 and not _spread(box, inner)):
            return None
        return "field" if box.width > 3 * box.height or (tall and box.width > box.height) else "button"
    lines = rows(held)
    columns = max(len(line) for line in lines)
    icons_only = all(e.kind == "icon" for e in inner) and len(inner) <= MOST_ICONS
    first, *hints = [held[i] for i in lines[0]]  # a hint is a shortcut such as "/", or an icon read as letters
    short_hints = all(hint.width < 2 * hint.height for hint in hints)
    if box.width > 4 * box.height and len(lines) == 1 and short_hints and icons_only:
        if first.x1 - box.x1 < (box.x2 - first.x2) / 2 and _bordered(image, box) and not _stacked(box, others):
            return "field"
    most_lines = 3 if box.height <= FIGURE[1] * unit else 2
    rows_or_bars = columns > 1 or len(lines) > most_lines or len(inner) > 4 or any(_knob(e.box, inner) for e in inner)
    return None if rows_or_bars else "button"


def _spread(box: Box, inner: Sequence[Element]) -> bool:
    """Whether the icons in a box stand at its ends and leave the middle free, as in a search box, or crowd it."""
    starts = sorted([(e.box.x1, e.box.x2) for e in inner] + [(box.x2, box.x2)])
    gaps = [b[0] - a[1] for a, b in pairwise([(box.x1, box.x1), *starts])]
    return box.width > 4 * box.height and max(gaps[:-1]) > 0.4 * box.width


def _stacked(box: Box, others: Sequence[Element]) -> bool:
    """Whether the box is a row of a list: another of the same width adjoins it above or below."""
    return any(
        abs(e.box.x1 - box.x1) <= 3
        and abs(e.box.x2 - box.x2) <= 3
        and min(abs(e.box.y2 - box.y1), abs(e.box.y1 - box.y2)) <= 3
        for e in others
    )


def _knob(box: Box, inner: Sequence[Element]) -> bool:
    """Whether a pill has a disc at one end, as a switch does."""
    if not 1.4 * box.height <= box.width <= 2.6 * box.height:
        return False
    discs = [e.box for e in inner if e.box.height >= 0.5 * box.height and 0.8 <= e.box.width / e.box.height <= 1.25]
    return any(min(disc.x1 - box.x1, box.x2 - disc.x2) <= 0.35 * box.height for disc in discs)


def _labelled(box: Box, texts: Sequence[Box], unit: float) -> bool:
    """Whether a text begins right beside the box."""
    return any(0 <= text.x1 - box.x2 <= 1.5 * unit and box.y1 <= text.center.y <= box.y2 for text in texts)


def _in_column(box: Box, others: Sequence[Element]) -> bool:
    """Whether another box of the same size stands right above or below, as the tick boxes of a table do."""
    return any(
        abs(e.box.x1 - box.x1) <= 2 and abs(e.box.x2 - box.x2) <= 2 and 1.5 * box.height < abs(e.box.y1 - box.y1)
        and abs(e.box.height - box.height) <= 2
        for e in others
    )  # fmt: skip


def _clear(image: np.ndarray, box: Box) -> bool:
    """Whether a box has nearly the colour of what is around it, as a tick box has and a sample of colour has not."""
    x, y = int(box.center.x), int(box.center.y)
    outside = image[y, max(0, int(box.x1) - 3)].astype(np.int16)
    return int(np.abs(image[y, x].astype(np.int16) - outside).max()) < CONTRAST


def _hollow(image: np.ndarray, box: Box) -> bool:
    """Whether a box is an outline around one flat colour."""
    x1, y1, x2, y2 = box.pad(-max(2, 0.2 * box.height)).as_ints()
    inside = image[y1:y2, x1:x2]
    return inside.size > 0 and int(np.ptp(inside, axis=(0, 1)).max()) < EDGE and _bordered(image, box)


def _flat(image: np.ndarray, box: Box) -> bool:
    """Whether the middle of a box is mostly of one colour, unlike the sky of a drawing."""
    x1, y1, x2, y2 = box.pad(-0.2 * box.height).as_ints()
    middle = image[y1:y2:2, x1:x2:2].reshape(-1, 3)
    return len(middle) == 0 or int(np.ptp(np.percentile(middle, (15, 85), axis=0), axis=0).max()) < SHADING


def _bordered(image: np.ndarray, box: Box) -> bool:
    """Whether a line runs along the top or the bottom of the box that differs from both sides of it."""
    x1, y1, x2, y2 = box.as_ints()
    quarter = (x2 - x1) // 4
    for y in (y1, y2 - 1):
        strip = image[max(0, y - 4) : y + 5, x1 + quarter : x2 - quarter].astype(np.int16)
        if strip.size == 0 or len(strip) < 3:
            continue
        profile = np.median(strip, axis=1)
        if np.minimum(np.abs(profile[1:-1] - profile[0]), np.abs(profile[1:-1] - profile[-1])).max() > EDGE / 2:
            return True
    return False


def _ring(sums: np.ndarray, box: Box, reach: int) -> float:
    """The share of edge pixels within ``reach`` around a box and its own edge."""
    size = sums.shape[1] - 1, sums.shape[0] - 1
    inner, outer = (box.pad(pixels).clamp(size).as_ints() for pixels in (1, 1 + reach))
    area = (outer[2] - outer[0]) * (outer[3] - outer[1]) - (inner[2] - inner[0]) * (inner[3] - inner[1])
    return (_sum(sums, *outer) - _sum(sums, *inner)) / area if area > 0 else 0.0


def _sum(sums: np.ndarray, x1: int, y1: int, x2: int, y2: int) -> int:
    return int(sums[y2, x2]) - int(sums[y1, x2]) - int(sums[y2, x1]) + int(sums[y1, x1])


def _inside_any(box: Box, others: Sequence[Element]) -> bool:
    return any(box.inside(other.box) >= INSIDE for other in others)
