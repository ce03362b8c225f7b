"""How fast points are tracked here: python -m core.traces.bench

256 points through 17 frames of 256 x 256 pixels: a textured ground under a panning camera, a textured square moving on
it.
"""

from __future__ import annotations

import os
import time
from statistics import median

import cv2
import numpy as np

from core.generators import finish
from core.traces import grid_points, stabilise, track

SIDE, FRAMES, GRID_SIDE, REPEATS = 256, 17, 16, 7


def clip() -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    noise = generator.integers(0, 255, (2 * SIDE, 2 * SIDE, 3), dtype=np.uint8)
    ground = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX)
    frames = []
    for time_ in range(FRAMES):
        frame = ground[time_ : time_ + SIDE, 2 * time_ : 2 * time_ + SIDE].copy()
        frame[100:150, 60 + 4 * time_ : 110 + 4 * time_] = ground[-50:, -50:]
        frames.append(frame)
    return frames


def main() -> None:
    frames, points = clip(), grid_points((SIDE, SIDE), GRID_SIDE)
    tracking, processor, stabilising = [], [], []
    for _ in range(REPEATS):
        started, busy = time.perf_counter(), time.process_time()
        tracks = finish(track(frames, points))
        tracked = time.perf_counter()
        processor.append(time.process_time() - busy)
        stabilise(tracks, (SIDE, SIDE))
        tracking.append(tracked - started)
        stabilising.append(time.perf_counter() - tracked)
    print(f"{len(points)} points x {FRAMES} frames at {SIDE} x {SIDE}, {os.cpu_count()} cores, median of {REPEATS}:")
    print(f"tracking {median(tracking):.3f} s ({median(processor):.3f} s of processor time)")
    print(f"stabilising {median(stabilising):.3f} s")


if __name__ == "__main__":
    main()
