"""Magma's recipe for Trace-of-Mark data: from a clip to numbered marks, and to the conversation that teaches them.

Not as the original does: moving and static are told apart after the camera's motion is gone, every frame keeps its
place, thresholds follow the picture's size, and everything random has a seed.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

from core.geometry import GRID, Point, Size, to_grid
from core.skills import Trace, Traces
from core.traces.selecting import Selected, number_marks, select
from core.traces.stabilising import Stabilised, stabilise
from core.traces.tracking import Tracks, grid_points, track

CLOSE = 2.0
"""Cells of the 256 grid: a position nearer than this to the one before it is left out of a trace."""


@dataclass(frozen=True)
class MarkedClip:
    """``tracks`` as the frames show them, ``stabilised`` without the camera's motion, of the same grid of points;
    ``marks`` maps numbers to points. ``size`` is the frames'."""

    size: Size
    tracks: Tracks
    stabilised: Stabilised
    selected: Selected
    marks: dict[int, int]

    @property
    def moving(self) -> tuple[int, ...]:
        """The numbers of the marks that move."""
        return tuple(number for number in sorted(self.marks) if self.marks[number] in self.selected.moving)

    def starts(self) -> dict[int, Point]:
        """Where the marks are on the first frame, in pixels."""
        return {number: _point(self.tracks.points[0, index]) for number, index in self.marks.items()}

    def path(self, number: int) -> np.ndarray:
        """Where the mark is seen, camera removed: float32 [k, 2], k at most the count of frames."""
        index = self.marks[number]
        return self.stabilised.tracks.points[self.stabilised.tracks.visible[:, index], index]


def mark_clip(
    frames: Sequence[np.ndarray], seed: int, tracker: str = "lucas-kanade", grid: int = 15
) -> Generator[int, None, MarkedClip]:
    """Track grid x grid points through RGB uint8 frames, take the camera out, choose marks and number them; yields the
    count of frames tracked. Raises UserError for a tracker that is not there."""
    height, width = frames[0].shape[:2]
    size = width, height
    tracks = yield from track(frames, grid_points(size, grid), tracker)
    stabilised = stabilise(tracks, size)
    selected = select(stabilised.tracks, size, seed)
    return MarkedClip(size, tracks, stabilised, selected, number_marks(selected, seed))


def taught_traces(clip: MarkedClip) -> tuple[Traces | None, int, int]:
    """The moving marks' traces on the 256 grid, their speed (mean step in cells, rounded down as in Magma's data, at
    least 1), and the most steps that one of them has. No traces where nothing moves far enough to be told."""
    traces, lengths = [], []
    for number in clip.moving:
        path = _without_close(clip.path(number) * (GRID / np.array(clip.size)))
        if len(path) > 1:
            cells = [to_grid(_point(position), (GRID, GRID)) for position in path]
            traces.append(Trace(number, cells[0], tuple(cells[1:])))
            lengths.append(float(np.linalg.norm(np.diff(path, axis=0), axis=1).mean()))
    if not traces:
        return None, 1, 0
    return Traces(tuple(traces)), max(1, int(np.mean(lengths))), max(len(trace.future) for trace in traces)


def _without_close(path: np.ndarray) -> np.ndarray:
    kept = [path[0]]
    for position in path[1:]:
        if np.linalg.norm(position - kept[-1]) >= CLOSE:
            kept.append(position)
    return np.array(kept)


def _point(position: np.ndarray) -> Point:
    return Point(float(position[0]), float(position[1]))
