"""The planner's step with a stand-in for the model: what is asked, what is understood, what is kept."""

from __future__ import annotations

import csv
import io
import json

import imageio_ffmpeg
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from apps.robot_planner import plan as command
from apps.robot_planner.actions import choose_statistics, draw_action
from apps.robot_planner.agent import MAX_TASK, TRAINED_ON, RobotPlanner, marked_frame, to_paths
from apps.robot_planner.cards import comparison, verdict
from apps.robot_planner.exports import COLUMNS, to_csv, to_json
from apps.robot_planner.film import film, film_length, still
from apps.robot_planner.model_free import NAME
from apps.robot_planner.observation import Observation, from_picture, from_scene
from apps.robot_planner.step import DEFAULT_SPEED, Options, Step
from apps.robot_planner.truth import compare, follow
from core.conversation import Reply
from core.errors import UserError
from core.generators import finish
from core.geometry import GRID, Point, from_grid, to_grid
from core.selection import MINI
from core.skills import Trace, Traces, format_traces, parse_traces

SIZE = (512, 256)
PICTURE = from_picture(Image.new("RGB", SIZE, "white"))
MARKS = {2: Point(100, 50), 5: Point(400, 200)}
TASK = "push the red block to the left edge"
TRACES = Traces((Trace(5, (200, 200), ((190, 200), (150, 190), (100, 180))),))
SCENE = from_scene(5)


class StandInEngine:
    """Says what it is told to, and remembers what it was asked."""

    note = ""
    base_vocabulary = 128_000

    def __init__(self, says: str, skills: frozenset[str], name: str, action: tuple[int, ...]) -> None:
        self.says, self.skills, self.name, self.action = says, skills, name, action
        self.asked = []
        self.closed = False

    def stream(self, conversation):
        self.asked.append(conversation)
        try:
            yield from "" if conversation.actions else self.says
            tokens = self.action if conversation.actions else tuple(range(len(self.says)))
            return Reply("" if conversation.actions else self.says, tokens, {})
        finally:
            self.closed = True


def planner(
    says: str | None = None,
    skills: frozenset[str] = frozenset({"trace", "robot_action"}),
    name: str = "stand-in",
    action: tuple[int, ...] = (),
) -> RobotPlanner:
    made = RobotPlanner()
    made._loaded = (None if says is None else StandInEngine(says, skills, name, action),)
    return made


def plan(acting: RobotPlanner, observation: Observation = PICTURE, task: str = TASK, marks=MARKS, **options) -> Step:
    return finish(acting.plan(observation, task, marks, Options(**options)))


def engine(planner: RobotPlanner) -> StandInEngine:
    return planner._loaded[0]


# ---- the model's plan ----


def test_the_model_sees_the_marks_and_is_asked_in_the_words_of_the_skill():
    acting = planner(format_traces(TRACES))
    step = plan(acting, steps=3)
    (asked,) = engine(acting).asked
    assert "numeric marks [2, 5]" in asked.text and f"speed {DEFAULT_SPEED} for the next 3 steps" in asked.text
    assert asked.text.count(TASK) == 1 and step.prompt == asked.text and step.reply == format_traces(TRACES)
    (seen,) = asked.images
    assert seen.size == (GRID, GRID) and seen.tobytes() == step.seen.tobytes()
    for point in MARKS.values():  # the dot is where the mark is, on a picture that was white
        assert seen.getpixel(to_grid(point, SIZE)) != (255, 255, 255)


def test_traces_are_mapped_to_the_picture_with_its_aspect_ratio():
    step = plan(planner(format_traces(TRACES)), steps=3)
    assert step.planner == "stand-in" and list(step.paths) == [5]
    assert step.paths[5] == (Point(400, 200), Point(381, 200.5), Point(301, 190.5), Point(201, 180.5))
    assert not step.reason and step.sure


def test_steps_beyond_those_asked_for_are_left_out_and_it_says_so():
    step = plan(planner(format_traces(TRACES)), steps=2)
    assert len(step.paths[5]) == 3 and any("left out" in note for note in step.notes)


def test_a_mark_that_the_model_takes_to_be_elsewhere_is_told():
    traces = Traces((Trace(5, (100, 100), ((90, 100),)),))
    assert any("mark 5" in note and "cells" in note for note in plan(planner(format_traces(traces))).notes)
    assert not plan(planner(format_traces(TRACES))).notes


@pytest.mark.parametrize(
    "says",
    [
        "",
        "I would rather not.",
        "Mark 5 at [1,2] should be moved, and their future positions are:",
        'Mark 5 at [1,2] should be moved, and their future positions are:\n\n"Mark 5": "[[1,999]]"',
        format_traces(Traces((Trace(9, (1, 1), ((2, 2),)),))),
        "\x00<|eot_id|>__import__('os').system('true')",
    ],
)
def test_a_reply_that_cannot_be_read_is_refused_and_shown(says):
    step = plan(planner(says))
    assert not step.paths and not step.sure and step.reason.startswith("The reply cannot be used: ")
    assert step.reply == says and "no plan" in verdict(step) and step.record()["traces"] == []
    assert step.action is None and step.comparison is None


def test_a_reply_that_was_cut_off_says_so():
    assert "cut off after 1024 tokens" in plan(planner("Mark 5 at [1,2] " * 100)).reason


cells = st.tuples(st.integers(0, GRID - 1), st.integers(0, GRID - 1))
sizes = st.tuples(st.integers(1, 5000), st.integers(1, 5000))
many_traces = st.dictionaries(
    st.integers(1, 9999), st.tuples(cells, st.lists(cells, min_size=1, max_size=20)), min_size=1, max_size=6
)


@settings(deadline=None)
@given(many_traces, sizes)
def test_every_reply_that_can_be_read_maps_onto_the_picture_and_back(listed, size):
    traces = Traces(tuple(Trace(mark, start, tuple(future)) for mark, (start, future) in listed.items()))
    marks = {mark: from_grid(*start, size) for mark, (start, _) in listed.items()}
    parsed = parse_traces(format_traces(traces), marks)
    assert parsed == traces
    paths = to_paths(parsed, marks, size, 20)
    assert list(paths) == sorted(listed)
    for mark, (start, future) in listed.items():
        assert [to_grid(point, size) for point in paths[mark]] == [start, *future]
        assert all(0 <= point.x <= size[0] and 0 <= point.y <= size[1] for point in paths[mark])


@settings(deadline=None)
@given(st.dictionaries(st.integers(1, 99), st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=9), sizes)
def test_marks_are_drawn_on_any_picture_as_the_model_sees_it(shares, size):
    marks = {mark: Point(x * size[0], y * size[1]) for mark, (x, y) in shares.items()}
    if size[0] * size[1] < 1_000_000:
        assert marked_frame(Image.new("RGB", size), marks).size == (GRID, GRID)


def test_stopping_while_the_model_speaks_stops_the_model():
    acting = planner(format_traces(TRACES))
    step = acting.plan(PICTURE, TASK, MARKS)
    for stage in step:
        if stage.startswith("planning: M"):
            break
    step.close()
    assert engine(acting).closed


# ---- who speaks ----


def test_without_the_skill_or_a_model_the_model_free_planner_speaks_and_says_why():
    for acting, why in ((planner(), "no model"), (planner("x", frozenset({"move"})), "has not learnt")):
        step = plan(acting, SCENE, SCENE.scene.task, SCENE.scene.marks)
        assert step.planner == NAME and why in step.notes[0] and step.paths and NAME in verdict(step)
        with pytest.raises(UserError, match="choose the planner"):
            plan(acting, planner="model")
    assert engine(acting).asked == []


def test_the_small_checkpoint_plans_on_the_tabletop_and_only_when_told_on_real_pictures():
    acting = planner(format_traces(TRACES), name=MINI.name)
    assert plan(acting, SCENE, SCENE.scene.task, {5: Point(9, 9)}).planner == MINI.name
    step = plan(acting)
    assert step.planner == NAME and "simulated tabletops only" in step.notes[0]
    told = plan(acting, planner="model")
    assert told.planner == MINI.name and TRAINED_ON in told.notes and "tabletops" in verdict(told)
    other = plan(planner(format_traces(TRACES)))
    assert other.planner == "stand-in" and TRAINED_ON not in other.notes


def test_the_model_free_planner_asks_no_model():
    acting = planner(format_traces(TRACES))
    step = plan(acting, SCENE, SCENE.scene.task, None, planner="model-free")
    assert step.planner == NAME and engine(acting).asked == [] and step.prompt == step.reply == ""


# ---- bad input ----


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"task": "  "}, "Say what the robot should do"),
        ({"task": "a" * (MAX_TASK + 1)}, "501 characters"),
        ({"task": None}, "Say what"),
        ({"marks": {}}, "no marks"),
        ({"marks": {1: Point(600, 10)}}, "not on the picture"),
        ({"marks": {1: Point(float("nan"), 10)}}, "not on the picture"),
        ({"marks": {0: Point(1, 1)}}, "1 to 9999"),
        ({"steps": 0}, "steps must be"),
        ({"steps": 10**6}, "steps must be"),
        ({"speed": 0}, "speed must be"),
        ({"speed": float("nan")}, "speed must be"),
        ({"count": 0}, "marks must be"),
        ({"planner": "oracle"}, "no planner 'oracle'"),
    ],
)
def test_bad_input_is_told_and_no_model_is_asked(given_, message):
    acting = planner("never asked")
    with pytest.raises(UserError, match=message):
        plan(acting, **given_)
    assert engine(acting).asked == []


# ---- the action ----

STATISTICS = {
    "bridge_orig": {
        "action": {
            "q01": [-0.0287, -0.0417, -0.0261, -0.0809, -0.0929, -0.2072, 0.0],
            "q99": [0.0283, 0.0409, 0.0402, 0.0819, 0.0779, 0.2038, 1.0],
            "mask": [True] * 6 + [False],
        }
    }
}
ACTION = (127857, 127873, 127868, 127904, 127861, 127874, 127744)


def test_the_action_is_asked_without_marks_and_given_units(tmp_path):
    path = tmp_path / "dataset_statistics.json"
    path.write_text(json.dumps(STATISTICS))
    dataset, statistics = choose_statistics(path, None)
    acting = planner(format_traces(TRACES), action=ACTION)
    step = plan(acting, action=True, dataset=dataset, statistics=statistics)
    asked = engine(acting).asked[1]
    assert asked.actions and asked.images == (PICTURE.image,) and TASK in asked.text
    assert step.action["normalised"] == pytest.approx(
        [0.1176, -0.0078, 0.0314, -0.2510, 0.0863, -0.0157, 0.9961], abs=1e-4
    )
    assert step.action["values"] == pytest.approx(
        [0.0032, -0.0007, 0.0081, -0.0199, -0.0001, -0.0049, 0.9961], abs=1e-4
    )
    assert step.action["dataset"] == "bridge_orig" and step.record()["action"] == step.action
    bars = np.asarray(draw_action(step.action))
    assert bars.shape[1] > 400 and len(np.unique(bars.reshape(-1, 3), axis=0)) > 5
    with pytest.raises(UserError, match="choose one of bridge_orig"):
        choose_statistics(path, "fractal")


def test_an_action_that_is_none_is_told():
    assert "cannot be used" in plan(planner(format_traces(TRACES), action=(1, 2)), action=True).action_reason
    assert "no model" in plan(planner(), SCENE, SCENE.scene.task, None, action=True).action_reason
    lacking = planner(format_traces(TRACES), frozenset({"trace"}))
    assert "stand-in" in plan(lacking, action=True).action_reason and len(engine(lacking).asked) == 1


# ---- the truth ----


def true_reply() -> str:
    scene = SCENE.scene
    way = {mark: [to_grid(Point(*p), scene.size) for p in scene.motion[mark]] for mark in scene.moving}
    return format_traces(Traces(tuple(Trace(mark, path[0], tuple(path[1:])) for mark, path in way.items())))


def test_a_true_plan_of_a_scene_has_hardly_any_error_and_staying_has():
    step = plan(planner(true_reply()), SCENE, SCENE.scene.task, SCENE.scene.marks)
    compared = step.comparison
    assert compared["source"] == "simulated" and compared["right_marks"]
    assert compared["errors"]["plan"]["ade"] < 1 and compared["errors"]["plan"]["hit4"] == 1
    assert compared["errors"]["stay"]["ade"] > 20 and compared["errors"]["straight line"]["ade"] > 5
    assert "constant velocity" not in compared["errors"] and "velocity" in compared["note"]
    assert compared["errors"]["plan"]["ade_percent"] == pytest.approx(
        compared["errors"]["plan"]["ade"] / 2.56, abs=0.01
    )
    assert "simulated" in comparison(step) and "FDE" in comparison(step)


def test_a_wrong_set_of_marks_is_told_and_a_mark_left_out_counts_as_staying():
    still_marks = [mark for mark in SCENE.scene.marks if mark not in SCENE.scene.moving]
    traces = Traces((Trace(still_marks[0], (1, 1), ((2, 2),)),))
    step = plan(planner(format_traces(traces)), SCENE, SCENE.scene.task, SCENE.scene.marks)
    assert not step.comparison["right_marks"] and set(step.comparison["marks"]) == set(SCENE.scene.moving)
    assert step.comparison["errors"]["plan"] == step.comparison["errors"]["stay"]


def moving_square(pan: float = 0.0, before: int = 0) -> tuple[Observation, Point, Point]:
    """A textured picture that pans by ``pan`` pixels a frame while a square crosses it by 4; 32 frames follow."""
    generator = np.random.default_rng(3)
    ground = np.kron(generator.integers(60, 200, (60, 100, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    square = np.kron(generator.integers(0, 255, (8, 8, 3)), np.ones((5, 5, 1))).astype(np.uint8)

    def frame(index: int) -> np.ndarray:
        left = round(80 + pan * index)
        picture = ground[60 : 60 + 240, left : left + 320].copy()
        x = 60 + 4 * index - round(pan * index)
        picture[100:140, x : x + 40] = square
        return picture

    frames = [frame(index) for index in range(-before, 33)]
    observation = Observation(
        Image.fromarray(frames[before]),
        "video",
        before=tuple(frames[:before]),
        following=tuple(frames[before + 1 :]),
        frames_per_second=16,
        seconds=2,
    )
    return observation, Point(80, 120), Point(250, 60)


@pytest.mark.parametrize("pan", [0.0, 2.0])
def test_the_truth_of_a_video_is_tracked_without_the_cameras_motion(pan):
    observation, on_square, on_ground = moving_square(pan)
    counts = []
    truth = finish(follow(observation, {1: on_square, 2: on_ground}, 16), counts.append)
    assert counts[-1] == 33 and truth.moving == (1,)
    expected = 80 + 8 * np.arange(17)
    assert np.abs(truth.paths[1][:, 0] - expected[: len(truth.paths[1])]).max() < 3 and len(truth.paths[1]) > 12
    assert np.abs(truth.paths[2] - truth.paths[2][0]).max() < 2
    assert truth.cameras[16][0, 2] == pytest.approx(-16 * pan, abs=1.5)


def test_constant_velocity_knows_what_moved_evenly_before():
    observation, on_square, _ = moving_square(before=8)
    truth = finish(follow(observation, {1: on_square}, 16))
    guess = {1: (on_square, Point(80, 120))}
    compared = compare(guess, {1: on_square}, truth, observation.image.size, 16)
    assert compared["errors"]["constant velocity"]["ade"] < 4 < compared["errors"]["stay"]["ade"]
    assert compared["errors"]["plan"] == compared["errors"]["stay"]


def test_a_picture_alone_has_no_truth():
    step = plan(planner(format_traces(TRACES)))
    assert step.truth is None and step.comparison is None and "Nothing is known" in comparison(step)


# ---- what comes out ----


def test_json_and_csv_hold_pixels_and_frames():
    step = plan(planner(format_traces(TRACES)), steps=3)
    record = json.loads(to_json(step.record()))
    assert record["size"] == list(SIZE) and record["marks"][0] == {"mark": 2, "x": 100, "y": 50}
    (trace,) = record["traces"]
    assert trace["pixels"][1] == [381, 200.5] and trace["grid"][1] == [190, 200]
    rows = list(csv.DictReader(io.StringIO(to_csv(step.record()))))
    assert tuple(rows[0]) == COLUMNS and [row["step"] for row in rows] == ["0", "1", "2", "3"]
    assert [int(row["frame"]) for row in rows] == trace["frames"] == [0, 20, 40, 60]
    assert float(rows[3]["seconds"]) == 4 and float(rows[3]["x"]) == 201


def test_the_traces_of_a_film_grow_in_time_on_the_frames_that_followed():
    """The trace is where the square is: frame by frame, under a panning camera."""
    observation, on_square, _ = moving_square(2.0)
    way = tuple(Point(80 + 8 * step, 120) for step in range(17))
    truth = finish(follow(observation, {1: on_square}, 16))
    step = plan(planner(), observation, TASK, {1: on_square}, planner="model-free")
    step = Step(**(step.__dict__ | {"paths": {1: way}, "truth": truth}))
    frames = list(film(step, observation, 640))
    assert len(frames) == film_length(step, observation) and len({frame.size for frame in frames}) == 1
    plain = np.asarray(observation.following[15])
    shown = np.asarray(frames[16])[: plain.shape[0], : plain.shape[1]]
    assert frames[16].width == 2 * plain.shape[1]  # plan and truth, side by side
    changed = np.abs(shown.astype(int) - plain).sum(2) > 60
    columns = np.flatnonzero(changed[117:124].any(0))
    assert abs(columns.max() - (80 + 64 - 32)) < 12  # half the way, as this frame's camera sees it
    assert np.flatnonzero(changed.any(1)).min() > 60  # and nothing else was drawn


def test_a_film_of_a_still_holds_its_last_frame():
    step = plan(planner(format_traces(TRACES)), steps=3)
    frames = list(film(step, PICTURE, 400))
    assert frames[0].width == 400 and len(frames) == 60 + 1 + 15
    assert frames[0].tobytes() != frames[30].tobytes() != frames[60].tobytes() == frames[-1].tobytes()
    assert still(step, PICTURE).size == SIZE


def test_a_scene_brings_its_own_marks_and_pictures_get_theirs_on_things():
    assert planner().propose(SCENE) == SCENE.scene.marks
    marks = planner().propose(from_picture(SCENE.image), 8)
    assert sorted(marks) == list(range(1, 9))
    for mark in SCENE.scene.moving:
        assert min(point.distance(SCENE.scene.marks[mark]) for point in marks.values()) < 25
    assert planner().propose(from_picture(Image.new("RGB", (1, 1))), 3).keys() == {1, 2, 3}


# ---- the command line ----


def test_the_command_line_writes_everything(tmp_path, capsys):
    SCENE.image.save(tmp_path / "table.png")
    outs = {name: str(tmp_path / f"plan.{name}") for name in ("mp4", "gif", "png", "json", "csv")}
    arguments = ["--input", str(tmp_path / "table.png"), "--task", SCENE.scene.task, "--model", "none", "--steps", "4"]
    arguments += ["--out", outs["mp4"], "--gif", outs["gif"], "--still", outs["png"]]
    assert command.main([*arguments, "--json", outs["json"], "--csv", outs["csv"]]) == 0
    about = next(imageio_ffmpeg.read_frames(outs["mp4"]))
    assert about["codec"] == "h264" and about["pix_fmt"].startswith("yuv420p")
    with Image.open(outs["gif"]) as clip:
        assert clip.n_frames > 20
    record = json.loads((tmp_path / "plan.json").read_text())
    assert record["planner"] == NAME and len(record["traces"][0]["pixels"]) == 5
    assert Image.open(outs["png"]).size == (512, 512) and "marks move" in capsys.readouterr().out


def test_a_refusal_on_the_command_line_writes_no_video(tmp_path, capsys):
    SCENE.image.save(tmp_path / "table.png")
    out = tmp_path / "plan.mp4"
    arguments = ["--input", str(tmp_path / "table.png"), "--task", "pick up the spanner", "--model", "none"]
    assert command.main([*arguments, "--out", str(out), "--json", str(tmp_path / "plan.json")]) == 1
    assert not out.exists() and "spanner" in json.loads((tmp_path / "plan.json").read_text())["reason"]
    assert "no plan" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input", "missing.mp4", "--task", "x"], "cannot be opened"),
        (["--scene", "1", "--out", "plan.avi"], "written as .mp4"),
        (["--scene", "1", "--out", "/nowhere/at/all/plan.mp4"], "folder does not exist"),
        (["--scene", "1", "--steps", "0"], "steps must be"),
        (["--scene", "1", "--planner", "model"], "choose the planner"),
    ],
)
def test_mistakes_on_the_command_line_are_told(arguments, message, capsys):
    assert command.main([*arguments, "--model", "none"]) == 2
    assert message in capsys.readouterr().err
