"""Clips: read from what people send; written as H.264 MP4 that plays in every browser, and as GIF."""

from __future__ import annotations

import re
import subprocess
import tempfile
import threading
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO

import imageio_ffmpeg
import numpy as np
from PIL import Image

from core.errors import UserError
from core.files import whole_file
from core.images import MAX_PIXELS

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,mpeg,mpegts,mpegvideo,flv,asf,ogg,m4v"
"""Only these demuxers run on what people send: ffmpeg has others, such as playlists, that open further files."""

MAX_FRAMES, MAX_SIDE = 256, 640
"""What is read where nothing else is asked: of a clip of 16:9, 177 MB."""
LONGEST = 600.0
"""Seconds: a longer clip is read only where a start is named."""
PATIENCE = 60.0
"""Seconds after which a decoder is given up."""


@dataclass(frozen=True)
class About:
    """What a file says of itself. ``seconds`` and ``frames_per_second`` are None where it does not say."""

    seconds: float | None
    frames_per_second: float | None


@dataclass(frozen=True)
class Clip:
    """``frames`` RGB uint8 [h, w, 3] of one size, upright, at least one; ``start`` seconds into a file that lasts
    ``seconds`` (None where it does not say)."""

    frames: tuple[np.ndarray, ...]
    frames_per_second: float
    start: float
    seconds: float | None


def about_clip(path: str | Path) -> About:
    """What is known without decoding. Raises UserError for what is no clip."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except (OSError, ValueError) as error:  # ValueError: a name that no file system takes
        raise UserError(f"{path.name!r} cannot be opened: {getattr(error, 'strerror', None) or error}.") from error
    if not head:
        raise UserError(f"{path.name!r} is empty (0 bytes). Choose another file.")
    try:
        said = subprocess.run(
            _opening(path), stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False
        ).stderr.decode(errors="replace")
    except subprocess.TimeoutExpired as error:
        raise UserError(f"{path.name!r} is not understood within {PATIENCE:.0f} s. Save or upload it again.") from error
    if "Input #0" not in said:
        raise UserError(f"{path.name!r} {_what_it_is(head, said)}")
    stream = re.search(r"^\s*Stream #0.*: Video: (.*)$", said, re.MULTILINE)
    if stream is None:
        raise UserError(f"{path.name!r} holds no video. Choose a clip with pictures.")
    rate = re.search(r"([\d.]+)(k?) fps", stream[1])
    frames_per_second = float(rate[1]) * (1000 if rate[2] else 1) if rate else 0.0
    duration = re.search(r"Duration: (\d+):(\d\d):([\d.]+)", said)
    seconds = int(duration[1]) * 3600 + int(duration[2]) * 60 + float(duration[3]) if duration else None
    # Browsers record WebM with a clock of 1000 ticks a second in the place of the rate.
    return About(seconds, frames_per_second if 0 < frames_per_second <= 240 else None)


def read_clip(
    path: str | Path,
    start: float | None = None,
    frames: int = MAX_FRAMES,
    frames_per_second: float | None = None,
    side: int = MAX_SIDE,
) -> Clip:
    """Read at most ``frames`` frames from ``start`` seconds on, none of what precedes or follows.

    ``frames_per_second`` takes that many frames of each second, at most as many as there are; None takes all. Frames
    are scaled down to at most ``side`` pixels on the longer side, turned as the file says and given square pixels.
    Raises UserError for what is no clip, is damaged, has no frame there, or lasts over ten minutes where no start is
    given.
    """
    path = Path(path)
    about = about_clip(path)
    if start is not None and not 0 <= start < float("inf"):
        raise UserError(f"A clip is read from a second that is 0 or later, not from {start}.")
    if start is None and about.seconds is not None and about.seconds > LONGEST:
        raise UserError(
            f"{path.name!r} lasts {_clock(about.seconds)}; whole clips are read up to {_clock(LONGEST)}. "
            "Say from which second to start, or cut out the part you mean."
        )
    start = start or 0.0
    rate = about.frames_per_second or 30.0
    filters = []
    if about.frames_per_second is None or (frames_per_second is not None and frames_per_second < rate):
        rate = min(frames_per_second or rate, rate)
        filters = [f"fps={rate}"]
    shrink = f"min(1,{side}/max(iw*sar,ih))"
    filters += [f"scale=w='max(1,round(iw*sar*{shrink}))':h='max(1,round(ih*{shrink}))':flags=area", "setsar=1"]
    command = [*_opening(path, start), "-map", "0:v:0", "-an", "-vf", ",".join(filters), "-frames:v", str(frames)]
    command += ["-fps_mode", "passthrough", "-f", "image2pipe", "-c:v", "ppm", "-"]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        alarm = threading.Timer(PATIENCE, process.kill)
        alarm.start()
        try:
            pictures = tuple(_pictures(process.stdout))
        finally:
            alarm.cancel()
            process.kill()
            process.stdout.close()
            process.wait()
        log.seek(0)
        said = log.read().decode(errors="replace")
    if not pictures:
        if start > 0 and about.seconds is not None:
            raise UserError(
                f"{path.name!r} lasts {_clock(about.seconds)}; no frame can be read at {_clock(start)} or after it."
            )
        raise UserError(f"{path.name!r} has no frame that can be read ({_last_line(said)}). Save or upload it again.")
    return Clip(pictures, rate, start, about.seconds)


def _opening(path: Path, start: float = 0.0) -> list[str]:
    """The command that opens the file and nothing else, whatever stands in it."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-nostats", "-protocol_whitelist", "file"]
    command += ["-format_whitelist", FORMATS, "-max_pixels", str(MAX_PIXELS)]
    return [*command, "-ss", str(start), "-i", f"file:{path}"]


def _pictures(stream: IO[bytes]) -> Iterator[np.ndarray]:
    """Binary PPM pictures of the first one's size, one after another."""
    size: tuple[int, int] | None = None
    while stream.readline() == b"P6\n":
        width, height = map(int, stream.readline().split())
        stream.readline()  # the highest value, 255
        data = stream.read(width * height * 3)
        size = size or (width, height)
        if len(data) < width * height * 3 or (width, height) != size:
            return
        yield np.frombuffer(data, np.uint8).reshape(height, width, 3)


def _what_it_is(head: bytes, said: str) -> str:
    if b"\0" not in head:
        return "is a text file, not a video. Send an MP4, WebM, MOV, AVI, MKV or GIF clip."
    if head[4:8] == b"ftyp" or head[:4] in (b"\x1aE\xdf\xa3", b"RIFF", b"GIF8"):
        return f"is damaged or cut off ({_last_line(said)}). Save or upload it again."
    return "is not a video in a format that can be read here. Send an MP4, WebM, MOV, AVI, MKV or GIF clip."


def _last_line(said: str) -> str:
    lines = [line.split("] ")[-1].strip(" .") for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def _clock(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    if hours:
        return f"{hours} h {rest // 60} min"
    return f"{rest // 60} min {rest % 60} s" if rest >= 60 else f"{seconds:.1f} s"


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
