"""Pictures from people: the right pixels or a message that helps."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from core.errors import UserError
from core.images import MAX_PIXELS, open_image


def encoded(image: Image.Image, format: str, **options) -> bytes:
    data = io.BytesIO()
    image.save(data, format, **options)
    return data.getvalue()


def ramp(top: int) -> Image.Image:
    levels = np.linspace(0, top, 256).astype(np.uint16 if top > 255 else np.uint8)
    return Image.fromarray(np.tile(levels, (4, 1)))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
def test_common_formats_open_as_rgb(format):
    image = open_image(encoded(Image.new("RGB", (20, 10), "red"), format))
    assert image.mode == "RGB" and image.size == (20, 10)
    assert np.allclose(image.getpixel((10, 5)), (255, 0, 0), atol=4)


def test_16_bit_grey_keeps_its_levels():
    opened = np.asarray(open_image(encoded(ramp(65535), "PNG")))[0, :, 0].astype(int)
    assert np.abs(opened - np.arange(256)).max() <= 1


def test_16_bit_rgb_keeps_its_levels():
    rows = b"".join(
        b"\0" + b"".join(struct.pack(">HHH", x * 257, 65535 - x * 257, 0) for x in range(256)) for _ in "ab"
    )
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 256, 2, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    data = b"\x89PNG\r\n\x1a\n"
    for name, body in chunks:
        data += struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    opened = np.asarray(open_image(data)).astype(int)
    assert np.abs(opened[0, :, 0] - np.arange(256)).max() <= 1
    assert np.abs(opened[0, :, 1] - np.arange(255, -1, -1)).max() <= 1


def test_cmyk_is_not_inverted():
    image = open_image(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"))
    assert np.allclose(image.getpixel((4, 4)), (254, 0, 0), atol=6)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_becomes_white(mode):
    image = open_image(encoded(Image.new(mode, (4, 4), (0,) * len(mode)), "PNG"))
    assert image.getpixel((1, 1)) == (255, 255, 255)


def test_palette_with_transparency():
    picture = Image.new("P", (4, 4), 1)
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.putpixel((0, 0), 0)
    image = open_image(encoded(picture, "PNG", transparency=0))
    assert image.getpixel((0, 0)) == (255, 255, 255) and image.getpixel((1, 1)) == (0, 0, 255)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_of_an_animation(format):
    frames = [Image.new("RGB", (6, 6), colour) for colour in ("red", "blue")]
    image = open_image(encoded(frames[0], format, save_all=True, append_images=frames[1:], duration=100))
    assert np.allclose(image.getpixel((3, 3)), (255, 0, 0), atol=6)


def test_a_phone_picture_is_turned_upright():
    exif = Image.Exif()
    exif[274] = 6
    assert open_image(encoded(Image.new("RGB", (20, 10)), "JPEG", exif=exif)).size == (10, 20)


def test_one_pixel():
    assert open_image(encoded(Image.new("RGB", (1, 1), "blue"), "PNG")).getpixel((0, 0)) == (0, 0, 255)


def test_a_picture_in_memory_is_converted_too():
    assert open_image(Image.new("L", (3, 3), 7)).getpixel((0, 0)) == (7, 7, 7)


def test_too_many_pixels_are_refused_from_the_header():
    header = struct.pack(">IIBBBBB", 12_000, 12_000, 8, 2, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + b"IHDR"
        + header
        + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    )
    with pytest.raises(UserError, match="12000 x 12000"):
        open_image(data + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT")))


def test_the_limit_itself_is_accepted():
    side = int(MAX_PIXELS**0.5)
    assert open_image(encoded(Image.new("1", (side, side)), "PNG")).size == (side, side)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"hello, this is no picture", "text file"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"<?xml version='1.0'?><svg/>", "SVG"),
        (b"%PDF-1.7\n\0\1\2", "not a picture"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "damaged|not a picture"),
        (bytes(range(256)) * 4, "not a picture"),
    ],
)
def test_what_is_no_picture_says_so(tmp_path, data, message):
    path = tmp_path / "screen.png"
    path.write_bytes(data)
    with pytest.raises(UserError, match=message) as error:
        open_image(path)
    assert str(tmp_path) not in str(error.value), "a message names the file, not where the server keeps it"


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_file_that_is_cut_off(format):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8))
    data = encoded(noise, format)
    with pytest.raises(UserError):
        open_image(data[: len(data) // 2])


@pytest.mark.parametrize("name", ["missing.png", "", "a\0b.png", "x" * 5000])
def test_a_name_that_cannot_be_opened(tmp_path, name):
    with pytest.raises(UserError, match="cannot be opened"):
        open_image(f"{tmp_path}/{name}")
