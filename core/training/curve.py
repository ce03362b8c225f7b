"""The loss while it falls: every logged value in a file, and the curve as a picture."""

from __future__ import annotations

import json
import time
from pathlib import Path

import matplotlib
from transformers import TrainerCallback

from core.files import whole_file

matplotlib.use("Agg")
from matplotlib import pyplot


class LossCurve(TrainerCallback):
    """Appends what the trainer logs to ``losses.jsonl`` in ``folder``; draws ``losses.png`` when a run ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = Path(folder)
        self._began = time.monotonic()

    def on_log(self, args, state, control, logs=None, **kwargs) -> None:
        if not logs or "loss" not in logs:
            return
        values = {name: float(value) for name, value in logs.items() if name != "epoch"}
        line = {"step": state.global_step, "seconds": round(time.monotonic() - self._began, 1)} | values
        with (self._folder / "losses.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def on_train_end(self, args, state, control, **kwargs) -> None:
        if (self._folder / "losses.jsonl").exists():
            draw_losses(self._folder)


def draw_losses(folder: Path) -> None:
    """``losses.png`` from ``losses.jsonl``."""
    lines = [json.loads(line) for line in (folder / "losses.jsonl").read_text(encoding="utf-8").splitlines()]
    figure, axes = pyplot.subplots(figsize=(7, 4), dpi=120)
    axes.plot([line["step"] for line in lines], [line["loss"] for line in lines], linewidth=1.2)
    axes.set(xlabel="step", ylabel="loss", yscale="log")
    axes.grid(alpha=0.3, which="both")
    figure.tight_layout()
    with whole_file(folder / "losses.png") as part:
        figure.savefig(part)
    pyplot.close(figure)
