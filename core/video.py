"""Clips: H.264 MP4 that plays in every browser, and GIF."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from itertools import chain
from pathlib import Path

import imageio_ffmpeg
from PIL import Image

from core.errors import UserError
from core.files import whole_file


def write_video(
    path: str | Path, frames: Iterable[Image.Image], frames_per_second: float
) -> Generator[int, None, None]:
    """Write RGB frames of one size to ``path``, as .mp4 or .gif by its suffix; the file appears whole or not at all.

    A generator, so that it can be stopped: it yields the count of frames so far, and closing it leaves no file. An odd
    last row or column is cut from an MP4: its pixel format, the only one that every browser plays, wants even sides.
    Raises UserError for another suffix and ValueError where there is no frame.
    """
    write = {".mp4": _write_mp4, ".gif": _write_gif}.get(Path(path).suffix.lower())
    if write is None:
        raise UserError(f"{path}: a clip is written as .mp4 or .gif.")
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise ValueError("a clip needs at least one frame")
    with whole_file(path) as part:
        yield from write(part, first, frames, frames_per_second)


def _write_mp4(
    path: Path, first: Image.Image, rest: Iterator[Image.Image], frames_per_second: float
) -> Generator[int, None, None]:
    size = (first.width // 2 * 2, first.height // 2 * 2)
    writer = imageio_ffmpeg.write_frames(
        str(path),
        size,
        fps=frames_per_second,
        codec="libx264",
        macro_block_size=2,
        quality=None,
        ffmpeg_log_level="error",
        # faststart: a browser can play before it has the whole file.
        output_params=["-preset", "veryfast", "-crf", "20", "-movflags", "+faststart"],
    )
    writer.send(None)
    try:
        for count, frame in enumerate(chain([first], rest), 1):
            writer.send(frame.crop((0, 0, *size)).tobytes())
            yield count
    finally:
        writer.close()


def _write_gif(
    path: Path, first: Image.Image, rest: Iterator[Image.Image], frames_per_second: float
) -> Generator[int, None, None]:
    frames = []
    for count, frame in enumerate(chain([first], rest), 1):
        frames.append(frame.quantize(dither=Image.Dither.NONE))  # dithering would make still areas flicker
        yield count
    duration = max(20, round(100 / frames_per_second) * 10)  # GIF counts time in hundredths of a second
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=duration, loop=0, optimize=False)
