"""A plan as pictures: a still with all traces, and a film in which they grow over the frames that really followed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from PIL import Image, ImageDraw

from apps.robot_planner.observation import Observation
from apps.robot_planner.step import Step
from core.fonts import font, font_for
from core.geometry import Point, Size
from core.marks import draw_points
from core.traces import draw_traces
from core.traces.stabilising import warp

HOLD = 1.0
"""Seconds for which the last frame stays."""

Path = tuple[Point, ...]


def side_of(path: str) -> int:
    """The longer side of a film in pixels: a GIF of full size would take tens of megabytes."""
    return 480 if path.lower().endswith(".gif") else 1280


def still(step: Step, observation: Observation) -> Image.Image:
    """The picture with all marks and every trace."""
    return draw_traces(draw_points(observation.image, step.marks), step.paths)


def film_length(step: Step, observation: Observation) -> int:
    """Frames of the film."""
    return step.frames_at[-1] + 1 + round(HOLD * observation.frames_per_second)


def film(step: Step, observation: Observation, side: int) -> Iterator[Image.Image]:
    """RGB frames of one size at ``observation.frames_per_second``, the longer side at most ``side`` pixels.

    The traces grow in time with the frames that followed; over a picture alone they grow on it. Where it is known what
    really happened, that is shown beside the plan.
    """
    frames = observation.frames()
    captions: dict[str, Mapping[int, Path]] = {f"planned: {step.planner}": step.paths}
    if step.truth is not None:
        captions[f"what happened: {step.truth.source}"] = {
            mark: tuple(Point(x, y) for x, y in path)
            for mark, path in step.truth.paths.items()
            if mark in step.paths or mark in step.truth.moving
        }
    view = _view(observation.image.size, (frames[0].shape[1], frames[0].shape[0]), side, len(captions))
    last = step.frames_at[-1]
    for index in range(film_length(step, observation)):
        frame = Image.fromarray(frames[min(index, len(frames) - 1)]).resize(view, Image.Resampling.BILINEAR)
        panels = []
        for caption, paths in captions.items():
            known = {mark: _held(path, step.options.steps) for mark, path in paths.items()}
            placed = _seen_by_camera(known, step, observation.image.size, view, index)
            starts = {mark: path[0] for mark, path in placed.items()}
            panel = draw_traces(draw_points(frame, starts), placed, min(1.0, index / max(last, 1)))
            panels.append(_captioned(panel, caption))
        yield _beside(panels)


def _view(size: Size, frame: Size, side: int, panels: int) -> Size:
    """The size of one panel: that of the frames, but not so large that all panels together exceed the side."""
    most = min(max(frame), side)
    scale = min(most / max(size), side / (panels * size[0]))
    return max(2, round(size[0] * scale)), max(2, round(size[1] * scale))


def _held(path: Path, steps: int) -> Path:
    """A position for now and for each step; where a path ends early, its last one stays."""
    return path + path[-1:] * (steps + 1 - len(path))


def _seen_by_camera(paths: Mapping[int, Path], step: Step, size: Size, view: Size, index: int) -> dict[int, Path]:
    """Paths in the panel's pixels, as the camera of this frame sees them."""
    camera = np.eye(3) if step.truth is None else step.truth.cameras[min(index, len(step.truth.cameras) - 1)]
    scale = np.array([view[0] / size[0], view[1] / size[1]])
    placed = {}
    for mark, path in paths.items():
        points = warp(np.array([(point.x, point.y) for point in path]), camera) * scale
        placed[mark] = tuple(Point(float(x), float(y)) for x, y in points)
    return placed


def _captioned(panel: Image.Image, text: str) -> Image.Image:
    size = max(11, round(panel.width / 44))
    bar = Image.new("RGB", (panel.width, 2 * size), "#1b1b1f")
    face = font_for(text, size)
    while len(text) > 1 and face.getlength(text) > bar.width - size:
        text = text[:-2] + "\u2026"
    ImageDraw.Draw(bar).text((size / 2, size), text, font=face or font(size), fill="white", anchor="lm")
    whole = Image.new("RGB", (panel.width, panel.height + bar.height))
    whole.paste(panel, (0, 0))
    whole.paste(bar, (0, panel.height))
    return whole


def _beside(panels: list[Image.Image]) -> Image.Image:
    whole = Image.new("RGB", (sum(panel.width for panel in panels), panels[0].height))
    for number, panel in enumerate(panels):
        whole.paste(panel, (number * panel.width, 0))
    return whole
