"""What a checkpoint's safetensors hold, read from their headers alone, and whether it is what the model needs."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError
from safetensors import SafetensorError, safe_open

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
SHARD = re.compile(r"[\w.-]+\.safetensors")
TRUNK = "vision_tower.clip_vision_model.trunk."
HEAD = re.compile(r"vision_tower\.clip_vision_model\.(trunk\.head\.norm\.(weight|bias)|head\.proj\.weight)")
"""CLIP's head: in the released files, of no use to Magma, so its absence does not matter."""

OTHER_GAMMA = re.compile(r"(vision_tower\..*\.blocks\.\d+)\.weight")
"""Another spelling of a block's ``gamma``."""

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """The names as they stand in the files, and the shapes under the released names."""

    names: frozenset[str]
    shapes: dict[str, Shape]


def locate(name: str | os.PathLike[str], hub_options: dict) -> Path:
    """The folder itself, or the local copy of the hub's one; ``hub_options`` are consumed from a loader's keywords."""
    options = {
        key: hub_options.pop(key)
        for key in ("revision", "cache_dir", "token", "local_files_only", "force_download")
        if key in hub_options
    }
    if Path(name).is_dir():
        return Path(name)
    try:
        return Path(snapshot_download(str(name), allow_patterns=["*.json", "*.jinja", "*.safetensors"], **options))
    except HFValidationError as error:
        raise OSError(f"{name} is neither a folder nor a name on the hub") from error


def read_layout(folder: Path) -> Layout:
    """Names and shapes of all tensors. Raises OSError where weights are absent, damaged or only pickled."""
    tensors: dict[str, Shape] = {}
    for shard in _shards(folder):
        try:
            with safe_open(folder / shard, framework="pt") as file:
                tensors |= {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}
        except SafetensorError as error:
            raise OSError(f"{folder / shard} is damaged ({error}); fetch it again") from error
    return Layout(frozenset(tensors), {OTHER_GAMMA.sub(r"\1.gamma", name): shape for name, shape in tensors.items()})


def _shards(folder: Path) -> list[str]:
    """The files that hold the weights, all present."""
    if (folder / INDEX).is_file():
        try:
            shards = set(json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values())
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise OSError(f"{folder / INDEX} is no index of weights ({error}); fetch it again") from error
        strange = [shard for shard in shards if not isinstance(shard, str) or not SHARD.fullmatch(shard)]
        if strange:
            raise OSError(f"{folder / INDEX} is no index of safetensors: it names {strange[0]!r}")
        missing = sorted(shard for shard in shards if not (folder / shard).is_file())
        if missing:
            raise OSError(f"{folder} lacks {', '.join(missing)}; fetch the missing weights again")
        return sorted(shards)
    if (folder / SINGLE).is_file():
        return [SINGLE]
    if pickles := sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth") for path in folder.glob(pattern)):
        raise OSError(
            f"{folder} has its weights only as pickle ({pickles[0]}), which can run code when it is read; "
            "convert them to safetensors"
        )
    raise OSError(f"{folder} has no {SINGLE} and no {INDEX}: it is no checkpoint")


def trunk_size(layout: Layout) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """(depths, widths, width of CLIP's projection) of the trunk in the files."""
    gammas: dict[int, dict[int, int]] = {}
    for name, shape in layout.shapes.items():
        if match := re.fullmatch(re.escape(TRUNK) + r"stages\.(\d+)\.blocks\.(\d+)\.gamma", name):
            gammas.setdefault(int(match[1]), {})[int(match[2])] = shape[0]
    if sorted(gammas) != list(range(len(gammas))) or not gammas:
        raise ValueError("the checkpoint's vision trunk lacks the gamma tensors of whole stages")
    depths = tuple(max(gammas[stage]) + 1 for stage in range(len(gammas)))
    widths = tuple(next(iter(gammas[stage].values())) for stage in range(len(gammas)))
    projection = layout.shapes.get("vision_tower.clip_vision_model.head.proj.weight", (widths[-1],))
    return depths, widths, projection[0]


def require(layout: Layout, expected: dict[str, Shape], folder: Path) -> None:
    """Raise ValueError unless every expected tensor that matters is there, in its shape."""
    missing = [name for name in expected if name not in layout.shapes and not HEAD.fullmatch(name)]
    if missing:
        raise ValueError(f"{folder} lacks {_some(missing)}; without them the model would compute from random memory")
    wrong = [
        f"{name} {list(layout.shapes[name])} instead of {list(shape)}"
        for name, shape in expected.items()
        if name in layout.shapes and layout.shapes[name] != shape
    ]
    if wrong:
        raise ValueError(f"{folder} does not fit its config.json: {_some(wrong)}")


def _some(items: list[str]) -> str:
    shown = ", ".join(items[:4])
    return shown if len(items) <= 4 else f"{shown} and {len(items) - 4} more"
