"""What a model from nothing learns from: pictures, what stands where on them, and turns of question and reply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from core.geometry import Point

Layers = Mapping[str, tuple[str, ...]]
"""Layer -> the names that a spot of it can have."""


@dataclass(frozen=True)
class Spot:
    """Something that stands at ``point`` of the picture, in the unit frame: ``name`` on its layer."""

    layer: str
    name: str
    point: Point


MARK_LAYERS: Layers = {f"mark {mark}": (str(mark),) for mark in range(1, 10)}
"""A layer for each numeral: where marks are dense, two of them share a cell of the feature map."""


def mark_spots(marks: Mapping[int, Point]) -> list[Spot]:
    """Spots for the marks' numerals; points in the unit frame."""
    return [Spot(f"mark {mark}", str(mark), point) for mark, point in marks.items()]


@dataclass(frozen=True)
class Turn:
    """A question and its reply. ``looks`` are the points of the picture, in the unit frame, from which the reply's
    numbers are read, one for each number."""

    question: str
    reply: str
    looks: tuple[Point, ...]


@dataclass(frozen=True)
class Lesson:
    """A picture, its spots, and turns that may come in any order."""

    picture: Image.Image
    spots: tuple[Spot, ...]
    turns: tuple[Turn, ...]


def cell_of(point: Point, cells: int) -> tuple[int, int]:
    """(column, row) of the feature map for a point in the unit frame."""
    column, row = (min(max(int(v * cells), 0), cells - 1) for v in (point.x, point.y))
    return column, row


def spot_targets(spots: tuple[Spot, ...], layers: Layers, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """What the cells of the feature map should know.

    Names: int64 [layers, cells, cells], 0 where the layer has no spot in the cell, else 1 + the name's place.
    Places: float32 [cells, cells, 2], the spot's unit coordinates, NaN in cells without any.
    """
    names = np.zeros((len(layers), cells, cells), np.int64)
    places = np.full((cells, cells, 2), np.nan, np.float32)
    order = list(layers)
    for spot in spots:
        column, row = cell_of(spot.point, cells)
        names[order.index(spot.layer), row, column] = 1 + layers[spot.layer].index(spot.name)
        places[row, column] = spot.point.x, spot.point.y
    return names, places


class SpotHead(nn.Module):
    """A linear reading of every cell, thrown away after training: what stands in it, and where exactly."""

    def __init__(self, width: int, layers: Layers) -> None:
        super().__init__()
        self._sizes = [1 + len(names) for names in layers.values()]
        self.names = nn.Linear(width, sum(self._sizes))
        self.places = nn.Linear(width, 2)

    def loss(self, features: torch.Tensor, names: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """``features`` [B, cells, cells, width]; targets as ``spot_targets`` gives them, batched."""
        total = features.new_zeros(())
        for layer, logits in enumerate(self.names(features).float().split(self._sizes, dim=-1)):
            wanted = names[:, layer]
            losses = functional.cross_entropy(logits.flatten(0, 2), wanted.flatten(), reduction="none")
            there = (wanted.flatten() > 0).float()
            # As much weight on what is there as on the far more numerous cells where nothing is.
            total = total + (losses * there).sum() / there.sum().clamp(min=1) + (losses * (1 - there)).mean() * 4
        known = ~places[..., 0].isnan()
        if known.any():
            off = functional.smooth_l1_loss(self.places(features).float()[known], places[known], beta=0.02)
            total = total + 20 * off
        return total
