"""Clips that play, and files that appear whole or not at all."""

from __future__ import annotations

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from core.errors import UserError
from core.generators import finish
from core.video import write_video


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
