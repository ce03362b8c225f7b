"""The names of colours: how likely a person would call a colour by each of the basic terms.

Every term is a handful of samples in CIELAB, where distance is roughly what people see (Berlin and Kay's eleven terms,
and turquoise). Lightness counts less than hue and chroma, so that the shaded side of a block keeps the block's name.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

_WEIGHTS = np.float32((0.55, 1.0, 1.0))
"""How much a difference in lightness counts beside one in hue and chroma."""
SPREAD = 14.0
"""CIELAB units: how far from its samples a term still holds."""

SAMPLES: dict[str, tuple[str, ...]] = {
    "red": ("#ff0000", "#e53935", "#c62828", "#8b0000", "#d32f2f", "#b22222", "#e6194b", "#701818"),
    "orange": ("#ff8c00", "#f57c00", "#ffa726", "#e65100", "#d9730d", "#ff7f0e", "#c06010"),
    "yellow": ("#ffff00", "#fdd835", "#fbc02d", "#f9e04c", "#e0c020", "#fff176", "#b8a020"),
    "green": ("#00ff00", "#43a047", "#2e7d32", "#8bc34a", "#006400", "#228b22", "#60d060", "#9acd32", "#204a20"),
    "turquoise": ("#00ffff", "#26c6da", "#00acc1", "#40e0d0", "#008b8b", "#00796b", "#80deea"),
    "blue": ("#0000ff", "#1e88e5", "#1565c0", "#42a5f5", "#00008b", "#4169e1", "#64b5f6", "#203a70", "#3050c0"),
    "purple": ("#800080", "#8e24aa", "#6a1b9a", "#9c5fd0", "#4a148c", "#ab47bc", "#7b4fb0", "#3c1450"),
    "pink": ("#ff69b4", "#f06292", "#ffc0cb", "#ec407a", "#f8bbd0", "#ff00ff", "#e090b0"),
    "brown": ("#8b4513", "#795548", "#5d4037", "#a0622d", "#6b4423", "#c19a6b", "#d2b48c", "#4e342e"),
    "black": ("#000000", "#1a1a1a", "#2b2b2b", "#101418"),
    "grey": ("#808080", "#9e9e9e", "#616161", "#757575", "#b0b0b0", "#4a4a4a", "#90a0a8"),
    "white": ("#ffffff", "#f5f5f5", "#e8e8e8", "#fafaf0", "#dcdcdc"),
}

COLOUR_WORDS: dict[str, str] = {name: name for name in SAMPLES} | {
    "gray": "grey", "silver": "grey", "golden": "yellow", "gold": "yellow", "cyan": "turquoise", "teal": "turquoise",
    "aqua": "turquoise", "violet": "purple", "lilac": "purple", "magenta": "pink", "crimson": "red", "scarlet": "red",
    "maroon": "red", "navy": "blue", "lime": "green", "olive": "green", "beige": "brown", "tan": "brown",
    "amber": "orange", "indigo": "purple", "khaki": "brown",
}  # fmt: skip
"""A word of a task, and the term it means."""

NAMES = tuple(SAMPLES)


def to_lab(image: np.ndarray) -> np.ndarray:
    """RGB uint8 [h, w, 3] to CIELAB float32, L 0..100."""
    return cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def likelihoods(rgb: np.ndarray) -> np.ndarray:
    """float32 [..., len(NAMES)]: for each colour, RGB uint8 [..., 3], how likely each name is, adding up to 1."""
    red, green, blue = np.moveaxis(rgb >> 2, -1, 0).astype(np.intp)
    return _table()[red << 12 | green << 6 | blue]


@lru_cache(maxsize=1)
def _table() -> np.ndarray:
    """The likelihoods of colours at six bits a channel: [262144, len(NAMES)]."""
    levels = (np.arange(64, dtype=np.uint8) << 2) + 2
    rgb = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(1, -1, 3)
    lab = to_lab(rgb)[0] * _WEIGHTS
    nearest = np.stack([_nearest(lab, codes) for codes in SAMPLES.values()], axis=1)
    scores = np.exp(-(nearest - nearest.min(1, keepdims=True)) / (2 * SPREAD**2))
    return (scores / scores.sum(1, keepdims=True)).astype(np.float32)


def _nearest(lab: np.ndarray, codes: tuple[str, ...]) -> np.ndarray:
    """The squared distance of each colour [n, 3] to the nearest of the samples: [n]."""
    rgb = np.array([[int(code[i : i + 2], 16) for i in (1, 3, 5)] for code in codes], np.uint8)
    samples = to_lab(rgb[None])[0] * _WEIGHTS
    return np.min([((lab - sample) ** 2).sum(1) for sample in samples], axis=0)
