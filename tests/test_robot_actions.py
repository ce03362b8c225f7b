from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import robot_actions
from core.errors import UserError
from core.robot_actions import ActionStatistics, RobotAction

GOLDEN_IDS = (127857, 127873, 127868, 127904, 127861, 127874, 127744)
Q01 = "-0.02872725307941437 -0.04170349963009357 -0.026093858778476715 -0.08092105075716972 "
Q01 += "-0.09288699507713317 -0.20718276381492615 0.0"
Q99 = "0.028309678435325586 0.040855254605412394 0.040161586627364146 0.08192047759890528 "
Q99 += "0.07792850524187081 0.20382574498653397 1.0"
BRIDGE = {
    "q01": [float(value) for value in Q01.split()],
    "q99": [float(value) for value in Q99.split()],
    "mask": [True] * 6 + [False],
}


def test_golden_case_of_the_widowx_robot():
    action = robot_actions.decode(GOLDEN_IDS)
    assert action.values == pytest.approx([0.1176, -0.0078, 0.0314, -0.2510, 0.0863, -0.0157, 0.9961], abs=5e-5)
    statistics = ActionStatistics(tuple(BRIDGE["q01"]), tuple(BRIDGE["q99"]), tuple(BRIDGE["mask"]))
    assert statistics.un_normalise(action) == pytest.approx(
        [0.00315, -0.00075, 0.00807, -0.01994, -0.00011, -0.0049, 0.996], abs=1e-4
    )
    # The lowest id is a second name of the last bin.
    assert robot_actions.encode(action) == (*GOLDEN_IDS[:-1], 127745)


@given(st.lists(st.floats(-1, 1), min_size=7, max_size=7))
def test_encoded_values_come_back_within_half_a_bin(values: list[float]):
    token_ids = robot_actions.encode(RobotAction(tuple(values)))
    assert all(token_id in robot_actions.action_token_ids() for token_id in token_ids)
    assert robot_actions.decode(token_ids).values == pytest.approx(values, abs=1 / 255 + 1e-12)
    assert token_ids == tuple(128000 - np.digitize(values, np.linspace(-1, 1, 256)))


@given(st.sampled_from([128000, 512]), st.data())
def test_every_action_token_but_the_lowest_encodes_back(base_vocabulary: int, data: st.DataObject):
    ids = robot_actions.action_token_ids(base_vocabulary)
    token_ids = tuple(data.draw(st.lists(st.sampled_from(ids[1:]), min_size=7, max_size=7)))
    assert robot_actions.encode(robot_actions.decode(token_ids, base_vocabulary), base_vocabulary) == token_ids


def test_values_beyond_the_range_go_to_its_ends_and_nan_is_a_bug():
    assert robot_actions.encode(RobotAction((-5.0, 5.0))) == robot_actions.encode(RobotAction((-1.0, 1.0)))
    with pytest.raises(ValueError):
        robot_actions.encode(RobotAction((float("nan"),) * 7))


def test_statistics_are_read_by_data_set(tmp_path: Path):
    file = tmp_path / "dataset_statistics.json"
    other = {"action": BRIDGE | {"mean": [0.0] * 7}, "proprio": {}, "num_transitions": 5, "num_trajectories": 1}
    file.write_text(json.dumps({"bridge_orig": {"action": BRIDGE}, "libero_10_no_noops": other}))
    statistics = robot_actions.read_statistics(file)
    assert list(statistics) == ["bridge_orig", "libero_10_no_noops"]
    assert statistics["bridge_orig"].un_normalise(RobotAction((-1.0,) * 7)) == pytest.approx([*BRIDGE["q01"][:6], -1.0])
    assert statistics["bridge_orig"].un_normalise(RobotAction((1.0,) * 7)) == pytest.approx([*BRIDGE["q99"][:6], 1.0])


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        "[" * 100_000,
        '{"a": 1}',
        '{"a": {"action": []}}',
        json.dumps({"a": {"action": BRIDGE | {"q01": [0.0] * 6}}}),
        json.dumps({"a": {"action": BRIDGE | {"q01": [0.0] * 6 + [True]}}}),
        json.dumps({"a": {"action": BRIDGE | {"q01": [0.0] * 6 + ["0"]}}}),
        json.dumps({"a": {"action": BRIDGE | {"q01": [float("nan")] * 7}}}),
        json.dumps({"a": {"action": BRIDGE | {"q99": [float("inf")] * 7}}}),
        json.dumps({"a": {"action": BRIDGE | {"q99": [10**400] * 7}}}),
        json.dumps({"a": {"action": BRIDGE | {"q99": [-1.0] * 7}}}),
        json.dumps({"a": {"action": BRIDGE | {"mask": [1] * 7}}}),
        json.dumps({"a": {"action": {"q01": BRIDGE["q01"], "q99": BRIDGE["q99"]}}}),
        '{"a": ' + "9" * 5000 + "}",
    ],
)
def test_malformed_statistics_say_so(tmp_path: Path, content: str):
    file = tmp_path / "dataset_statistics.json"
    file.write_text(content)
    with pytest.raises(UserError, match=r"dataset_statistics\.json"):
        robot_actions.read_statistics(file)


def test_a_file_that_is_not_there_or_not_text_says_so(tmp_path: Path):
    with pytest.raises(UserError, match="cannot be read"):
        robot_actions.read_statistics(tmp_path / "none.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="JSON"):
        robot_actions.read_statistics(tmp_path / "binary.json")
