"""The Trace-of-Mark tool as a user runs it: a clip in, films, traces and a training conversation out."""

from __future__ import annotations

import json
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from apps.robot_planner.trace import main
from core.generators import finish
from core.skills import parse_traces
from core.traces.synthetic import film
from core.training.conversations import read_examples
from core.video import read_clip, write_video

CLIP = Path(__file__).parents[1] / "assets" / "clips" / "lower_the_tea_box.mp4"


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("traced") / "new" / "folder"
    assert main([str(CLIP), "--out", str(out), "--side", "320"]) == 0
    return out


def test_every_result_is_there(results):
    films = {"orig_trace.mp4", "som_tom.mp4", "stabilised.mp4"}
    names = {path.name for path in results.iterdir()}
    assert names == films | {"traces.json", "traces.png", "marks.png", "conversation.json"}


@pytest.mark.parametrize("name", ["orig_trace.mp4", "som_tom.mp4", "stabilised.mp4"])
def test_the_films_play_in_browsers_and_have_every_frame(results, name):
    reader = imageio_ffmpeg.read_frames(str(results / name))
    about = next(reader)
    assert about["codec"] == "h264" and about["pix_fmt"].startswith("yuv420p") and about["source_size"] == (320, 240)
    assert sum(1 for _ in reader) == 17


def test_the_box_moves_and_the_table_does_not(results):
    """What a person sees on this clip, whose camera stands still: the box and the arm go left and down."""
    traces = json.loads((results / "traces.json").read_text())
    size = np.array(traces["size"])
    on_box = [mark for mark in traces["marks"] if _inside(np.array(mark["way"][0]) / size, (0.5, 0.12, 0.82, 0.38))]
    assert on_box and all(mark["moving"] for mark in on_box)
    for mark in on_box:
        seen = np.array(mark["way"])[np.array(mark["seen"])]
        assert (seen[-1] - seen[0])[0] < -0.08 * size[0]
    on_table = [mark for mark in traces["marks"] if _inside(np.array(mark["way"][0]) / size, (0.3, 0.6, 0.95, 0.95))]
    assert on_table and not any(mark["moving"] for mark in on_table)


def _inside(place: np.ndarray, box: tuple[float, float, float, float]) -> bool:
    return bool((place >= box[:2]).all() and (place <= box[2:]).all())


def test_the_conversation_is_training_data(results):
    (example,) = read_examples(results / "conversation.json", results)
    (_, question), (_, answer) = example.turns
    traces = json.loads((results / "traces.json").read_text())
    marks = [mark["mark"] for mark in traces["marks"]]
    assert f"grids, and labeled with numeric marks: {marks}." in question
    assert "The robot is doing: lower the tea box." in question
    parsed = parse_traces(answer, marks)
    moving = {mark["mark"]: mark for mark in traces["marks"] if mark["moving"]}
    assert {trace.mark for trace in parsed.traces} <= set(moving)
    for trace in parsed.traces:
        assert list(trace.start) == moving[trace.mark]["grid"][0]
        assert all(list(cell) in moving[trace.mark]["grid"] for cell in trace.future)
    with Image.open(results / "marks.png") as picture:
        assert picture.size == (256, 256)
        plain = Image.fromarray(read_clip(CLIP, frames=1).frames[0]).resize((256, 256))
        assert np.abs(np.asarray(picture, float) - np.asarray(plain, float)).max() > 100  # it bears the marks


def test_the_same_seed_gives_the_same_traces(results, tmp_path):
    assert main([str(CLIP), "--out", str(tmp_path), "--side", "320", "--task", "put the box down"]) == 0
    assert (tmp_path / "traces.json").read_bytes() == (results / "traces.json").read_bytes()
    assert "The robot is doing: put the box down." in (tmp_path / "conversation.json").read_text()


def test_under_a_moving_camera_the_stabilised_film_rests(tmp_path):
    truth = film("pan", seed=2)
    finish(write_video(tmp_path / "pan.mp4", map(Image.fromarray, truth.frames), 8))
    assert main([str(tmp_path / "pan.mp4"), "--out", str(tmp_path / "out")]) == 0
    steady, moved = (read_clip(path).frames for path in (tmp_path / "out" / "stabilised.mp4", tmp_path / "pan.mp4"))
    corner = np.s_[190:240, 190:215]  # ground that stays in view

    def change(frames):
        return np.abs(frames[-1][corner].astype(float) - frames[0][corner].astype(float)).mean()

    assert change(steady) < 0.5 * change(moved)


def test_a_still_clip_has_no_conversation_and_leaves_none_of_an_earlier_one(tmp_path, capsys):
    frame = Image.fromarray(film("still", seed=0, frames=1).frames[0])
    finish(write_video(tmp_path / "still.mp4", [frame] * 4, 8))
    (tmp_path / "conversation.json").write_text("[]")
    assert main([str(tmp_path / "still.mp4"), "--out", str(tmp_path)]) == 0
    assert "no training conversation" in capsys.readouterr().out
    assert not (tmp_path / "conversation.json").exists() and (tmp_path / "som_tom.mp4").exists()


def text_file(folder: Path) -> list[str]:
    (folder / "clip.mp4").write_text("no film")
    return [str(folder / "clip.mp4"), "--out", str(folder / "out")]


def out_is_a_file(folder: Path) -> list[str]:
    (folder / "out").write_text("")
    return [str(CLIP), "--out", str(folder / "out")]


def one_frame_left(folder: Path) -> list[str]:
    return [str(CLIP), "--out", str(folder / "out"), "--start", "3.9"]


def past_the_end(folder: Path) -> list[str]:
    return [str(CLIP), "--out", str(folder / "out"), "--start", "3.99"]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (text_file, "is a text file"),
        (out_is_a_file, "cannot be made"),
        (one_frame_left, "traces need two"),
        (past_the_end, "lasts 4.0 s; no frame can be read"),
    ],
)
def test_bad_input_is_an_error_with_its_reason(tmp_path, capsys, given, reason):
    assert main(given(tmp_path)) == 2
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize("flags", [["--frames", "0"], ["--start", "-1"], ["--side", "nan"], ["--tracker", "magic"]])
def test_bad_options_are_refused(tmp_path, capsys, flags):
    with pytest.raises(SystemExit) as stopped:
        main([str(CLIP), "--out", str(tmp_path), *flags])
    assert stopped.value.code == 2
