"""How fast and how exactly points are tracked here: python -m core.traces.bench

On made-up clips whose every motion is known (``core/traces/synthetic.py``): 17 frames of 256 x 256 pixels, a textured
ground under five cameras, a textured or plain square that moves on it.
"""

from __future__ import annotations

import os
import time
from statistics import median

import numpy as np

from core.generators import finish
from core.traces import Tracks, grid_points, stabilise, track
from core.traces.synthetic import CAMERAS, FRAMES, INNER, SIZE, film

GRID_SIDE, REPEATS, CLIPS = 16, 7, 5


def speed() -> None:
    """Prints the seconds of tracking a grid of points, and of taking the camera's motion out."""
    frames, points = film("pan").frames, grid_points(SIZE, GRID_SIDE)
    tracking, processor, stabilising = [], [], []
    for _ in range(REPEATS):
        started, busy = time.perf_counter(), time.process_time()
        tracks = finish(track(frames, points))
        tracked = time.perf_counter()
        processor.append(time.process_time() - busy)
        stabilise(tracks, SIZE)
        tracking.append(tracked - started)
        stabilising.append(time.perf_counter() - tracked)
    print(f"{len(points)} points x {FRAMES} frames at 256 x 256, {os.cpu_count()} cores, median of {REPEATS}:")
    print(f"tracking {median(tracking):.3f} s ({median(processor):.3f} s of processor time)")
    print(f"stabilising {median(stabilising):.3f} s")


def accuracy(plain: bool) -> str:
    """A row of the table: pixels, over five clips of each camera."""
    errors, drifts = [], []
    for camera in CAMERAS:
        for seed in range(CLIPS):
            truth = film(camera, seed, plain)
            points = np.concatenate([truth.way[0] + INNER, grid_points(SIZE)]).astype(np.float32)
            tracks = stabilise(finish(track(truth.frames, points)), SIZE).tracks
            errors.append(_errors(tracks, points[: len(INNER)] + (truth.way - truth.way[0])[:, None]))
            background = truth.background(points)
            background[: len(INNER)] = False
            drifts.append(_drift(tracks, background))
    of_object = np.concatenate(errors)
    kind = "of one colour" if plain else "textured"
    return f"| {kind} | {of_object.mean():.2f} | {of_object.max():.2f} | {max(drifts):.2f} |"


def _errors(tracks: Tracks, way: np.ndarray) -> np.ndarray:
    """Distances from where the object's points truly are, where they are seen; ``way`` [frames, points, 2]."""
    count = way.shape[1]
    return np.linalg.norm(tracks.points[:, :count] - way, axis=2)[tracks.visible[:, :count]]


def _drift(tracks: Tracks, background: np.ndarray) -> float:
    """How far the background moves from one frame to the next, by mean, where it moves most."""
    steps = np.linalg.norm(np.diff(tracks.points, axis=0), axis=2)[:, background]
    seen = (tracks.visible[1:] & tracks.visible[:-1])[:, background]
    return max(float(step[both].mean()) for step, both in zip(steps, seen, strict=True))


def main() -> None:
    speed()
    print(f"\nPixels, on {len(CAMERAS) * CLIPS} clips a row, camera's motion taken out:\n")
    print(
        "| object | its points, mean | at worst | background, worst frame |", "| --- | ---: | ---: | ---: |", sep="\n"
    )
    for plain in (False, True):
        print(accuracy(plain), flush=True)


if __name__ == "__main__":
    main()
