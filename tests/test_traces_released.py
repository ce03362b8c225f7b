"""Released traces are read; pickles that would run something are not."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from core.errors import UserError
from core.traces.released import read_array, read_tracks


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, bool])
def test_arrays_of_every_protocol_are_read(protocol, dtype):
    array = np.arange(24).reshape(1, 3, 4, 2).astype(dtype)
    for given in (array, np.asfortranarray(array)):
        read = read_array(pickle.dumps(given, protocol))
        assert read.dtype == given.dtype and np.array_equal(read, given)


def test_arrays_of_the_time_before_numpy_2_are_read():
    data = pickle.dumps(np.ones(3), 2)
    assert b"numpy._core" in data  # text with a line's end after it, so that a shorter name does no harm
    assert read_array(data.replace(b"numpy._core", b"numpy.core")).tolist() == [1, 1, 1]


class Runs:
    def __init__(self, function, *arguments):
        self.called = function, arguments

    def __reduce__(self):
        return self.called


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_would_run_a_command_does_not(tmp_path, protocol):
    target = tmp_path / "ran"
    with pytest.raises(UserError, match="it names"):
        read_array(pickle.dumps(Runs(os.system, f"touch {target}"), protocol))
    inside = np.array([Runs(os.mkdir, str(target))], dtype=object)
    with pytest.raises(UserError, match="it names"):
        read_array(pickle.dumps(inside, protocol))
    assert not target.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        pickle.dumps([1, 2]),
        pickle.dumps(np.ones(3))[:-9],
        pickle.dumps(np.array(["a"], dtype=object)),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(data):
    with pytest.raises(UserError, match="no pickled numpy array"):
        read_array(data)


def test_an_array_larger_than_its_pickle_is_refused():
    with pytest.raises(UserError, match="no pickled numpy array"):
        read_array(pickle.dumps(Runs(np.ndarray, (1 << 20,))))


def test_a_row_becomes_tracks():
    points = np.random.default_rng(0).uniform(0, 200, (1, 16, 256, 2)).astype(np.float32)
    visible = np.random.default_rng(1).uniform(size=(1, 16, 256, 1)) > 0.3
    tracks = read_tracks(pickle.dumps(points), pickle.dumps(visible), (320, 240))
    assert np.array_equal(tracks.points, points[0]) and np.array_equal(tracks.visible, visible[0, ..., 0])


@pytest.mark.parametrize(
    ("points", "visible"),
    [
        (np.zeros((16, 4, 2)), np.ones((16, 4, 1))),
        (np.zeros((1, 16, 4, 2)), np.ones((1, 15, 4, 1))),
        (np.full((1, 16, 4, 2), np.nan), np.ones((1, 16, 4, 1))),
        (np.full((1, 16, 4, 2), 1e9), np.ones((1, 16, 4, 1))),
    ],
)
def test_rows_of_another_form_are_refused(points, visible):
    with pytest.raises(UserError, match=r"(?i)traces"):
        read_tracks(pickle.dumps(points), pickle.dumps(visible), (320, 240))
