"""7-DoF robot actions as tokens, the last 256 ids of the base vocabulary, and the statistics that give them units.

Source of the formulas: OpenVLA's action tokenizer, which Magma's data follow.
"""

from __future__ import annotations

import json
import math
import sys
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.errors import UserError

DEGREES_OF_FREEDOM = 7
BASE_VOCABULARY = 128_000
"""Llama-3's vocabulary without its special tokens: ``tokenizer_vocab_size`` in the checkpoint's configuration."""
EDGES: list[float] = np.linspace(-1.0, 1.0, 256).tolist()
"""Of the bins. 256 edges bound 255 bins, while 256 ids are in use: the lowest two ids mean the last bin."""
MAX_STATISTICS_BYTES = 16 * 2**20


@dataclass(frozen=True)
class RobotAction:
    """Seven values in -1..1: change of x, y, z, roll, pitch, yaw, then the gripper."""

    values: tuple[float, ...]


def action_token_ids(base_vocabulary: int = BASE_VOCABULARY) -> range:
    return range(base_vocabulary - len(EDGES), base_vocabulary)


def decode(token_ids: Sequence[int], base_vocabulary: int = BASE_VOCABULARY) -> RobotAction:
    """The centre of each token's bin. Ids must lie in ``action_token_ids``."""
    bins = [min(base_vocabulary - token_id - 1, len(EDGES) - 2) for token_id in token_ids]
    return RobotAction(tuple((EDGES[bin] + EDGES[bin + 1]) / 2 for bin in bins))


def encode(action: RobotAction, base_vocabulary: int = BASE_VOCABULARY) -> tuple[int, ...]:
    """The tokens of an action; they decode to its values within 1/255. Values beyond -1..1 go to the ends."""
    if not all(map(math.isfinite, action.values)):
        raise ValueError(f"an action of finite numbers is needed, not {action.values}")
    return tuple(base_vocabulary - bisect_right(EDGES, min(max(value, -1.0), 1.0)) for value in action.values)


@dataclass(frozen=True)
class ActionStatistics:
    """How a data set scaled its actions: the 1 % and 99 % quantiles, and which dimensions were scaled by them."""

    q01: tuple[float, ...]
    q99: tuple[float, ...]
    mask: tuple[bool, ...]

    def un_normalise(self, action: RobotAction) -> tuple[float, ...]:
        """The action in the robot's own units; dimensions outside the mask stay as they are."""
        columns = zip(action.values, self.q01, self.q99, self.mask, strict=True)
        return tuple(
            0.5 * (value + 1) * (high - low) + low if scaled else value for value, low, high, scaled in columns
        )


def read_statistics(path: Path) -> dict[str, ActionStatistics]:
    """``dataset_statistics.json``: each data set's name with its statistics. Raises UserError where it is malformed."""
    try:
        if path.stat().st_size > MAX_STATISTICS_BYTES:
            raise UserError(
                f"{path} is larger than {MAX_STATISTICS_BYTES >> 20} MiB: it is no dataset_statistics.json."
            )
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}). Give the model's dataset_statistics.json."
        ) from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON. Download dataset_statistics.json again.") from error
    if not isinstance(content, dict) or not content:
        raise UserError(f"{path} names no data set. Give the model's dataset_statistics.json.")
    return {name: _statistics(entry, f"{path}, data set {name!r}") for name, entry in content.items()}


def _statistics(entry: object, where: str) -> ActionStatistics:
    action = entry.get("action") if isinstance(entry, dict) else None
    if not isinstance(action, dict):
        raise UserError(f"{where}: the object 'action' is missing. Download the file again.")
    low, high = (_column(action, name, (int, float), "numbers", where) for name in ("q01", "q99"))
    mask = _column(action, "mask", (bool,), "booleans", where)
    limit = sys.float_info.max  # comparing also turns down nan, infinities and integers too long for a float
    if not all(-limit <= a <= b <= limit for a, b in zip(low, high, strict=True)):
        raise UserError(f"{where}: 'q01' must not exceed 'q99', and both must be finite. Download the file again.")
    return ActionStatistics(tuple(map(float, low)), tuple(map(float, high)), tuple(mask))


def _column(action: dict, name: str, types: tuple[type, ...], words: str, where: str) -> list:
    values = action.get(name)
    if not isinstance(values, list) or len(values) != DEGREES_OF_FREEDOM or any(type(v) not in types for v in values):
        raise UserError(f"{where}: '{name}' must be a list of {DEGREES_OF_FREEDOM} {words}. Download the file again.")
    return values
