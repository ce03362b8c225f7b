"""What a plan is made from: a picture, a moment of a video, or a simulated scene, with what followed where known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from PIL import Image

from apps.robot_planner.tabletop import STEPS, Scene, make_scene
from core.errors import UserError
from core.images import FORMATS, open_image
from core.video import MAX_SIDE, about_clip, read_clip

Kind = Literal["picture", "video", "simulated tabletop"]

LONGEST_PLAN = 4.0
"""Seconds of a video that the steps cover where nothing else is asked."""
FRAMES_PER_SECOND = 15.0
"""Of a video's frames that are looked at, where it has as many, and of a plan's film."""
SCENE_FRAMES = 3
"""Frames of a simulated scene for each of its steps."""
FULL_SIDE = 8192
"""Longer side, in pixels, at which the frame that is planned from is read."""
PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})


@dataclass(frozen=True)
class Observation:
    """``image`` is the picture that is planned from, RGB; marks and traces are in its pixels.

    ``following`` are the frames after it, at ``frames_per_second``, ``before`` those before it, oldest first; all RGB
    uint8 [h, w, 3] of one size, the video's as a rule smaller than ``image``. ``seconds`` is the time that a plan's
    steps cover. ``at`` is the moment of the image in the video, in seconds. ``scene`` is the simulated one.
    """

    image: Image.Image
    kind: Kind = "picture"
    before: tuple[np.ndarray, ...] = ()
    following: tuple[np.ndarray, ...] = ()
    frames_per_second: float = FRAMES_PER_SECOND
    seconds: float = LONGEST_PLAN
    at: float = 0.0
    scene: Scene | None = None

    @property
    def steady(self) -> bool:
        """Whether the camera is known to stand still."""
        return self.scene is not None and not self.scene.shake.any()

    def frames(self, side: int = MAX_SIDE) -> list[np.ndarray]:
        """The image and the frames that follow, all of the size of those, or smaller: at most ``side`` pixels on the
        longer side."""
        if not self.following:
            return [np.asarray(self.image)]
        height, width = self.following[0].shape[:2]
        factor = min(1.0, side / max(width, height))
        size = max(1, round(width * factor)), max(1, round(height * factor))
        first = np.asarray(self.image.resize(size, Image.Resampling.BOX))
        rest = self.following
        if factor < 1:
            rest = tuple(cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in rest)
        return [first, *rest]

    def frame_of(self, step: int, steps: int) -> int:
        """The index in ``frames()`` of the moment after this many of a plan's steps; it may lie past their end."""
        if self.scene is not None:
            return step * SCENE_FRAMES
        return round(step / steps * self.seconds * self.frames_per_second)


@dataclass(frozen=True)
class VideoInfo:
    """``frames`` is the count of a video's frames, ``frames_per_second`` how fast they follow each other."""

    frames: int
    frames_per_second: float


def from_picture(source: str | Path | bytes | Image.Image) -> Observation:
    return Observation(open_image(source))


def from_scene(seed: int, shaky: bool = False, ahead: bool = True) -> Observation:
    """The simulated scene of this seed; its own task is ``scene.task``, its marks are ``scene.marks``. ``ahead`` draws
    the frames that follow too. Raises UserError for a negative seed."""
    if seed < 0:
        raise UserError("A scene is named by a whole number, 0 or more.")
    scene = make_scene(seed, shaky=shaky)
    count = STEPS * SCENE_FRAMES if ahead else 0
    frames = [np.asarray(scene.frame(index / SCENE_FRAMES)) for index in range(1, count + 1)]
    return Observation(
        scene.frame(0),
        "simulated tabletop",
        following=tuple(frames),
        frames_per_second=FRAMES_PER_SECOND,
        seconds=STEPS * SCENE_FRAMES / FRAMES_PER_SECOND,
        scene=scene,
    )


def video_info(path: str | Path, any_length: bool = False) -> VideoInfo:
    """Raises UserError for what is no clip, has no frame, or is too long to be looked through."""
    about = about_clip(path)
    if about.seconds is None or about.frames_per_second is None:
        clip = read_clip(path)  # a browser's recording says neither: its frames are counted
        return VideoInfo(len(clip.frames), clip.frames_per_second)
    if not any_length:
        read_clip(path, frames=1)
    return VideoInfo(max(1, round(about.seconds * about.frames_per_second)), about.frames_per_second)


def from_video(path: str | Path, frame: int | None = None, seconds: float | None = None) -> Observation:
    """A video from its ``frame`` on, counted from 0; None is the first.

    ``seconds`` of it are covered by a plan's steps; None takes what is left, at most LONGEST_PLAN. A video of more than
    ten minutes is read only where a frame is named. Raises UserError for what is no clip and for a frame past its end.
    """
    info = video_info(path, any_length=frame is not None)
    frame = frame or 0
    if not 0 <= frame < info.frames:
        raise UserError(f"{Path(path).name!r} has {info.frames} frames, 0 to {info.frames - 1}; there is no {frame}.")
    if seconds is not None and not 0 < seconds <= 60:
        raise UserError(f"The steps of a plan cover more than 0 and at most 60 seconds, not {seconds:g}.")
    at = frame / info.frames_per_second
    start = max(0.0, (frame - 0.5) / info.frames_per_second)  # half a frame early, so that rounding skips none
    full = read_clip(path, start, frames=1, side=FULL_SIDE)
    rate = min(FRAMES_PER_SECOND, info.frames_per_second)
    wanted = seconds or LONGEST_PLAN
    clip = read_clip(path, start, frames=round(wanted * rate) + 1, frames_per_second=rate)
    following = clip.frames[1:]
    if seconds is None:
        wanted = len(following) / rate or LONGEST_PLAN
    return Observation(
        Image.fromarray(full.frames[0]),
        "video",
        before=_before(path, start, rate) if start else (),
        following=following,
        frames_per_second=rate,
        seconds=wanted,
        at=at,
    )


def _before(path: str | Path, start: float, rate: float) -> tuple[np.ndarray, ...]:
    """The last half second before the start: what a guess of constant velocity goes by."""
    count = round(min(start, 0.5) * rate)
    return read_clip(path, start - count / rate, frames=count, frames_per_second=rate).frames if count else ()


def is_picture(path: str | Path) -> bool:
    """By what the name says, else by what the file holds. A GIF counts as a video."""
    if Path(path).suffix.lower() in PICTURES:
        return True
    try:
        with Image.open(path, formats=[name for name in FORMATS if name != "GIF"]):
            return True
    except Image.DecompressionBombError:
        return True
    except (OSError, SyntaxError, ValueError):
        return False


def read_observation(path: str | Path, frame: int | None = None, seconds: float | None = None) -> Observation:
    """A picture, or a video from this frame on; see ``from_video``."""
    return from_picture(path) if is_picture(path) else from_video(path, frame, seconds)
