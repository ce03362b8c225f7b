"""What an icon shows: a small convolutional network over crops of a screenshot.

Weights, labels and how they came about are in ``assets/icons``; ``python -m core.training.icons`` makes them anew.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from core.errors import UserError
from core.geometry import Box
from core.screen.elements import IconGuess

if TYPE_CHECKING:
    import torch

ASSETS = Path(__file__).parents[2] / "assets" / "icons"
SIDE = 48
"""Side of the pictures the network sees, in pixels."""
GUESSES = 5
NO_ICON, OTHER = "no icon", "other"
"""Classes that are never guessed: no icon at all (text, photo, plain area), and an icon that has no name here."""
_MARGIN = 0.12
_BATCH = 256


def crop(pixels: np.ndarray, box: Box) -> np.ndarray | None:
    """The square picture of what the box holds, uint8 [SIDE, SIDE, 3]; None where the box has no area on the picture.

    ``pixels`` is uint8 RGB [height, width, 3]. A little of the surroundings is taken in, because a tight box around a
    dash or three dots has no background left; the shorter side is filled up with the colour of the crop's edge.
    """
    height, width = pixels.shape[:2]
    visible = box.clamp((width, height))
    if not np.isfinite((box.x1, box.y1, box.x2, box.y2)).all() or visible.width <= 0 or visible.height <= 0:
        return None
    margin = max(2.0, _MARGIN * max(box.width, box.height))
    x1, y1, x2, y2 = box.pad(margin).clamp((width, height)).as_ints()
    part = pixels[y1:y2, x1:x2]
    scale = SIDE / max(part.shape[:2])
    size = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
    part = cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    if size == (SIDE, SIDE):
        return part
    edge = np.concatenate([part[0], part[-1], part[:, 0], part[:, -1]])
    square = np.empty((SIDE, SIDE, 3), np.uint8)
    square[:] = np.median(edge, axis=0)
    left, top = (SIDE - size[0]) // 2, (SIDE - size[1]) // 2
    square[top : top + size[1], left : left + size[0]] = part
    return square


def channels(pictures: torch.Tensor) -> torch.Tensor:
    """What the network reads, float [n, 4, SIDE, SIDE], from RGB pictures, uint8 [n, SIDE, SIDE, 3].

    Difference from the colour of the edge: its distance, lightness, redness and blueness, stretched to the picture's
    own contrast, so that dark on light, light on dark and faint icons look alike.
    """
    import torch

    rgb = pictures.float() / 255
    edge = torch.cat([rgb[:, 0], rgb[:, -1], rgb[:, 1:-1, 0], rgb[:, 1:-1, -1]], dim=1)
    difference = rgb - edge.median(dim=1).values[:, None, None]
    distance = difference.square().mean(dim=3).sqrt()
    light = difference @ difference.new_tensor([0.299, 0.587, 0.114])
    most, most_light = (part.abs().amax(dim=(1, 2), keepdim=True).clamp(min=0.05) for part in (distance, light))
    red, blue = difference[..., 0] - light, difference[..., 2] - light
    return torch.stack([distance / most, light / most_light, red / most, blue / most], dim=1)


def network(classes: int) -> torch.nn.Module:
    """A small residual network: [n, 4, SIDE, SIDE] in, logits [n, classes] out."""
    from torch import nn

    def convolution(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
        return [nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)]

    class Residual(nn.Sequential):
        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return (features + super().forward(features)).relu()

    layers = [*convolution(4, 32, 2), nn.ReLU(inplace=True)]
    for inputs, outputs in pairwise((32, 64, 128, 256)):
        first, second = (convolution(outputs, outputs) for _ in range(2))
        layers += [*convolution(inputs, outputs, 2), nn.ReLU(inplace=True)]
        layers.append(Residual(*first, nn.ReLU(inplace=True), *second))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.1), nn.Linear(256, classes))


class IconClassifier:
    """Names icons. ``labels`` are the classes in the network's order; its probabilities are calibrated."""

    def __init__(self, model: torch.nn.Module, labels: Sequence[str], temperature: float) -> None:
        self.model = model.eval()
        self.labels = tuple(labels)
        self.temperature = temperature
        self._no_icon = self.labels.index(NO_ICON)
        self._unnamed = [self._no_icon, self.labels.index(OTHER)]

    @classmethod
    def load(cls, folder: Path = ASSETS) -> IconClassifier:
        """The classifier that ships, loaded once. UserError where its files are missing."""
        return _load(folder)

    def classify(self, image: Image.Image, boxes: Sequence[Box]) -> list[tuple[IconGuess, ...]]:
        """Up to five guesses for each box, best first; an empty tuple where there is no icon.

        ``image`` is RGB and ``boxes`` are in its pixels. The answer is as long as ``boxes``; a box without area on the
        picture gets an empty tuple.
        """
        import torch

        pixels = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
        crops = [crop(pixels, box) for box in boxes]
        found = [index for index, picture in enumerate(crops) if picture is not None]
        guesses: list[tuple[IconGuess, ...]] = [()] * len(crops)
        for start in range(0, len(found), _BATCH):
            batch = found[start : start + _BATCH]
            with torch.inference_mode():
                logits = self.model(channels(torch.from_numpy(np.stack([crops[index] for index in batch]))))
                probabilities = (logits.float() / self.temperature).softmax(dim=1)
                none = probabilities[:, self._no_icon] > 0.5
                probabilities[:, self._unnamed] = -1
                top, classes = probabilities.topk(GUESSES, dim=1)
            for index, empty, values, names in zip(batch, none.tolist(), top.tolist(), classes.tolist(), strict=True):
                if not empty:
                    guesses[index] = tuple(
                        IconGuess(self.labels[name], value) for name, value in zip(names, values, strict=True)
                    )
        return guesses


@lru_cache(maxsize=2)
def _load(folder: Path) -> IconClassifier:
    import torch
    from safetensors.torch import load_file

    weights, labels = folder / "icons.safetensors", folder / "labels.json"
    if not weights.is_file() or not labels.is_file():
        raise UserError(
            f"The icon classifier's files are missing in {folder}. Make them: python -m core.training.icons"
        )
    described = json.loads(labels.read_text(encoding="utf-8"))
    names = [label["name"] for label in described["labels"]]
    model = network(len(names))
    state = {name: value.float() if value.is_floating_point() else value for name, value in load_file(weights).items()}
    model.load_state_dict(state)
    return IconClassifier(model.to(memory_format=torch.channels_last), names, described["temperature"])
