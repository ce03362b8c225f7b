"""Crops against a plain numpy computation, grids as properties, and pictures of every awkward kind."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile

from core.magma import MagmaImageProcessor
from core.magma.image_processing import crop_grid, to_rgb

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
SIDES = st.integers(1, 20000)


def noise(width: int, height: int, channels: int = 3) -> np.ndarray:
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(width * 1000 + height).integers(0, 256, shape, dtype=np.uint8)


def resized(channel: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """Bilinear without antialias: pixel centres at half integers, edges repeated."""
    height, width = channel.shape

    def neighbours(count: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        place = np.maximum((np.arange(count) + 0.5) * size / count - 0.5, 0)
        low = np.minimum(place.astype(int), size - 1)
        return low, np.minimum(low + 1, size - 1), place - low

    top, bottom, down = neighbours(rows, height)
    left, right, across = neighbours(cols, width)
    between = channel[:, left] * (1 - across) + channel[:, right] * across
    return between[top] * (1 - down)[:, None] + between[bottom] * down[:, None]


@pytest.mark.parametrize("size", [(64, 64), (150, 140), (30, 20), (200, 60), (50, 170), (640, 480), (1, 1)])
def test_crops_follow_the_formula(size):
    picture = noise(*size)
    outcome = MagmaImageProcessor(base_img_size=64)(Image.fromarray(picture))
    (rows, cols) = outcome["image_sizes"][0].tolist()
    for c in range(3):
        normalised = (picture[..., c] / 255 - MEAN[c]) / STD[c]
        whole = resized(normalised, rows * 64, cols * 64)
        for number, crop in enumerate(outcome["pixel_values"]):
            y, x = divmod(number, cols)
            expected = whole[y * 64 : (y + 1) * 64, x * 64 : (x + 1) * 64]
            np.testing.assert_allclose(crop[c].numpy(), expected, atol=1e-4)


@given(SIDES, SIDES, st.sampled_from([32, 64, 512, 768]), st.integers(1, 9))
def test_the_grid_keeps_the_most_of_the_picture(width, height, base, most):
    rows, cols = crop_grid(width, height, base, most)
    assert rows >= 1 and cols >= 1 and rows * cols <= most

    def kept(r: int, c: int) -> int:
        scale = min(c * base / width, r * base / height)
        return min(int(width * scale) * int(height * scale), width * height)

    every = [(r, c) for c in range(1, most + 1) for r in range(1, most // c + 1)]
    best = max(kept(r, c) for r, c in every)
    assert kept(rows, cols) == best
    assert rows * cols == min(r * c for r, c in every if kept(r, c) == best)


@given(st.integers(1, 6), st.integers(1, 6))
def test_a_picture_of_grid_shape_gets_that_grid(rows, cols):
    assert crop_grid(cols * 512, rows * 512, 512, rows * cols) == (rows, cols)


def test_visual_tokens_of_the_released_sizes():
    count = MagmaImageProcessor().visual_tokens
    assert [count(1, 1), count(1, 2), count(2, 1), count(2, 2)] == [272, 528, 544, 1056]


def animated(encoding: str) -> Image.Image:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue", "green")]
    file = io.BytesIO()
    frames[0].save(file, encoding, save_all=True, append_images=frames[1:], lossless=True)
    picture = Image.open(io.BytesIO(file.getvalue()))
    picture.seek(2)
    return picture


AWKWARD = {
    "1x1": Image.new("RGB", (1, 1), "red"),
    "very wide": Image.new("RGB", (20000, 10), "red"),
    "very tall": Image.new("RGB", (1, 20000), "red"),
    "CMYK": Image.new("CMYK", (40, 30), (0, 255, 255, 0)),
    "opaque RGBA": Image.new("RGBA", (40, 30), (255, 0, 0, 255)),
    "palette": Image.new("RGB", (40, 30), "red").convert("P", palette=Image.Palette.ADAPTIVE),
    "YCbCr": Image.new("RGB", (40, 30), "red").convert("YCbCr"),
    "animated GIF": animated("GIF"),
    "animated WebP": animated("WEBP"),
    "numpy": np.full((30, 40, 3), (255, 0, 0), dtype=np.uint8),
}


@pytest.mark.parametrize("picture", AWKWARD.values(), ids=AWKWARD)
def test_awkward_pictures_are_red_all_over(picture):
    pixels = MagmaImageProcessor(base_img_size=64)(picture)["pixel_values"]
    red = (torch.tensor([1.0, 0.0, 0.0]) - torch.tensor(MEAN)) / torch.tensor(STD)
    torch.testing.assert_close(pixels, red[None, :, None, None].expand_as(pixels), atol=0.05, rtol=0)


GRAYS = {
    "L": Image.new("L", (4, 4), 51),
    "LA": Image.new("LA", (4, 4), (51, 255)),
    "16 bit": Image.fromarray(np.full((4, 4), 51 * 257, dtype=np.uint16)),
    "16 bit, big endian": Image.frombytes("I;16B", (4, 4), np.full(16, 51 * 257, dtype=">u2").tobytes()),
    "32 bit": Image.fromarray(np.full((4, 4), 51 * 257, dtype=np.int32)),
    "numpy": np.full((4, 4), 51, dtype=np.uint8),
}


@pytest.mark.parametrize("picture", GRAYS.values(), ids=GRAYS)
def test_gray_keeps_its_brightness(picture):
    assert set(np.unique(np.asarray(to_rgb(picture)))) == {51}


def test_black_and_white_pictures():
    assert to_rgb(Image.new("1", (2, 2), 1)).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_pixels_show_white(mode):
    picture = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    if mode == "P":
        picture = Image.new("P", (4, 4), 0)
        picture.info["transparency"] = 0
    elif mode == "LA":
        picture = picture.convert("LA")
    assert set(np.unique(np.asarray(to_rgb(picture)))) == {255}


@pytest.mark.parametrize(
    "thing",
    [None, "picture.png", np.zeros((4, 4, 3)), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4, 3), np.uint8)],
    ids=["None", "path", "floats", "two channels", "empty"],
)
def test_what_is_no_picture_is_refused(thing):
    with pytest.raises(ValueError, match="picture is"):
        MagmaImageProcessor().crops(thing)


def test_a_truncated_file_is_an_error():
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    file = io.BytesIO()
    Image.fromarray(noise(64, 64)).save(file, "PNG")
    with pytest.raises(OSError, match="truncated"):
        MagmaImageProcessor()(Image.open(io.BytesIO(file.getvalue()[:2000])))


def test_no_picture_at_all_is_refused():
    with pytest.raises(ValueError, match="no picture"):
        MagmaImageProcessor()([])


@pytest.mark.parametrize("options", [{"base_img_size": 100}, {"num_crops": 0}, {"anyres_strategy": "tiles"}])
def test_unknown_settings_are_refused(options):
    with pytest.raises(ValueError):
        MagmaImageProcessor(**options)
