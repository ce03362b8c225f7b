"""The buttons of a window of macOS: a red, a yellow and a green disc in a row, which bear no icon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from core.screen.elements import Element, IconGuess

_LIGHTS = (("close", 340, 16), ("minus", 32, 58), ("fullscreen", 90, 150))
"""From left to right: what each does, and the hues it may have, in degrees."""
VIVID, BRIGHT = 0.4, 0.5  # the least saturation and value, 0..1
ALIKE = 0.15  # discs of one size and in one line differ by less than this share of their width
PITCH = (1.2, 2.6)  # their distance from centre to centre, in widths
SURE = 0.95


def window_buttons(pixels: np.ndarray, icons: Sequence[Element]) -> list[Element]:
    """The icons, those of them named that are a window's buttons. ``pixels``: RGB uint8 [H, W, 3], boxes in them.

    Windows stand anywhere, so three such discs side by side are taken for the buttons of one wherever they are.
    """
    lights: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for i, icon in enumerate(icons):
        if not icon.text and abs(icon.box.width - icon.box.height) <= ALIKE * icon.box.width:
            if (light := _light(pixels, icon)) is not None:
                lights[light].append(i)
    named = list(icons)
    for first in lights[0]:
        second = _next(icons, first, lights[1])
        third = _next(icons, second, lights[2]) if second is not None else None
        if third is not None:
            for (name, *_), i in zip(_LIGHTS, (first, second, third), strict=True):
                named[i] = replace(icons[i], icons=(IconGuess(name, SURE),), confidence=max(icons[i].confidence, SURE))
    return named


def _light(pixels: np.ndarray, icon: Element) -> int | None:
    """Which of the three an icon may be by the colour of its middle."""
    x1, y1, x2, y2 = icon.box.pad(-0.25 * icon.box.width).as_ints()
    middle = pixels[y1:y2, x1:x2]
    if middle.size == 0:
        return None
    colour = np.median(middle, axis=(0, 1)).astype(np.float32) / 255
    hue, saturation, value = cv2.cvtColor(colour.reshape(1, 1, 3), cv2.COLOR_RGB2HSV)[0, 0]
    if saturation < VIVID or value < BRIGHT:
        return None
    within = (low <= hue <= high if low < high else hue >= low or hue <= high for _, low, high in _LIGHTS)
    return next((light for light, fits in enumerate(within) if fits), None)


def _next(icons: Sequence[Element], before: int, candidates: Sequence[int]) -> int | None:
    """The disc of the same size that stands just right of ``before`` in its line."""
    box = icons[before].box
    for i in candidates:
        other = icons[i].box
        same = (
            abs(other.width - box.width) <= ALIKE * box.width
            and abs(other.center.y - box.center.y) <= ALIKE * box.width
        )
        if same and PITCH[0] * box.width <= other.center.x - box.center.x <= PITCH[1] * box.width:
            return i
    return None
