"""What is checked before hours are spent, and where a stopped run goes on."""

from __future__ import annotations

import argparse
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path

from core.errors import UserError
from core.files import write_text
from core.selection import find_device

PACKAGES = ("accelerate", "matplotlib", "peft")


def work_folder(out: Path, settings: Mapping[str, object]) -> Path:
    """OUT.work, made or found again, for a run that will end in the new folder ``out``.

    Raises UserError where a package of core/training/requirements.txt is missing, where ``out`` is taken or cannot be
    made, and where the folder belongs to a run of other ``settings`` (of JSON's types).
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"Training needs {', '.join(missing)}: pip install -r core/training/requirements.txt")
    out = out.resolve()
    work = out.with_name(f"{out.name}.work") if out.name else out
    kept = work / "settings.json"
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UserError(f"{out} is taken: give another folder, or remove it first.")
        work.mkdir(parents=True, exist_ok=True)
        if not kept.exists():
            write_text(kept, json.dumps(dict(settings), indent=1))
        before = json.loads(kept.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{work} cannot be used: {error}") from error
    changed = sorted(name for name in before.keys() | settings.keys() if before.get(name) != settings.get(name))
    if changed:
        raise UserError(
            f"{work} belongs to a stopped run with other settings ({', '.join(changed)}): "
            "give those again, or remove the folder."
        )
    return work


def on_gpu(device: str) -> bool:
    """Whether ``device``, "auto", "cpu" or "cuda", is a GPU here. Raises UserError where several could be meant."""
    import torch

    if find_device(device).type != "cuda":
        return False
    if torch.cuda.device_count() > 1:  # transformers would take them all, with batches that are not made for it
        raise UserError("Several GPUs are visible: name one in CUDA_VISIBLE_DEVICES.")
    return True


def last_checkpoint(folder: Path) -> Path | None:
    """The newest one that was saved to its end; transformers writes trainer_state.json last."""
    whole = [path for path in folder.glob("checkpoint-*") if (path / "trainer_state.json").exists()]
    return max(whole, key=steps_of, default=None)


def steps_of(checkpoint: Path | None) -> int:
    return int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0


def positive(text: str) -> int:
    """For argparse: a whole number from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return value


def seed_number(text: str) -> int:
    """For argparse: a whole number from 0 that numpy takes as a seed."""
    value = int(text)
    if not 0 <= value < 1 << 32:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and {(1 << 32) - 1}")
    return value
