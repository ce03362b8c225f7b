"""What one visitor has on the page: the source, the frame that is planned from and its marks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from PIL import Image

from apps.robot_planner.observation import Observation, VideoInfo, from_picture, from_scene, from_video
from core.geometry import Point
from core.marks import draw_points

Edit = Literal["add", "move", "delete"]

CANVAS = 1024
"""Pixels of the longer side at which the frame is shown for marking."""


@dataclass(frozen=True)
class Visit:
    """``path`` is an uploaded file, ``scene`` the seed of a simulated one; ``video`` tells of a video's frames.

    ``held`` is a mark that was picked up to be moved. ``canvas`` is the frame as it is marked on the page; ``scale``
    its pixels for each of the picture's.
    """

    path: str = ""
    scene: int | None = None
    shaky: bool = False
    video: VideoInfo | None = None
    frame: int = 0
    marks: Mapping[int, Point] = field(default_factory=dict)
    held: int | None = None
    canvas: Image.Image | None = field(default=None, repr=False, compare=False)
    scale: float = 1.0

    @property
    def empty(self) -> bool:
        return not self.path and self.scene is None

    def observe(self, seconds: float | None = None, ahead: bool = True) -> Observation:
        """``ahead`` draws what follows in a simulated scene too. Raises UserError for a file that cannot be read."""
        if self.scene is not None:
            return from_scene(self.scene, self.shaky, ahead)
        if self.video is None:
            return from_picture(self.path)
        return from_video(self.path, self.frame, seconds)

    def showing(self, image: Image.Image) -> Visit:
        scale = min(1.0, CANVAS / max(image.size))
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        return replace(self, canvas=image.resize(size, Image.Resampling.BOX), scale=scale)

    def picture(self) -> Image.Image | None:
        """The frame with its marks; a mark that is being moved is left out."""
        if self.canvas is None:
            return None
        shown = {
            mark: Point(point.x * self.scale, point.y * self.scale)
            for mark, point in self.marks.items()
            if mark != self.held
        }
        return draw_points(self.canvas, shown)

    def edited(self, edit: Edit, x: float, y: float) -> Visit:
        """After a click at (x, y) of the canvas: a new mark there, the nearest one gone, or the nearest one picked up
        and, with the next click, put down."""
        point = Point(x / self.scale, y / self.scale)
        if edit == "move" and self.held is not None:
            return replace(self, marks={**self.marks, self.held: point}, held=None)
        if edit == "add":
            number = next(n for n in range(1, len(self.marks) + 2) if n not in self.marks)
            return replace(self, marks=dict(sorted({**self.marks, number: point}.items())), held=None)
        if not self.marks:
            return self
        nearest = min(self.marks, key=lambda mark: point.distance(self.marks[mark]))
        if edit == "move":
            return replace(self, held=nearest)
        return replace(self, marks={mark: at for mark, at in self.marks.items() if mark != nearest}, held=None)
