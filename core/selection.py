"""Which checkpoint to load, where and in which precision: what was asked for, or the best that fits this machine."""

from __future__ import annotations

import importlib.util
import json
import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import UserError

if TYPE_CHECKING:
    import torch

    from core.magma import MagmaConfig

MAGMA = "microsoft/Magma-8B"
MINI = Path(__file__).parents[1] / "assets" / "magma-mini"
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)

FOUR_BIT_LAYERS = re.compile(r"language_model\.model\.layers\.\d+\.(self_attn|mlp)\.\w+_proj\.weight")
FOUR_BIT_SKIPPED = ("vision_tower", "multi_modal_projector", "lm_head")
NF4_BYTES = 0.5625
"""Per weight: half a byte, and a float32 scale for each 64 of them."""

WORK_SHARE, WORK_BYTES = 0.15, 500_000_000
"""Memory beside the weights: activations, the key/value cache, what libraries take."""

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Selection:
    """``note`` says in one line what was taken and why."""

    folder: Path
    name: str
    device: torch.device
    dtype: torch.dtype
    four_bit: bool
    note: str


def select(model: str, device: str, dtype: str, quantize: str, skill: str | None = None) -> Selection:
    """``model``: "auto", "mini", a folder or a hub id; "auto" takes the small checkpoint only where that has the
    ``skill``. ``device``: "auto", "cpu", "cuda", "cuda:1", "mps". ``dtype``:
    "auto", "float32", "bfloat16", "float16". ``quantize``: "auto", "none", "nf4".

    Raises UserError where that cannot be had, before anything large is loaded or fetched.
    """
    place = find_device(device)
    if quantize not in ("auto", "none", "nf4"):
        raise UserError(f"There is no quantisation {quantize!r}: give auto, none or nf4.")
    if quantize == "nf4" and place.type != "cuda":
        raise UserError("4-bit weights need a CUDA GPU: give quantize none, or another device.")
    precision = _dtype(dtype, place)
    if model == "auto":
        return _automatic(place, precision, quantize, skill)
    if model == "mini":
        if not MINI.is_dir():
            raise UserError(
                f"There is no small checkpoint in assets/magma-mini: give a folder or a hub id such as {MAGMA}."
            )
        return _from_folder(MINI, MINI.name, place, precision, quantize)
    if Path(model).is_dir():
        return _from_folder(Path(model), Path(model).resolve().name, place, precision, quantize)
    if REPOSITORY.fullmatch(model) and not Path(model).exists():
        return _from_hub(model, place, precision, quantize)
    raise UserError(f"{model} is neither a folder with a checkpoint nor a hub id such as {MAGMA}.")


def _automatic(place: torch.device, precision: torch.dtype, quantize: str, skill: str | None) -> Selection:
    """Magma-8B on a GPU with room for it, else the small checkpoint."""
    if place.type == "cuda":
        try:
            return _from_hub(MAGMA, place, precision, quantize)
        except UserError as error:
            reason = str(error)
    else:
        reason = f"{MAGMA} needs a CUDA GPU, and {place.type} is used."
    if not MINI.is_dir():
        raise UserError(
            f"{reason} There is no small checkpoint in assets/magma-mini either: give the model as a folder or hub id."
        )
    _require_magma(MINI)
    declared = json.loads((MINI / "config.json").read_text(encoding="utf-8")).get("skills")
    if skill is not None and declared is not None and skill not in declared:
        raise UserError(f"{reason} The small checkpoint has not learnt the skill {skill!r}.")
    return _from_folder(MINI, MINI.name, place, precision, "none", why=f", because: {reason}")


def _from_folder(
    folder: Path, name: str, place: torch.device, precision: torch.dtype, quantize: str, why: str = ""
) -> Selection:
    from core.magma.checkpoint import read_layout

    _require_magma(folder)
    try:
        shapes = read_layout(folder).shapes
    except OSError as error:
        raise UserError(f"{error}.") from error
    return _fitted(shapes, folder, name, place, precision, quantize, why)


def _from_hub(name: str, place: torch.device, precision: torch.dtype, quantize: str) -> Selection:
    """The cached copy where it is whole; else configuration first, so that too large a model is not fetched."""
    from core.magma import MagmaConfig
    from core.magma.checkpoint import read_layout

    try:
        folder = _fetch(name, local_files_only=True)
        read_layout(folder)
    except (OSError, UserError):
        folder = _fetch(name, allow_patterns="config.json")
        _require_magma(folder)
        try:
            shapes = configured_shapes(MagmaConfig.from_pretrained(folder))
        except ValueError as error:
            raise UserError(f"{name} cannot be loaded: {error}") from error
        selection = _fitted(shapes, folder, name, place, precision, quantize)
        return replace(selection, folder=_fetch(name))
    return _from_folder(folder, name, place, precision, quantize)


def _fetch(name: str, **options) -> Path:
    """The local copy of the hub's files."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, **{"allow_patterns": ["*.json", "*.jinja", "*.safetensors"]} | options))
    except (OSError, ValueError) as error:
        cause = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(
            f"{name} cannot be fetched from the Hugging Face hub ({cause}): check the name and the network, or give a "
            "folder that holds the checkpoint."
        ) from error


def _fitted(
    shapes: Shapes, folder: Path, name: str, place: torch.device, precision: torch.dtype, quantize: str, why: str = ""
) -> Selection:
    """Unquantised where it fits, 4-bit where only that does."""
    plain, four_bit = weight_bytes(shapes, precision.itemsize)
    free = free_bytes(place)
    shown = str(precision).removeprefix("torch.")
    if quantize != "nf4" and (free is None or needed_bytes(plain) <= free):
        return Selection(folder, name, place, precision, False, f"{name} on {place} in {shown}{why}")
    if quantize == "none" or place.type != "cuda" or needed_bytes(four_bit) > free:
        least = four_bit if quantize != "none" and place.type == "cuda" else plain
        raise UserError(
            f"{name} needs about {needed_bytes(least) / 1e9:.1f} GB on {place}, of which {free / 1e9:.1f} GB are free: "
            "close other programs, or choose a smaller model, another device or another precision."
        )
    if missing := [package for package in ("bitsandbytes", "accelerate") if not importlib.util.find_spec(package)]:
        raise UserError(f"{name} fits on {place} only in 4 bit, which needs more: pip install {' '.join(missing)}")
    only = "" if quantize == "nf4" else f", as only that fits into {free / 1e9:.1f} GB"
    return Selection(folder, name, place, precision, True, f"{name} on {place} in 4 bit (nf4){only}{why}")


def weight_bytes(shapes: Shapes, bytes_per_weight: int) -> tuple[float, float]:
    """What all weights take, plain and in 4 bit."""
    counts = {name: math.prod(shape) for name, shape in shapes.items()}
    packed = sum(count for name, count in counts.items() if FOUR_BIT_LAYERS.fullmatch(name))
    plain = sum(counts.values()) * bytes_per_weight
    return plain, plain - packed * (bytes_per_weight - NF4_BYTES)


def needed_bytes(weights: float) -> float:
    """Memory to work with weights of this many bytes."""
    return weights * (1 + WORK_SHARE) + WORK_BYTES


def free_bytes(place: torch.device) -> int | None:
    """Memory that can still be had there; None where the system does not tell."""
    import torch

    if place.type == "cuda":
        return torch.cuda.mem_get_info(place)[0]
    try:
        meminfo = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    available = re.search(r"^MemAvailable: +(\d+) kB$", meminfo, re.MULTILINE)
    return int(available[1]) * 1024 if available else None


def configured_shapes(config: MagmaConfig) -> Shapes:
    """Of the model that the configuration describes, without building it."""
    import torch

    from core.magma import MagmaForCausalLM

    with torch.device("meta"):
        tensors = MagmaForCausalLM(config).state_dict()
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _require_magma(folder: Path) -> None:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{folder} is no checkpoint: it has no config.json that can be read.") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{folder / 'config.json'} is not JSON: fetch it again.") from error
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind != "magma":
        raise UserError(f"{folder} holds a model of type {kind!r}, not a Magma checkpoint: give another folder.")


def find_device(device: str) -> torch.device:
    """The device of this name, ``auto`` being CUDA where it is. Raises UserError for one that is not there."""
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise UserError(f"There is no device {device!r}: give auto, cpu, cuda or mps.") from error
    there = {
        "cpu": place.index in (None, 0),
        "cuda": torch.cuda.is_available() and (place.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(place.type):
        raise UserError(f"{device} is not available to PyTorch on this machine: give auto or cpu.")
    return place


def _dtype(dtype: str, place: torch.device) -> torch.dtype:
    import torch

    if dtype == "auto":
        if place.type == "cuda":
            return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        return torch.float16 if place.type == "mps" else torch.float32
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if dtype not in known:
        raise UserError(f"There is no precision {dtype!r}: give auto, {', '.join(known)}.")
    return known[dtype]
