"""Tracking and stabilising on clips whose every motion is known; marks, traces and their errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from core.errors import UserError
from core.generators import finish
from core.geometry import Point
from core.marks import PALETTE
from core.skills import format_traces, parse_traces
from core.traces import (
    MarkedClip,
    Selected,
    Stabilised,
    Tracks,
    constant_velocity,
    draw_traces,
    frechet,
    grid_points,
    mark_clip,
    number_marks,
    propose_marks,
    select,
    stabilise,
    stay,
    straight_line,
    taught_traces,
    trace_errors,
    track,
    warp,
)
from core.traces.selecting import mean_steps
from core.traces.synthetic import CAMERAS, INNER, SIZE, Truth, film


@pytest.fixture(scope="module", params=CAMERAS)
def followed(request) -> tuple[Truth, np.ndarray, Stabilised]:
    """A clip, the points that were followed (five on the object first, then a grid), and their stabilised tracks."""
    truth = film(request.param, seed=2)
    points = np.concatenate([truth.way[0] + INNER, grid_points(SIZE)]).astype(np.float32)
    return truth, points, stabilise(finish(track(truth.frames, points)), SIZE)


def test_after_stabilisation_the_background_rests(followed):
    truth, points, stabilised = followed
    background = truth.background(points)
    background[: len(INNER)] = False
    assert background.sum() > 60
    tracks = stabilised.tracks
    steps = np.linalg.norm(np.diff(tracks.points, axis=0), axis=2)
    for step, both in zip(steps[:, background], (tracks.visible[1:] & tracks.visible[:-1])[:, background], strict=True):
        assert both.mean() > 0.9 and step[both].mean() <= 0.2


def test_a_moving_objects_trace_is_where_it_went(followed):
    truth, points, stabilised = followed
    true_way = points[None, : len(INNER)] + (truth.way - truth.way[0])[:, None]
    errors = np.linalg.norm(stabilised.tracks.points[:, : len(INNER)] - true_way, axis=2)
    visible = stabilised.tracks.visible[:, : len(INNER)]
    assert visible.all() and errors.max() <= 1.5


def test_homographies_are_the_cameras(followed):
    truth, _, stabilised = followed
    corners = np.array([[20, 20], [236, 20], [20, 236], [236, 236]])
    for true_camera, homography in zip(truth.homographies, stabilised.homographies, strict=True):
        assert np.linalg.norm(warp(warp(corners, true_camera), homography) - corners, axis=1).max() < 0.7


def test_a_plain_object_is_followed_by_its_outline():
    truth = film("pan", seed=0, plain=True)
    points = np.concatenate([truth.way[0] + INNER, grid_points(SIZE)]).astype(np.float32)
    tracks = stabilise(finish(track(truth.frames, points)), SIZE).tracks
    true_way = points[None, : len(INNER)] + (truth.way - truth.way[0])[:, None]
    errors = np.linalg.norm(tracks.points[:, : len(INNER)] - true_way, axis=2)
    assert tracks.visible[:, : len(INNER)].mean() > 0.8 and errors[tracks.visible[:, : len(INNER)]].max() <= 1.5


def test_a_hidden_point_is_said_to_be_hidden_and_found_again():
    truth = film("still", seed=2, frames=9)
    covered = [frame.copy() for frame in truth.frames]
    for frame in covered[3:6]:
        frame[200:250, 20:70] = 90
    point = np.array([[45.0, 225.0], [200.0, 225.0]], np.float32)
    tracks = finish(track(covered, np.concatenate([point, grid_points(SIZE, 8)])))
    assert tracks.visible[:, 0].tolist() == [True] * 3 + [False] * 3 + [True] * 3
    assert tracks.visible[:, 1].all()
    assert np.linalg.norm(tracks.points[-1, 0] - point[0]) < 0.5


def test_what_leaves_the_picture_is_not_visible():
    truth = film("pan", seed=2)  # 2.5 pixels to the left with every frame
    tracks = finish(track(truth.frames, np.concatenate([[[12.0, 128.0]], grid_points(SIZE, 8)]).astype(np.float32)))
    assert tracks.visible[0, 0] and not tracks.visible[-1, 0]


def test_tracking_reports_every_frame_and_can_be_stopped():
    frames = film("still", seed=0, frames=4).frames
    counts = []
    finish(track(frames, grid_points(SIZE, 3)), counts.append)
    assert counts == [1, 2, 3, 4]
    work = track(frames, grid_points(SIZE, 3))
    assert next(work) == 1
    work.close()


@pytest.mark.parametrize("points", [np.zeros((0, 2)), np.array([[1.0, 1.0]])])
def test_few_points_and_one_frame_are_no_trouble(points):
    frames = film("still", seed=0, frames=2).frames
    tracks = finish(track(frames, points))
    assert tracks.points.shape == (2, len(points), 2) and tracks.visible.shape == (2, len(points))
    stabilised = stabilise(tracks, SIZE)
    assert stabilised.homographies.shape == (2, 3, 3)
    assert finish(track(frames[:1], points)).points.shape == (1, len(points), 2)


def test_points_scale_with_the_picture():
    """The frame of points is that of core.geometry: a clip of twice the size has twice the coordinates."""
    truth = film("pan", seed=2, frames=5)
    large = [np.asarray(Image.fromarray(frame).resize((512, 512), Image.Resampling.BICUBIC)) for frame in truth.frames]
    points = grid_points(SIZE, 6)
    small_tracks, large_tracks = finish(track(truth.frames, points)), finish(track(large, points * 2))
    both = small_tracks.visible & large_tracks.visible
    assert both.mean() > 0.8
    apart = (large_tracks.points / 2 - small_tracks.points)[both]
    assert np.abs(np.median(apart, axis=0)).max() < 0.05  # half a pixel of the larger clip would be a quarter here
    assert np.percentile(np.abs(apart), 95) < 0.2


def test_an_unknown_tracker_is_refused():
    with pytest.raises(UserError, match="lucas-kanade"):
        finish(track(film("still", frames=2).frames, grid_points(SIZE, 2), "magic"))


# ---- stabilising, on tracks made by hand --------------------------------------------------------------------------


def panned(frames: int = 6, count: int = 40, seed: int = 0) -> tuple[Tracks, np.ndarray]:
    """Tracks of a still ground under a panning camera, and where its points are on the first frame."""
    ground = np.random.default_rng(seed).uniform(20, 236, (count, 2))
    points = ground[None] + np.arange(frames)[:, None, None] * np.array([4.0, -2.0])
    return Tracks(points.astype(np.float32), np.ones((frames, count), bool)), ground


def test_hidden_points_do_not_tell_of_the_camera():
    tracks, ground = panned()
    points, visible = tracks.points.copy(), tracks.visible.copy()
    points[3, :30], visible[3, :30] = (128, 128), False
    stabilised = stabilise(Tracks(points, visible), SIZE)
    assert np.abs(stabilised.tracks.points[3, 30:] - ground[30:]).max() < 0.05


def test_a_frame_that_tells_nothing_keeps_its_place():
    tracks, ground = panned()
    visible = tracks.visible.copy()
    visible[3] = False
    stabilised = stabilise(Tracks(tracks.points, visible), SIZE)
    assert stabilised.fits[3] == "frame before" and stabilised.fits[4] == "homography"
    assert np.array_equal(stabilised.homographies[3], stabilised.homographies[2])
    assert stabilised.tracks.points.shape == tracks.points.shape
    assert np.array_equal(stabilised.tracks.visible, visible)
    assert np.abs(stabilised.tracks.points[4] - ground).max() < 0.05


def test_few_points_give_a_similarity():
    tracks, ground = panned(count=5)
    stabilised = stabilise(tracks, SIZE)
    assert stabilised.fits[1:] == ("similarity",) * 5
    assert np.abs(stabilised.tracks.points - ground).max() < 0.05


@pytest.mark.parametrize("count", [1, 2, 3, 20])
def test_points_on_one_line_do_no_harm(count):
    line = np.linspace(20, 230, count)[:, None] * [1.0, 0.5]
    points = line[None] + np.arange(6)[:, None, None] * np.array([4.0, -2.0])
    noisy = (points + np.random.default_rng(0).normal(0, 0.1, points.shape)).astype(np.float32)
    stabilised = stabilise(Tracks(noisy, np.ones((6, count), bool)), SIZE)
    corners = np.array([[0, 0], [256, 0], [256, 256], [0, 256]])
    assert all(np.abs(warp(corners, homography) - corners).max() < 60 for homography in stabilised.homographies)


def test_only_the_background_is_asked_where_it_is_known():
    tracks, ground = panned(count=60)
    points = tracks.points.copy()
    points[:, :40] += np.arange(6)[:, None, None] * np.array([0.0, 5.0])  # most points belong to what moves
    background = np.arange(60) >= 40
    stabilised = stabilise(Tracks(points.astype(np.float32), tracks.visible), SIZE, background)
    assert np.abs(stabilised.tracks.points[:, 40:] - ground[40:]).max() < 0.05


# ---- choosing marks -------------------------------------------------------------------------------------------------


def half_moving(scale: float = 1.0) -> Tracks:
    """A grid of 100 points, still but for 20 that move by 3 pixels a frame, in a picture of 256 * scale."""
    start = grid_points(SIZE, 10)
    points = np.repeat(start[None], 17, axis=0)
    points[:, :20] += np.arange(17)[:, None, None] * np.array([1.0, 2.8])
    return Tracks((points * scale).astype(np.float32), np.ones((17, 100), bool))


@pytest.mark.parametrize("scale", [0.5, 1.0, 4.0])
def test_moving_and_static_points_are_told_apart_at_every_size(scale):
    size = round(256 * scale), round(256 * scale)
    selected = select(half_moving(scale), size, seed=1)
    assert 2 <= len(selected.moving) <= 5 and max(selected.moving) < 20
    assert 6 <= len(selected.static) <= 14 and min(selected.static) >= 20
    assert selected == select(half_moving(1.0), SIZE, seed=1)


def test_under_a_moving_camera_only_the_object_moves(followed):
    """The split comes after the camera's motion is taken out: before, everything moves."""
    truth, points, stabilised = followed
    selected = select(stabilised.tracks, SIZE, seed=0)
    near = np.abs(points - truth.way[0]).max(axis=1) < truth.radius + 8
    assert selected.moving and near[list(selected.moving)].all() and not near[list(selected.static)].any()


def test_points_that_are_seldom_seen_are_left_out():
    tracks = half_moving()
    visible = tracks.visible.copy()
    visible[8:, :5], visible[10:, 5:10], visible[9:, 50:] = False, False, False
    selected = select(Tracks(tracks.points, visible), SIZE, seed=0)
    assert all(10 <= point < 20 for point in selected.moving)
    assert all(visible[:, point].mean() > 0.5 for point in selected.static)


def test_the_choice_and_its_numbers_follow_the_seed():
    tracks = half_moving()
    choices = {seed: select(tracks, SIZE, seed) for seed in range(6)}
    assert choices == {seed: select(tracks, SIZE, seed) for seed in range(6)}
    assert len({len(choice.moving) for choice in choices.values()}) > 1
    selected = Selected((3, 5), (30, 40, 50))
    numbered = [number_marks(selected, seed) for seed in range(20)]
    assert all(sorted(numbers) == [1, 2, 3, 4, 5] for numbers in numbered)
    assert all(set(numbers.values()) == {3, 5, 30, 40, 50} for numbers in numbered)
    assert {numbers[1] for numbers in numbered} == {3, 5, 30, 40, 50}  # motion is not told by the number


def test_of_a_cluster_the_point_that_is_seen_most_is_taken():
    tracks = half_moving()
    visible = tracks.visible.copy()
    white = np.indices((10, 10)).sum(axis=0).ravel() % 2 == 0  # of a chessboard: seen to the end
    visible[12:] = white
    selected = select(Tracks(tracks.points, visible), SIZE, seed=0)
    assert white[list(selected.moving + selected.static)].all()


def test_a_tremble_is_no_motion():
    generator = np.random.default_rng(0)
    start = grid_points(SIZE, 10)
    points = start[None] + generator.normal(0, 1.2, (17, 100, 2))
    tracks = Tracks(points.astype(np.float32), np.ones((17, 100), bool))
    assert mean_steps(tracks).min() > 1
    assert select(tracks, SIZE, 0).moving == ()


def test_marks_are_proposed_on_what_moves_and_spread_out():
    truth = film("pan", seed=2)
    marks = propose_marks(truth.frames, 6, seed=0)
    assert sorted(marks) == [1, 2, 3, 4, 5, 6]
    assert marks == propose_marks(truth.frames, 6, seed=0)
    on_object = [mark for mark, p in marks.items() if np.abs([p.x, p.y] - truth.way[0]).max() < truth.radius + 8]
    assert on_object
    points = list(marks.values())
    assert min(a.distance(b) for i, a in enumerate(points) for b in points[:i]) >= 16


def test_marks_of_a_single_picture_are_on_its_things():
    picture = np.full((240, 320, 3), 200, np.uint8)
    centres = {(60, 60): (200, 30, 30), (250, 80): (30, 90, 200), (150, 190): (30, 160, 60)}
    for (x, y), colour in centres.items():
        picture[y - 16 : y + 16, x - 16 : x + 16] = colour
    marks = propose_marks([picture], 3, seed=4)
    for x, y in centres:
        assert min(point.distance(Point(x, y)) for point in marks.values()) < 6


@pytest.mark.parametrize("count", [1, 40])
def test_a_blank_picture_gets_as_many_marks_as_are_asked_for(count):
    marks = propose_marks([np.zeros((64, 48, 3), np.uint8)], count, seed=0)
    assert len(marks) == count
    assert all(0 <= p.x <= 48 and 0 <= p.y <= 64 for p in marks.values())


# ---- drawing --------------------------------------------------------------------------------------------------------


def colour_at(picture: Image.Image, x: float, y: float) -> str:
    return "#{:02x}{:02x}{:02x}".format(*picture.getpixel((round(x), round(y))))


def test_a_trace_is_drawn_to_its_last_point_in_the_colour_of_its_mark():
    ground = Image.new("RGB", (200, 100), "#808080")
    path = [Point(20.5, 50.5), Point(100.5, 50.5), Point(180.5, 50.5)]
    picture = draw_traces(ground, {3: path})
    assert all(colour_at(picture, x, 50) == PALETTE[3] for x in (22, 100, 150, 180))
    assert ground.getcolors() == [(20000, (128, 128, 128))]


def test_a_trace_grows():
    ground = Image.new("RGB", (200, 100), "#808080")
    path = [Point(20.5, 50.5), Point(100.5, 50.5), Point(180.5, 50.5)]
    half = draw_traces(ground, {3: path}, shown=0.75)
    assert colour_at(half, 120, 50) == PALETTE[3] and colour_at(half, 160, 50) == "#808080"
    begun = draw_traces(ground, {3: path}, shown=0.0)
    assert colour_at(begun, 20, 50) == PALETTE[3] and colour_at(begun, 60, 50) == "#808080"


def test_empty_single_and_far_paths_are_drawn_too():
    ground = Image.new("RGB", (40, 40))
    picture = draw_traces(ground, {1: [], 2: [Point(20.5, 20.5)], 3: [Point(-500, -500), Point(900, 900)]})
    assert picture.size == (40, 40) and colour_at(picture, 10, 10) == PALETTE[3]


# ---- measuring ------------------------------------------------------------------------------------------------------

coordinates = st.floats(-300, 300, allow_nan=False)


untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def traces(length: int):
    return arrays(np.float64, (length, 2), elements=coordinates)


two_traces = st.integers(1, 12).flatmap(lambda length: st.tuples(traces(length), traces(length)))


@untimed
@given(two_traces)
def test_a_trace_is_no_way_from_itself(pair):
    errors = trace_errors(pair[0], pair[0])
    assert (errors.ade, errors.fde, errors.frechet) == (0, 0, 0)
    assert errors.hit4 == errors.hit8 == errors.hit16 == 1


@untimed
@given(two_traces, coordinates, coordinates)
def test_errors_do_not_depend_on_the_place(pair, x, y):
    here, there = trace_errors(*pair), trace_errors(pair[0] + (x, y), pair[1] + (x, y))
    for name in ("ade", "fde", "frechet"):
        assert getattr(here, name) == pytest.approx(getattr(there, name), abs=1e-6)


@untimed
@given(two_traces)
def test_errors_are_the_same_both_ways_and_bound_each_other(pair):
    errors, swapped = trace_errors(*pair), trace_errors(*pair[::-1])
    assert errors == swapped
    distances = np.linalg.norm(pair[0] - pair[1], axis=1)
    assert errors.ade <= distances.max() + 1e-9
    assert errors.fde <= errors.frechet + 1e-9 <= distances.max() + 2e-9
    assert errors.hit4 <= errors.hit8 <= errors.hit16


@untimed
@given(two_traces)
def test_frechet_ignores_the_pace(pair):
    slow = np.repeat(pair[1], 3, axis=0)
    assert frechet(pair[0], slow) == pytest.approx(frechet(*pair))


def test_errors_by_hand():
    truth = np.array([[0.0, 0.0], [10.0, 0.0], [20.0, 0.0], [30.0, 0.0]])
    errors = trace_errors(truth + np.array([[0, 3], [0, 6], [0, 12], [0, 19]]), truth)
    assert (errors.ade, errors.fde, errors.frechet) == (10, 19, 19)
    assert (errors.hit4, errors.hit8, errors.hit16) == (0.25, 0.5, 0.75)
    assert errors.percent() == {"ade": 10 / 2.56, "fde": 19 / 2.56, "frechet": 19 / 2.56}


@pytest.mark.parametrize("shapes", [((3, 2), (4, 2)), ((0, 2), (0, 2)), ((3, 3), (3, 3)), ((4,), (4,))])
def test_traces_that_cannot_be_compared_are_refused(shapes):
    with pytest.raises(ValueError, match="cannot be compared"):
        trace_errors(np.zeros(shapes[0]), np.zeros(shapes[1]))


def test_baselines():
    assert stay([3, 4], 2).tolist() == [[3, 4], [3, 4]]
    assert straight_line([0, 0], [10, 20], 2).tolist() == [[5, 10], [10, 20]]
    assert constant_velocity([[9, 9], [0, 0], [2, 1]], 3).tolist() == [[4, 2], [6, 3], [8, 4]]
    assert constant_velocity([[2, 1]], 2).tolist() == [[2, 1], [2, 1]]


# ---- the recipe -----------------------------------------------------------------------------------------------------


def test_what_is_taught_parses_back_and_tells_the_motion():
    truth = film("shake", seed=2)
    clip = finish(mark_clip(truth.frames, seed=0))
    traces, speed, steps = taught_traces(clip)
    assert parse_traces(format_traces(traces), clip.marks) == traces
    assert {trace.mark for trace in traces.traces} <= set(clip.moving)
    true_steps = np.linalg.norm(np.diff(truth.way, axis=0), axis=1)
    assert abs(speed - true_steps.mean()) < 1.5 and steps == max(len(trace.future) for trace in traces.traces)
    for trace in traces.traces:
        last = np.flatnonzero(clip.tracks.visible[:, clip.marks[trace.mark]])[-1]
        moved = np.array(trace.future[-1]) - trace.start
        assert np.linalg.norm(moved - (truth.way[last] - truth.way[0])) < 5  # two for merging, the rest for rounding


def test_close_positions_are_merged_and_hidden_ones_left_out():
    way = np.array([[10.0, 10], [11, 10], [13, 10], [100, 100], [20, 10]])
    visible = np.array([[True], [True], [True], [False], [True]])
    tracks = Tracks(way[:, None].astype(np.float32), visible)
    steady = Stabilised(tracks, np.repeat(np.eye(3)[None], 5, axis=0), ("homography",) * 5)
    traces, speed, steps = taught_traces(MarkedClip(SIZE, tracks, steady, Selected((0,), ()), {7: 0}))
    assert traces.traces[0].mark == 7 and traces.traces[0].start == (10, 10)
    assert traces.traces[0].future == ((13, 10), (20, 10))
    assert (speed, steps) == (5, 2)


def test_a_clip_without_motion_teaches_nothing():
    frame = film("still", seed=0, frames=1).frames[0]
    clip = finish(mark_clip([frame] * 3, seed=0))
    assert clip.moving == () and taught_traces(clip)[0] is None
