"""OmniParser's detector of controls: a screenshot in, boxes and confidences out.

What is known of ``icon_detect_v3/model.pt`` (YOLOv9-E, MIT), and from where: the adapter that microsoft/OmniParser
runs it with (util/yolov9.py) gives the picture it takes and the six tensors it returns; conversions of it to other
formats publish one class and inputs of 640 and 1280. Decoding and suppression are not inside the file.

- Input: [1, 3, S, S] float, RGB, 0..1, S a multiple of 32; the picture is fitted in, centred on grey 114.
- Output: for each stride 8, 16, 32 in turn the class logits [1, C, S/stride, S/stride] and the distances
  [1, 4, S/stride, S/stride] from the cell's centre to the left, top, right and bottom edge, in strides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from core.errors import UserError
from core.geometry import Box, Size
from core.screen.elements import Element
from core.screen.weights import DOWNLOAD

STRIDES = (8, 16, 32)
SMALLEST_SIDE = 64
GREY = (114, 114, 114)
CANDIDATES = 2000  # the most confident boxes that suppression compares, each with each
MOST_REGIONS = 300  # as the original keeps


@dataclass(frozen=True)
class Letterbox:
    """How a picture is fitted into a square: scaled to ``width`` x ``height``, then moved by ``left`` and ``top``.

    The two scales are those of the whole pixels the picture really became, so that boxes map back without an offset.
    """

    size: Size
    side: int
    width: int
    height: int

    @classmethod
    def fit(cls, size: Size, side: int) -> Letterbox:
        """Into a square of at least ``side`` pixels: the next multiple of the largest stride."""
        side = math.ceil(side / STRIDES[-1]) * STRIDES[-1]
        scale = side / max(size)
        return cls(size, side, max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))

    @property
    def left(self) -> int:
        return (self.side - self.width) // 2

    @property
    def top(self) -> int:
        return (self.side - self.height) // 2

    def into(self, box: Box) -> Box:
        """A box of the picture, in pixels of the square."""
        scaled = box.scale(self.width / self.size[0], self.height / self.size[1])
        return Box(scaled.x1 + self.left, scaled.y1 + self.top, scaled.x2 + self.left, scaled.y2 + self.top)

    def back(self, box: Box) -> Box:
        """A box of the square, in pixels of the picture."""
        moved = Box(box.x1 - self.left, box.y1 - self.top, box.x2 - self.left, box.y2 - self.top)
        return moved.scale(self.size[0] / self.width, self.size[1] / self.height)

    def draw(self, image: Image.Image) -> Image.Image:
        square = Image.new("RGB", (self.side, self.side), GREY)
        square.paste(image.resize((self.width, self.height), Image.Resampling.LANCZOS), (self.left, self.top))
        return square


class RegionDetector:
    def __init__(self, model: torch.jit.ScriptModule, device: torch.device) -> None:
        self.model = model
        self.device = device

    @classmethod
    def load(cls, path: Path, device: torch.device) -> RegionDetector:
        """Raises UserError where the file is not this detector."""
        try:
            # The one checkpoint that is not safetensors: it is released as TorchScript alone. Such a file is code, so
            # it comes from the named hub repository at a pinned revision or from a folder that a person named.
            model = torch.jit.load(str(path), map_location=device).eval()
            detector = cls(model, device)
            detector._run(Image.new("RGB", (SMALLEST_SIDE, SMALLEST_SIDE)))
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, ValueError, TypeError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{path} is not OmniParser's detector ({reason}). Download it again: {DOWNLOAD}") from error
        return detector

    def detect(self, image: Image.Image, side: int, box_threshold: float, iou_threshold: float) -> list[Element]:
        """Controls of an RGB picture, the most confident first, at most ``MOST_REGIONS``; what they are is not said.

        ``side``: pixels of the square at which the model looks, from ``SMALLEST_SIDE``. Controls at or below
        ``box_threshold`` are left out; of two that overlap by an IoU above ``iou_threshold``, the more confident is
        kept.
        """
        fit = Letterbox.fit(image.size, side)
        boxes, scores = self._run(fit.draw(image))
        best = scores.topk(min(CANDIDATES, len(scores))).indices
        best = best[scores[best] > box_threshold]
        kept = best[suppress(boxes[best], scores[best], iou_threshold)][:MOST_REGIONS]
        controls = (
            Element(0, fit.back(Box(*box)).clamp(image.size), "icon", clickable=True, confidence=score)
            for box, score in zip(boxes[kept].tolist(), scores[kept].tolist(), strict=True)
        )
        return [control for control in controls if control.box.area > 0]

    @torch.inference_mode()
    def _run(self, square: Image.Image) -> tuple[torch.Tensor, torch.Tensor]:
        """Boxes [N, 4] in pixels of the square and scores [N], one per cell; ValueError on other outputs."""
        pixels = torch.from_numpy(np.array(square)).to(self.device).permute(2, 0, 1)[None].float() / 255
        half = torch.autocast(self.device.type, torch.float16, enabled=self.device.type == "cuda")
        # Without specialisation, which would compile anew for every image side.
        with half, torch.jit.optimized_execution(False):
            outputs = self.model(pixels)
        if not isinstance(outputs, (list, tuple)) or len(outputs) != 2 * len(STRIDES):
            raise ValueError(f"it does not return {2 * len(STRIDES)} tensors")
        boxes, scores = [], []
        for index, stride in enumerate(STRIDES):
            logits, distances = outputs[2 * index].float(), outputs[2 * index + 1].float()
            cells = square.width // stride
            if logits.shape[2:] != (cells, cells) or distances.shape != (1, 4, cells, cells):
                raise ValueError(f"it returns tensors of {tuple(logits.shape)} and {tuple(distances.shape)}")
            centres = (torch.arange(cells, device=self.device) + 0.5) * stride
            y, x = torch.meshgrid(centres, centres, indexing="ij")
            left, top, right, bottom = distances[0] * stride
            boxes.append(torch.stack((x - left, y - top, x + right, y + bottom), dim=-1).reshape(-1, 4))
            scores.append(logits[0].sigmoid().amax(dim=0).reshape(-1))
        return torch.cat(boxes), torch.cat(scores)


def suppress(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """Greedy non-maximum suppression: which of the boxes [N, 4] (xyxy) to keep, as indices, the best scored first.

    Greedy keeping is the one fixed point of "kept if no better kept box overlaps it": each round settles at least the
    next box in order, and a few rounds settle all.
    """
    order = scores.argsort(descending=True, stable=True)
    boxes = boxes[order]
    sizes = torch.minimum(boxes[:, None, 2:], boxes[:, 2:]) - torch.maximum(boxes[:, None, :2], boxes[:, :2])
    shared = sizes.clamp(min=0).prod(dim=-1)
    areas = (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(dim=-1)
    union = areas[:, None] + areas - shared
    beats = (shared > iou_threshold * union).triu(diagonal=1)
    kept = torch.ones_like(order, dtype=torch.bool)
    while not torch.equal(kept, settled := ~(beats & kept[:, None]).any(dim=0)):
        kept = settled
    return order[kept]
