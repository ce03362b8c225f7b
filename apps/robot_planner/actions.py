"""7-DoF robot actions: what a checkpoint that has the skill answers, in the robot's units, and as a picture of bars."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

from PIL import Image, ImageDraw

from core.errors import UserError
from core.fonts import font
from core.robot_actions import ActionStatistics, RobotAction, read_statistics

NAMES = ("x", "y", "z", "roll", "pitch", "yaw", "gripper")


class ActionRecord(TypedDict):
    """Seven values in -1..1, in the order of NAMES; ``values`` in the robot's own units by the statistics of
    ``dataset``, None where none were given."""

    normalised: list[float]
    values: list[float] | None
    dataset: str | None


def action_record(action: RobotAction, statistics: ActionStatistics | None, dataset: str | None) -> ActionRecord:
    values = statistics.un_normalise(action) if statistics else None
    return ActionRecord(
        normalised=[round(value, 4) for value in action.values],
        values=None if values is None else [round(value, 6) for value in values],
        dataset=dataset if statistics else None,
    )


def choose_statistics(path: str | Path, dataset: str | None) -> tuple[str, ActionStatistics]:
    """The data set of this name in a dataset_statistics.json, or its only one. Raises UserError."""
    known = read_statistics(Path(path))
    if dataset is None and len(known) == 1:
        return next(iter(known.items()))
    if dataset not in known:
        asked = f"no data set {dataset!r}" if dataset else "more than one data set"
        raise UserError(f"The statistics hold {asked}; choose one of {', '.join(sorted(known))}.")
    return dataset, known[dataset]


def draw_action(action: ActionRecord) -> Image.Image:
    """A bar for each normalised value, to the left of the middle for negative ones, with its number."""
    row, width, middle, half = 26, 460, 190, 100
    picture = Image.new("RGB", (width, row * len(NAMES) + 12), "white")
    draw = ImageDraw.Draw(picture)
    draw.line((middle, 4, middle, picture.height - 4), fill="#94a3b8")
    for index, (name, share) in enumerate(zip(NAMES, action["normalised"], strict=True)):
        top = 6 + index * row
        ends = sorted((middle, middle + share * half))
        draw.rounded_rectangle((middle - half, top + 5, middle + half, top + row - 7), 4, outline="#e2e8f0")
        draw.rectangle((ends[0], top + 5, ends[1], top + row - 7), fill="#0082c8" if share >= 0 else "#d9480f")
        draw.text((76, top + row / 2 - 1), name, font=font(14), fill="#334155", anchor="rm")
        number = f"{share:+.3f}" if action["values"] is None else f"{share:+.3f}   {action['values'][index]:+.5f}"
        draw.text((middle + half + 12, top + row / 2 - 1), number, font=font(13), fill="#334155", anchor="lm")
    return picture
