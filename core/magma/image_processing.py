"""Pictures to crops: as many squares as the picture's shape asks for, in CLIP's normalised colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch.nn import functional
from transformers import BatchFeature
from transformers.image_processing_utils import BaseImageProcessor

from core.magma.configuration import STRIDE

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def crop_grid(width: int, height: int, base: int, max_crops: int) -> tuple[int, int]:
    """The grid (rows, cols) of ``base`` x ``base`` crops, at most ``max_crops``, that keeps most of the picture.

    Over all grids, the largest effective resolution min(int(w s) int(h s), w h), s the scale that fits the picture
    into the grid; among equals the least waste, then the first (fewest columns, then fewest rows).
    """
    best, best_kept, best_waste = (1, 1), -1, 0
    for cols in range(1, max_crops + 1):
        for rows in range(1, max_crops // cols + 1):
            scale = min(cols * base / width, rows * base / height)
            kept = min(int(width * scale) * int(height * scale), width * height)
            waste = cols * rows * base * base - kept
            if kept > best_kept or (kept == best_kept and waste < best_waste):
                best, best_kept, best_waste = (rows, cols), kept, waste
    return best


def to_rgb(picture: Image.Image | np.ndarray) -> Image.Image:
    """Any PIL picture (first frame) or uint8 array [H, W], [H, W, 3] or [H, W, 4] as 8-bit RGB.

    Transparent pixels show white, as in most viewers; 16-bit gray is scaled, where PIL alone would clip it.
    Raises ValueError for anything else, OSError for a file that PIL cannot decode.
    """
    if isinstance(picture, np.ndarray):
        channels = picture.shape[2] if picture.ndim == 3 else 1
        if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or channels not in (1, 3, 4):
            raise ValueError(f"a picture is uint8 [H, W, 3], not {picture.dtype} {list(picture.shape)}")
        picture = Image.fromarray(picture if channels > 1 else picture.reshape(picture.shape[:2]))
    if not isinstance(picture, Image.Image):
        raise ValueError(f"a picture is a PIL image or a numpy array, not {type(picture).__name__}")
    if 0 in picture.size:
        raise ValueError(f"a picture is at least 1 x 1, not {picture.width} x {picture.height}")
    if getattr(picture, "n_frames", 1) > 1:
        picture.seek(0)
    if picture.mode == "I" or picture.mode.startswith("I;16"):
        gray = np.asarray(picture, dtype=np.float64)
        picture = Image.fromarray(np.clip(np.rint(gray / 257), 0, 255).astype(np.uint8))
    if picture.has_transparency_data:
        colours = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", colours.size, "white"), colours)
    return picture if picture.mode == "RGB" else picture.convert("RGB")


class MagmaImageProcessor(BaseImageProcessor):
    """``preprocessor_config.json`` of the released checkpoint: ``base_img_size``, ``num_crops``, mean and std.

    ``anyres_strategy`` is kept for the file's sake: the crops are the same for both, the model joins them.
    """

    model_input_names = ["pixel_values", "image_sizes"]  # noqa: RUF012

    def __init__(
        self,
        base_img_size: int = 512,
        num_crops: int = 4,
        anyres_strategy: str = "crop",
        do_convert_rgb: bool = True,
        image_mean: Sequence[float] = CLIP_MEAN,
        image_std: Sequence[float] = CLIP_STD,
        **kwargs,
    ) -> None:
        kwargs.pop("auto_map", None)  # names remote code, which is never run and does not travel on
        super().__init__(**kwargs)
        if base_img_size < STRIDE or base_img_size % STRIDE or num_crops < 1:
            raise ValueError(
                f"base_img_size {base_img_size} must be a multiple of {STRIDE}, num_crops {num_crops} at least 1"
            )
        if anyres_strategy not in ("crop", "global"):
            raise ValueError(f"anyres_strategy is {anyres_strategy!r}; known here: crop, global")
        self.base_img_size = base_img_size
        self.num_crops = num_crops
        self.anyres_strategy = anyres_strategy
        self.do_convert_rgb = do_convert_rgb
        self.image_mean = list(image_mean)
        self.image_std = list(image_std)

    def visual_tokens(self, rows: int, cols: int) -> int:
        """How many tokens a picture of this crop grid takes: its feature rows, each with one separator."""
        side = self.base_img_size // STRIDE
        return rows * side * (cols * side + 1)

    def crops(self, picture: Image.Image | np.ndarray) -> tuple[torch.Tensor, tuple[int, int]]:
        """One picture as float32 crops [rows * cols, 3, base, base], row-major, and its grid (rows, cols)."""
        rgb = to_rgb(picture)
        base = self.base_img_size
        rows, cols = crop_grid(*rgb.size, base, self.num_crops)
        size = (rows * base, cols * base)
        # One channel at a time: a large picture in float32 would not fit three times into modest memory.
        resized = torch.stack(
            [
                self._resize(channel, mean, std, size)
                for channel, mean, std in zip(rgb.split(), self.image_mean, self.image_std, strict=True)
            ]
        )
        grid = resized.reshape(3, rows, base, cols, base).permute(1, 3, 0, 2, 4)
        return grid.reshape(rows * cols, 3, base, base), (rows, cols)

    @staticmethod
    def _resize(channel: Image.Image, mean: float, std: float, size: tuple[int, int]) -> torch.Tensor:
        normalised = torch.from_numpy(np.array(channel, dtype=np.float32)).div_(255).sub_(mean).div_(std)
        return functional.interpolate(normalised[None, None], size, mode="bilinear", align_corners=False)[0, 0]

    def preprocess(self, images: Image.Image | np.ndarray | Sequence, return_tensors: str = "pt") -> BatchFeature:
        """``pixel_values`` [crops of all pictures, 3, base, base], ``image_sizes`` [pictures, 2] as (rows, cols)."""
        pictures = [images] if isinstance(images, Image.Image | np.ndarray) else list(images)
        if not pictures:
            raise ValueError("no picture given")
        crops, grids = zip(*map(self.crops, pictures), strict=True)
        data = {"pixel_values": torch.cat(crops), "image_sizes": torch.tensor(grids)}
        return BatchFeature(data, tensor_type=return_tensors)
