"""Trace-of-Mark data from any clip.

python -m apps.robot_planner.trace VIDEO --out DIR [--task TEXT] [--start SECONDS] [--frames N] [--tracker NAME]

Writes into DIR:

- orig_trace.mp4: every point that was tracked, on the clip's frames,
- som_tom.mp4: the numbered marks, and the traces of those that move,
- stabilised.mp4: the same with the camera's motion taken out,
- traces.json: the marks, where they are on every frame and where they go on the first one,
- traces.png: the first frame with its marks, and where they will go,
- marks.png and conversation.json: the training example, in LLaVA's form.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from core.errors import UserError
from core.files import whole_file, write_text
from core.generators import finish
from core.geometry import GRID, Point, to_grid
from core.marks import draw_points
from core.skills import format_traces, trace_prompt
from core.traces import MarkedClip, draw_traces, mark_clip, taught_traces, warp
from core.traces.tracking import TRACKERS
from core.video import Clip, read_clip, write_video

FRAMES = 17
"""The one that is marked and sixteen after it, as in Magma's data."""
FRAMES_PER_SECOND = 8.0
SIDE = 640


def main(arguments: Sequence[str] | None = None) -> int:
    given = _arguments().parse_args(arguments)
    try:
        out = Path(given.out)
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{out} cannot be made: {error.strerror}.") from error
        clip = read_clip(given.video, given.start, given.frames, given.frames_per_second, given.side)
        if len(clip.frames) < 2:
            raise UserError(f"{given.video} has one frame there; traces need two at least. Start earlier.")
        marked = _track(clip, given)
        print(write_all(out, clip, marked, given.task or _in_words(given.video), given.tracker, given.seed))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m apps.robot_planner.trace", description="Make Trace-of-Mark data from a clip."
    )
    parser.add_argument("video", help="an MP4, WebM, MOV, AVI, MKV or GIF clip")
    parser.add_argument(
        "--out", metavar="DIR", required=True, help="folder for the results; made where it is not there"
    )
    parser.add_argument("--task", metavar="TEXT", help="what is being done (default: the file's name in words)")
    parser.add_argument("--start", metavar="SECONDS", type=_positive(float, zero=True), help="where to start")
    parser.add_argument(
        "--frames", type=_positive(int), default=FRAMES, help="how many frames to follow (default: %(default)s)"
    )
    parser.add_argument(
        "--frames-per-second",
        metavar="RATE",
        type=_positive(float),
        default=FRAMES_PER_SECOND,
        help="how many frames of each second (default: %(default)s)",
    )
    parser.add_argument(
        "--side", type=_positive(int), default=SIDE, help="longer side in pixels, at most (default: %(default)s)"
    )
    parser.add_argument(
        "--tracker",
        choices=TRACKERS,
        default=TRACKERS[0],
        help="cotracker3 runs code fetched from GitHub, and its weights are for non-commercial use only; "
        "all but lucas-kanade need weights from the Hugging Face hub (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the choice and the numbers of marks")
    return parser


def _positive(kind: type, zero: bool = False):
    def number(text: str):
        value = kind(text)
        if not (0 if zero else 1e-9) <= value < 1e9:
            raise argparse.ArgumentTypeError(f"{text} is not a positive number")
        return value

    return number


def _track(clip: Clip, given: argparse.Namespace) -> MarkedClip:
    with tqdm(total=len(clip.frames), unit="frame", desc="tracking", disable=None) as bar:

        def done(count: int) -> None:
            bar.update(count - bar.n)

        return finish(mark_clip(clip.frames, given.seed, given.tracker), done)


def write_all(out: Path, clip: Clip, marked: MarkedClip, task: str, tracker: str, seed: int) -> str:
    """Write every result into the folder, each whole or not at all; gives a few lines for people."""
    rate = clip.frames_per_second
    for name, frames in (
        ("orig_trace.mp4", tracked_film(clip.frames, marked)),
        ("som_tom.mp4", marked_film(clip.frames, marked)),
        ("stabilised.mp4", steady_film(clip.frames, marked)),
    ):
        with tqdm(total=len(clip.frames), unit="frame", desc=name, disable=None) as bar:
            finish(write_video(out / name, frames, rate), lambda count, bar=bar: bar.update(count - bar.n))
    _save(out / "traces.png", traced_frame(clip.frames, marked))
    traces, speed, steps = taught_traces(marked)
    write_text(out / "traces.json", json.dumps(_record(clip, marked, tracker, seed), indent=1) + "\n")
    lines = [
        f"{len(marked.marks)} marks, {len(marked.moving)} of them moving: {out}",
        *_fallbacks(marked),
    ]
    if traces is None:
        for name in ("marks.png", "conversation.json"):
            (out / name).unlink(missing_ok=True)  # of an earlier clip
        return "\n".join([*lines, "Nothing moves by two cells of the grid, so there is no training conversation."])
    conversation = trace_prompt(marked_frame(clip.frames, marked), task, sorted(marked.marks), speed, steps, True)
    _save(out / "marks.png", conversation.images[0])
    turns = [
        {"from": "human", "value": f"<image>\n{conversation.text}"},
        {"from": "gpt", "value": format_traces(traces)},
    ]
    write_text(
        out / "conversation.json",
        json.dumps([{"image": "marks.png", "conversations": turns}], ensure_ascii=False, indent=1) + "\n",
    )
    return "\n".join(lines)


def _save(path: Path, picture: Image.Image) -> None:
    with whole_file(path) as part:
        picture.save(part)


def _fallbacks(marked: MarkedClip) -> list[str]:
    """What the camera's motion is uncertain about."""
    frames = [str(frame) for frame, fit in enumerate(marked.stabilised.fits) if fit == "frame before"]
    return [f"Too little to tell the camera's motion by on frames {', '.join(frames)}."] if frames else []


def tracked_film(frames: Sequence[np.ndarray], marked: MarkedClip) -> Iterator[Image.Image]:
    """Every point that is seen, with its way up to each frame, in the frame's own pixels."""
    tracks = marked.tracks
    for now, frame in enumerate(frames):
        ways = {}
        for index in np.flatnonzero(tracks.visible[now]):
            seen = tracks.visible[: now + 1, index]
            ways[int(index)] = _points(tracks.points[: now + 1, index][seen])
        yield draw_traces(Image.fromarray(frame), ways)


def marked_film(frames: Sequence[np.ndarray], marked: MarkedClip) -> Iterator[Image.Image]:
    """The marks where they are seen, and the way that each moving one has come, as the camera of each frame sees it."""
    for now, frame in enumerate(frames):
        camera = np.linalg.inv(marked.stabilised.homographies[now])
        yield _marked(Image.fromarray(frame), marked, now, camera)


def steady_film(frames: Sequence[np.ndarray], marked: MarkedClip) -> Iterator[Image.Image]:
    """The same with every frame laid onto the first one."""
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])  # OpenCV counts from the centre of the first pixel
    for now, frame in enumerate(frames):
        homography = np.linalg.inv(half) @ marked.stabilised.homographies[now] @ half
        steady = cv2.warpPerspective(frame, homography, marked.size, flags=cv2.INTER_LINEAR)
        yield _marked(Image.fromarray(steady), marked, now, np.eye(3))


def marked_frame(frames: Sequence[np.ndarray], marked: MarkedClip) -> Image.Image:
    """The first frame with the numbered marks: what a model sees."""
    return draw_points(Image.fromarray(frames[0]), marked.starts())


def traced_frame(frames: Sequence[np.ndarray], marked: MarkedClip) -> Image.Image:
    """The first frame with all marks, and the whole way of those that move."""
    ways = {number: _points(marked.path(number)) for number in marked.moving}
    return draw_points(draw_traces(Image.fromarray(frames[0]), ways), marked.starts())


def _marked(picture: Image.Image, marked: MarkedClip, now: int, camera: np.ndarray) -> Image.Image:
    """``camera`` [3, 3] takes the first frame's coordinates to the picture's."""
    tracks = marked.stabilised.tracks
    ways, places = {}, {}
    for number, index in marked.marks.items():
        seen = tracks.visible[: now + 1, index]
        way = _points(warp(tracks.points[: now + 1, index][seen], camera))
        if number in marked.moving:
            ways[number] = way
        if seen[-1]:
            places[number] = way[-1]
    return draw_points(draw_traces(picture, ways), places)


def _record(clip: Clip, marked: MarkedClip, tracker: str, seed: int) -> dict:
    """Positions are pixels of the clip's frames as read (``size``), origin top left; ``way`` has the camera removed and
    is in the first frame's pixels; ``grid`` is the same on the 256 grid."""
    marks = []
    for number in sorted(marked.marks):
        index = marked.marks[number]
        way = marked.stabilised.tracks.points[:, index]
        marks.append(
            {
                "mark": number,
                "moving": number in marked.moving,
                "seen": marked.tracks.visible[:, index].tolist(),
                "positions": np.round(marked.tracks.points[:, index].astype(float), 2).tolist(),
                "way": np.round(way.astype(float), 2).tolist(),
                "grid": [to_grid(point, marked.size) for point in _points(way)],
            }
        )
    return {
        "size": list(marked.size),
        "start": clip.start,
        "frames_per_second": clip.frames_per_second,
        "frames": len(clip.frames),
        "tracker": tracker,
        "seed": seed,
        "grid": GRID,
        "camera": {
            "fits": list(marked.stabilised.fits),
            "to_first_frame": np.round(marked.stabilised.homographies, 8).tolist(),
        },
        "marks": marks,
    }


def _points(positions: np.ndarray) -> list[Point]:
    return [Point(float(x), float(y)) for x, y in positions]


def _in_words(path: str) -> str:
    return " ".join(Path(path).stem.replace("_", " ").replace("-", " ").split())


if __name__ == "__main__":
    sys.exit(main())
