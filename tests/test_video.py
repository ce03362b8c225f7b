"""Clips that play, files that appear whole or not at all, and what people send instead of clips."""

from __future__ import annotations

import subprocess
from itertools import pairwise
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from core.errors import UserError
from core.generators import finish
from core.video import about_clip, read_clip, write_video


def frames(count: int, size: tuple[int, int] = (65, 49)) -> list[Image.Image]:
    return [Image.new("RGB", size, (20 * number, 0, 255 - 20 * number)) for number in range(count)]


def test_an_mp4_has_every_frame_in_a_form_that_browsers_play(tmp_path):
    path = tmp_path / "clip.mp4"
    counts = []
    finish(write_video(path, frames(10), 5), counts.append)
    assert counts == list(range(1, 11))
    reader = imageio_ffmpeg.read_frames(str(path))
    about = next(reader)
    decoded = [np.frombuffer(frame, np.uint8).reshape(48, 64, 3) for frame in reader]
    assert about["codec"] == "h264" and about["pix_fmt"].startswith("yuv420p") and about["source_size"] == (64, 48)
    assert len(decoded) == 10 and abs(about["fps"] - 5) < 0.01
    assert [abs(int(frame[..., 0].mean()) - 20 * i) < 12 for i, frame in enumerate(decoded)] == [True] * 10


def test_a_gif_has_every_frame_and_its_time(tmp_path):
    path = tmp_path / "clip.gif"
    finish(write_video(path, frames(6), 10))
    with Image.open(path) as clip:
        assert clip.n_frames == 6 and clip.info["duration"] == 100 and clip.size == (65, 49)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.gif"])
def test_stopping_leaves_no_file(tmp_path, name):
    writing = write_video(tmp_path / name, frames(8), 5)
    next(writing)
    next(writing)
    writing.close()
    assert list(tmp_path.iterdir()) == []


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"\.mp4 or \.gif"):
        finish(write_video(tmp_path / "clip.avi", frames(1), 5))


# ---- reading --------------------------------------------------------------------------------------------------------


def ffmpeg(*arguments: str | Path) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", *map(str, arguments)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """Three seconds at 10 frames a second, 96 x 64; each frame a grey of 8 times its number, its right half white."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    pictures = []
    for number in range(30):
        picture = Image.new("RGB", (96, 64), (8 * number,) * 3)
        picture.paste("white", (48, 0, 96, 64))
        pictures.append(picture)
    finish(write_video(path, pictures, 10))
    return path


def number_of(frame: np.ndarray) -> int:
    return round(float(frame[8:-8, 8:40].mean()) / 8)


def test_a_clip_is_read_whole(clip):
    read = read_clip(clip)
    assert [number_of(frame) for frame in read.frames] == list(range(30))
    assert read.frames[0].shape == (64, 96, 3) and read.frames[0].dtype == np.uint8
    assert read.frames_per_second == 10 and read.start == 0 and abs(read.seconds - 3) < 0.1


def test_only_the_part_that_is_asked_for_is_read(clip):
    read = read_clip(clip, start=1.2, frames=4)
    assert [number_of(frame) for frame in read.frames] == [12, 13, 14, 15] and read.start == 1.2
    assert [number_of(frame) for frame in read_clip(clip, start=2.8, frames=9).frames] == [28, 29]


def test_fewer_frames_a_second_are_evenly_chosen_and_more_are_not_made_up(clip):
    read = read_clip(clip, frames_per_second=5)
    numbers = [number_of(frame) for frame in read.frames]
    assert read.frames_per_second == 5 and len(numbers) in (15, 16)
    assert {b - a for a, b in pairwise(numbers)} == {2}
    assert read_clip(clip, frames_per_second=60).frames_per_second == 10
    assert len(read_clip(clip, frames_per_second=60).frames) == 30


def test_frames_are_scaled_down_to_the_side_and_never_up(clip):
    assert read_clip(clip, frames=1, side=48).frames[0].shape == (32, 48, 3)
    assert read_clip(clip, frames=1, side=4000).frames[0].shape == (64, 96, 3)


def test_a_telephones_upright_clip_is_upright(clip, tmp_path):
    ffmpeg("-display_rotation:v:0", "90", "-i", clip, "-c", "copy", tmp_path / "upright.mp4")
    frame = read_clip(tmp_path / "upright.mp4", frames=1).frames[0]
    assert frame.shape == (96, 64, 3)
    assert frame[:40].mean() > 200 and frame[56:].mean() < 50  # the white half is above


def test_pixels_are_made_square(clip, tmp_path):
    ffmpeg("-i", clip, "-vf", "setsar=2/1", tmp_path / "wide.mp4")
    assert read_clip(tmp_path / "wide.mp4", frames=1).frames[0].shape == (64, 192, 3)


@pytest.mark.parametrize("suffix", [".webm", ".mkv", ".avi", ".mov", ".gif"])
def test_other_containers_are_read(clip, tmp_path, suffix):
    path = tmp_path / f"clip{suffix}"
    ffmpeg("-i", clip, "-t", "0.8", path)
    assert 8 <= len(read_clip(path).frames) <= 9


def test_a_browsers_recording_without_a_duration_is_read(clip, tmp_path):
    path = tmp_path / "recording.webm"
    ffmpeg("-i", clip, "-f", "webm", "-live", "1", path)
    assert about_clip(path).seconds is None
    assert len(read_clip(path).frames) == 30


@pytest.fixture(scope="module")
def four_hours(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "film.mp4"
    ffmpeg("-f", "lavfi", "-i", "color=gray:s=64x64:r=1/60:d=14400", "-pix_fmt", "yuv420p", path)
    return path


def test_four_hours_are_refused_with_what_to_do(four_hours):
    with pytest.raises(UserError, match=r"lasts 4 h 0 min.*from which second to start"):
        read_clip(four_hours)


def test_a_part_of_four_hours_is_read(four_hours):
    read = read_clip(four_hours, start=7200.0, frames=2)
    assert len(read.frames) == 2 and read.seconds == 14400


def test_a_start_past_the_end_is_named(clip):
    with pytest.raises(UserError, match=r"lasts 3.0 s; no frame can be read at 9.0 s"):
        read_clip(clip, start=9)


@pytest.mark.parametrize("start", [-1.0, float("nan"), float("inf")])
def test_a_start_that_is_no_time_is_refused(clip, start):
    with pytest.raises(UserError, match="0 or later"):
        read_clip(clip, start=start)


def a_text(path: Path, clip: Path) -> None:
    path.write_text("This is no film.\n" * 50)


def a_playlist(path: Path, clip: Path) -> None:
    """Opened as such, it would show another file of the machine, or fetch one from the network."""
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{clip}\n#EXT-X-ENDLIST\n")


def a_list_of_files(path: Path, clip: Path) -> None:
    path.write_text(f"ffconcat version 1.0\nfile {clip}\n")


def cut_off(path: Path, clip: Path) -> None:
    ffmpeg("-i", clip, "-c", "copy", "-movflags", "-faststart", path)
    path.write_bytes(path.read_bytes()[:-1500])


def empty(path: Path, clip: Path) -> None:
    path.touch()


def noise(path: Path, clip: Path) -> None:
    path.write_bytes(bytes(range(256)) * 64)


def a_picture(path: Path, clip: Path) -> None:
    Image.new("RGB", (8, 8)).save(path, "PNG")


def sound(path: Path, clip: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "sine=d=0.5", path)


def no_frames(path: Path, clip: Path) -> None:
    ffmpeg("-i", clip, "-frames:v", "0", path)


def a_folder(path: Path, clip: Path) -> None:
    path.mkdir()


def nothing(path: Path, clip: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (a_text, "is a text file"),
        (a_playlist, "is a text file"),
        (a_list_of_files, "is a text file"),
        (cut_off, "is damaged or cut off"),
        (empty, "is empty"),
        (noise, "is not a video"),
        (a_picture, "is not a video"),
        (sound, "holds no video"),
        (no_frames, "holds no video"),
        (a_folder, "cannot be opened"),
        (nothing, "No such file"),
    ],
)
def test_what_is_no_clip_is_refused_with_the_reason(tmp_path, clip, make, reason):
    path = tmp_path / "clip.mp4"
    make(path, clip)
    with pytest.raises(UserError, match=reason):
        read_clip(path)


def test_a_name_of_many_kinds_is_a_file_and_nothing_else(clip, tmp_path):
    path = tmp_path / "-i concat:a|b %03d 'x'.mp4"
    path.write_bytes(clip.read_bytes())
    assert len(read_clip(path).frames) == 30


def test_a_clip_that_is_damaged_within_gives_what_can_be_read(clip, tmp_path):
    data = bytearray(clip.read_bytes())
    middle = len(data) * 2 // 3
    data[middle : middle + 40] = bytes(40)
    (tmp_path / "hurt.mp4").write_bytes(data)
    assert 1 <= len(read_clip(tmp_path / "hurt.mp4").frames) <= 30
