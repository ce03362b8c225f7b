"""Texts and controls of one screen made into one list, as OmniParser does it.

A text inside a control becomes the control's text, a control inside a text is a letter mistaken for one, and of two
controls that overlap too much the surer one stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from core.geometry import Box
from core.screen.elements import Element

INSIDE = 0.8  # the share of a box that must lie in another for it to count as inside
LETTER = 0.7  # a control inside a text that is smaller than this share of it is one of its letters
ROW = 0.5  # elements whose centres differ by less than this share of their height stand in one row


def merge(texts: Sequence[Element], controls: Sequence[Element], iou_threshold: float) -> list[Element]:
    """One list of elements, in no particular order.

    ``iou_threshold`` 0..1: of two controls, or two texts, that overlap by more than this, the more confident is kept.
    A text goes to the smallest control that holds it, unless that is an image. The one icon before or above the text
    of a button becomes the button's; anywhere else, as in a search box, an icon is an element of its own.
    """
    texts, controls = distinct(texts, iou_threshold), distinct(controls, iou_threshold)
    inside = overlaps([c.box for c in controls], [t.box for t in texts]) >= INSIDE
    controls = [
        control
        for control, holders in zip(controls, inside, strict=True)
        if not any(control.box.area < LETTER * texts[j].box.area for j in np.flatnonzero(holders))
    ]
    held: dict[int, list[Element]] = {}
    free = []
    inside = overlaps([t.box for t in texts], [c.box for c in controls]) >= INSIDE
    for text, holders in zip(texts, inside, strict=True):
        candidates = [i for i in np.flatnonzero(holders) if controls[i].kind != "image"]
        if candidates:
            held.setdefault(min(candidates, key=lambda i: controls[i].box.area), []).append(text)
        else:
            free.append(text)
    labelled = [_with_text(control, held.get(i, [])) for i, control in enumerate(controls)]
    return [*free, *_absorb_icons(labelled)]


def overlaps(boxes: Sequence[Box], others: Sequence[Box]) -> np.ndarray:
    """The share of each box that lies in each of the others, float [len(boxes), len(others)]."""
    shared, areas = _areas(boxes, others)
    return shared / np.maximum(areas[:, None], 1e-9)


def distinct(elements: Sequence[Element], iou_threshold: float) -> list[Element]:
    """Greedy non-maximum suppression: surest first, dropping what overlaps a kept one by more than the threshold."""
    ordered = sorted(elements, key=lambda element: (-element.confidence, -element.box.area))
    boxes = [element.box for element in ordered]
    shared, areas = _areas(boxes, boxes)
    iou = shared / np.maximum(areas[:, None] + areas[None] - shared, 1e-9)
    kept: list[int] = []
    for i in range(len(ordered)):
        if not (iou[i, kept] > iou_threshold).any():
            kept.append(i)
    return [ordered[i] for i in kept]


def _areas(boxes: Sequence[Box], others: Sequence[Box]) -> tuple[np.ndarray, np.ndarray]:
    """The area that each pair shares, and the areas of the boxes."""
    a, b = (
        np.array([(box.x1, box.y1, box.x2, box.y2) for box in side], dtype=float).reshape(-1, 4)
        for side in (boxes, others)
    )
    sides = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    return np.maximum(sides, 0).prod(axis=2), (a[:, 2:] - a[:, :2]).prod(axis=1)


def number(elements: Sequence[Element]) -> tuple[Element, ...]:
    """Ids 1, 2, 3 ... in reading order: rows from top to bottom, each from left to right."""
    ordered = [elements[i] for row in rows([element.box for element in elements]) for i in row]
    return tuple(replace(element, id=id) for id, element in enumerate(ordered, start=1))


def rows(boxes: Sequence[Box]) -> list[list[int]]:
    """The indices of boxes by row, rows from top to bottom and each from left to right.

    Boxes whose centres differ in height by less than ROW of the lower box stand in one row.
    """
    found: list[list[int]] = []
    for i in sorted(range(len(boxes)), key=lambda i: boxes[i].center.y):
        first = boxes[found[-1][0]] if found else None
        if first is not None and boxes[i].center.y - first.center.y <= ROW * min(first.height, boxes[i].height):
            found[-1].append(i)
        else:
            found.append([i])
    return [sorted(row, key=lambda i: boxes[i].x1) for row in found]


def _with_text(control: Element, texts: list[Element]) -> Element:
    if not texts:
        return control
    lines = number(texts)
    return replace(
        control,
        text=" ".join(line.text for line in lines),
        icons=control.icons or lines[0].icons,
        words=tuple(word for line in lines for word in line.words),
        confidence=max(control.confidence, *(line.confidence for line in lines)),
    )


def _absorb_icons(controls: list[Element]) -> list[Element]:
    """Drop the parts of icons, and give a button the one icon that stands before its text or instead of it."""
    result = list(controls)
    absorbed: set[int] = set()
    boxes = [control.box for control in controls]
    inside = overlaps(boxes, boxes) >= INSIDE
    for i, outer in enumerate(controls):
        smaller = [j for j in np.flatnonzero(inside[:, i]) if controls[j].box.area < outer.box.area]
        parts = [j for j in smaller if not controls[j].text]
        if outer.kind in ("icon", "toggle", "checkbox"):
            absorbed.update(parts)
        elif outer.kind == "button":
            text_starts = min((word.box.x1 for word in outer.words), default=outer.box.x2)
            before = [j for j in parts if controls[j].kind == "icon" and controls[j].box.center.x <= text_starts]
            if len(before) == 1:
                absorbed.add(before[0])
                result[i] = replace(outer, icons=controls[before[0]].icons or outer.icons)
    return [element for i, element in enumerate(result) if i not in absorbed]
