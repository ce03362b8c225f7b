"""How far a predicted trace is from the true one, and what costs nothing to predict."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.geometry import GRID


@dataclass(frozen=True)
class TraceErrors:
    """Distances in cells of the 256 grid: the mean of all steps (average displacement error), the last step's (final
    displacement error), and the discrete Frechet distance. ``hit4`` is the share of steps within 4 cells, and so on."""

    ade: float
    fde: float
    hit4: float
    hit8: float
    hit16: float
    frechet: float

    def percent(self) -> dict[str, float]:
        """The distances in percent of the picture's side."""
        return {name: getattr(self, name) / GRID * 100 for name in ("ade", "fde", "frechet")}


def trace_errors(predicted: np.ndarray, truth: np.ndarray) -> TraceErrors:
    """Both [k, 2] on the 256 grid, step by step, k at least 1. Raises ValueError for other shapes."""
    predicted, truth = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    if predicted.shape != truth.shape or predicted.ndim != 2 or predicted.shape[1] != 2 or not len(predicted):
        raise ValueError(f"traces of shapes {predicted.shape} and {truth.shape} cannot be compared")
    distances = np.linalg.norm(predicted - truth, axis=1)
    hits = (float((distances <= limit).mean()) for limit in (4, 8, 16))
    return TraceErrors(float(distances.mean()), float(distances[-1]), *hits, frechet(predicted, truth))


def frechet(first: np.ndarray, second: np.ndarray) -> float:
    """The discrete Frechet distance (Eiter and Mannila 1994) of polylines [k, 2] and [m, 2]: the shortest leash with
    which both can be walked from end to end, never turning back."""
    distances = np.linalg.norm(first[:, None] - second[None], axis=2)
    leash = np.full((len(first) + 1, len(second) + 1), np.inf)
    leash[0, 0] = 0.0
    for i, row in enumerate(distances, 1):
        for j, distance in enumerate(row, 1):
            leash[i, j] = max(distance, min(leash[i - 1, j], leash[i, j - 1], leash[i - 1, j - 1]))
    return float(leash[-1, -1])


def stay(start: np.ndarray, steps: int) -> np.ndarray:
    """The baseline that does not move: [steps, 2], all ``start``."""
    return np.tile(np.asarray(start, np.float64), (steps, 1))


def constant_velocity(history: np.ndarray, steps: int) -> np.ndarray:
    """The baseline that repeats the last step of ``history`` [h, 2], h at least 1: [steps, 2] after it."""
    history = np.asarray(history, np.float64)
    velocity = history[-1] - history[-2] if len(history) > 1 else np.zeros(2)
    return history[-1] + np.arange(1, steps + 1)[:, None] * velocity


def straight_line(start: np.ndarray, end: np.ndarray, steps: int) -> np.ndarray:
    """The baseline that goes to the end in equal steps: [steps, 2], the last one ``end``."""
    start, end = np.asarray(start, np.float64), np.asarray(end, np.float64)
    return start + np.arange(1, steps + 1)[:, None] / steps * (end - start)
