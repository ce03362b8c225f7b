"""Learnt point trackers, opt-in: better than Lucas-Kanade through long occlusions, far slower without a GPU.

Nothing of them ships here, and nothing is fetched before one is asked for by name.

- cotracker3 (Karaev et al. 2024): ``torch.hub`` fetches the code from GitHub, at a pinned commit, and runs it. Code and
  weights are CC-BY-NC 4.0: for non-commercial use only.
- tapnext (Zholus et al. 2025) and tapir (Doersch et al. 2023, the BootsTAPIR weights): the package ``tapnet``, with
  torchvision for tapnext. Code and weights are Apache 2.0.

Weights come from the Hugging Face hub, at a pinned commit where we know one, and are read without unpickling objects.
The models themselves have not been run here; what goes in and out of them is tested on stand-ins.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import cv2
import numpy as np
import torch
from huggingface_hub import hf_hub_download

from core.errors import UserError

COTRACKER_CODE = "facebookresearch/co-tracker:82e02e8029753ad4ef13cf06be7f4fc5facdda4d"
COTRACKER_WEIGHTS = ("facebook/cotracker3", "scaled_offline.pth", "bf55ea50d4390e1820a267f131cd6587240fb2c5")
TAPIR_WEIGHTS = ("google/tapnet", "bootstapir_checkpoint_v2.pt", None)
TAPNEXT_WEIGHTS = ("google/tapnet", "bootstapnext.pth", None)
TAPNET = "pip install 'tapnet[torch] @ git+https://github.com/google-deepmind/tapnet.git'"

SIDE = 256
"""Pixels: both sides of what TAPIR and TAPNext were trained on."""

Followed = tuple[np.ndarray, np.ndarray]
"""Points float [frames, n, 2] and their visibility bool [frames, n]."""


@torch.inference_mode()
def cotracker3(frames: Sequence[np.ndarray], points: np.ndarray) -> Generator[int, None, Followed]:
    yield 1
    try:
        predictor = torch.hub.load(
            COTRACKER_CODE,
            "cotracker3_offline",
            pretrained=False,  # its own loader would unpickle whatever the file holds
            trust_repo=True,
            skip_validation=True,  # which knows branches and tags only, not commits
            verbose=False,
        )
    except (OSError, ImportError, RuntimeError) as error:
        raise UserError(
            f"CoTracker3's code cannot be fetched from github.com/{COTRACKER_CODE} ({error}). Go online once, or use "
            "the tracker lucas-kanade."
        ) from error
    _load(predictor.model, COTRACKER_WEIGHTS, "CoTracker3")
    predictor = predictor.eval().to(_device())
    video = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)[None].float().to(_device())
    queries = _queries(points - 0.5)  # its pixels' centres are whole numbers
    tracks, visible = predictor(video, queries=queries.to(_device()))
    yield len(frames)
    return tracks[0].cpu().numpy() + 0.5, visible[0].cpu().numpy() > 0.5


@torch.inference_mode()
def tapir(frames: Sequence[np.ndarray], points: np.ndarray) -> Generator[int, None, Followed]:
    yield 1
    try:
        from tapnet.torch import tapir_model
    except ImportError as error:
        raise UserError(f"TAPIR needs the package tapnet ({error}): {TAPNET}") from error
    model = _load(tapir_model.TAPIR(pyramid_level=1), TAPIR_WEIGHTS, "TAPIR")
    scale, video = _shrunk(frames)
    outputs = model(video, _queries(points * scale)[..., [0, 2, 1]].to(_device()))
    hidden, unsure = outputs["occlusion"][0].sigmoid(), outputs["expected_dist"][0].sigmoid()
    visible = ((1 - hidden) * (1 - unsure)).T > 0.5
    yield len(frames)
    return outputs["tracks"][0].transpose(0, 1).cpu().numpy() / scale, visible.cpu().numpy()


@torch.inference_mode()
def tapnext(frames: Sequence[np.ndarray], points: np.ndarray) -> Generator[int, None, Followed]:
    yield 1
    try:
        from tapnet.tapnext.tapnext_torch import TAPNext
    except (ImportError, RuntimeError) as error:  # RuntimeError: a torchvision that does not fit torch
        raise UserError(f"TAPNext needs the packages tapnet and torchvision ({error}): {TAPNET}") from error
    model = _load(TAPNext(image_size=(SIDE, SIDE)), TAPNEXT_WEIGHTS, "TAPNext")
    scale, video = _shrunk(frames)
    asked = {"query_points": _queries(points * scale)[..., [0, 2, 1]].to(_device())}
    way, visible = [], []
    for index in range(len(frames)):
        rows_and_columns, _, seen, state = model(video=video[:, index : index + 1], **asked)
        asked = {"state": state}
        way.append(rows_and_columns[0, 0, :, [1, 0]].cpu().numpy())
        visible.append(seen[0, 0, :, 0].cpu().numpy() > 0)
        yield index + 1
    return np.stack(way) / scale, np.stack(visible)


def _queries(points: np.ndarray) -> torch.Tensor:
    """(frame, x, y) of each point, all on the first frame: float [1, n, 3]."""
    return torch.from_numpy(np.column_stack([np.zeros(len(points)), points])).float()[None]


def _shrunk(frames: Sequence[np.ndarray]) -> tuple[np.ndarray, torch.Tensor]:
    """The factors (x, y) to SIDE pixels, and the frames at that size: [1, frames, SIDE, SIDE, 3] in -1..1."""
    height, width = frames[0].shape[:2]
    small = np.stack([cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for frame in frames])
    video = torch.from_numpy(small)[None].float().to(_device()) / 127.5 - 1
    return np.array([SIDE / width, SIDE / height]), video


def _load(model: torch.nn.Module, weights: tuple[str, str, str | None], name: str) -> torch.nn.Module:
    repository, file, revision = weights
    try:
        path = hf_hub_download(repository, file, revision=revision)
        state = torch.load(path, map_location="cpu", weights_only=True)
        state = state.get("state_dict", state)
        model.load_state_dict({key.removeprefix("tapnext."): value for key, value in state.items()})
    except Exception as error:  # the hub, the file and the model each have their own kinds
        raise UserError(
            f"{name}'s weights cannot be had: {file} of huggingface.co/{repository} ({type(error).__name__}: {error}). "
            "Go online once, or use the tracker lucas-kanade."
        ) from error
    return model.eval().to(_device())


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"
