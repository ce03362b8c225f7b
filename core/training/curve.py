"""The loss while it falls: every logged value in a file, and the curve as a picture."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from transformers import TrainerCallback

from core.files import whole_file, write_text


class LossCurve(TrainerCallback):
    """Appends what the trainer logs to ``losses.jsonl`` in ``folder``; draws ``losses.png`` when a run ends."""

    def __init__(self, folder: Path) -> None:
        self._file = Path(folder) / "losses.jsonl"
        self._began = time.monotonic()
        self._before = 0.0

    def on_train_begin(self, args, state, control, **kwargs) -> None:
        """What a stopped run logged after it last saved comes anew."""
        kept = [line for line in self._lines() if line["step"] <= state.global_step]
        self._before = kept[-1]["seconds"] if kept else 0.0
        write_text(self._file, "".join(json.dumps(line) + "\n" for line in kept))

    def on_step_end(self, args, state, control, **kwargs) -> None:
        if state.global_step >= state.max_steps:
            control.should_log = True  # the last step too, however few there are

    def on_log(self, args, state, control, logs=None, **kwargs) -> None:
        if not logs or "loss" not in logs:
            return
        values = {name: float(value) for name, value in logs.items() if name != "epoch"}
        seconds = self._before + time.monotonic() - self._began
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": state.global_step, "seconds": round(seconds, 1)} | values) + "\n")

    def on_train_end(self, args, state, control, **kwargs) -> None:
        draw_losses(self._lines(), self._file.with_suffix(".png"))

    def _lines(self) -> list[dict[str, float]]:
        text = self._file.read_text(encoding="utf-8") if self._file.exists() else ""
        return [json.loads(line) for line in text.splitlines()]


def draw_losses(lines: Sequence[Mapping[str, float]], path: Path) -> None:
    """The curve of ``step`` and ``loss`` as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=120)
    axes = figure.add_subplot()
    axes.plot([line["step"] for line in lines], [line["loss"] for line in lines], linewidth=1.2)
    axes.set(xlabel="step", ylabel="loss", yscale="log")
    axes.grid(alpha=0.3, which="both")
    figure.tight_layout()
    with whole_file(path) as part:
        figure.savefig(part)
