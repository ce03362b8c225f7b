"""Pictures from people: opened safely, always as 8-bit RGB."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from core.errors import UserError

warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # MAX_PIXELS decides, with a better message

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
"""Only these decoders run on what people send; Pillow knows dozens, some of which start other programs."""

MAX_PIXELS = 64_000_000
"""Larger pictures are refused from their header, before any memory is spent on their pixels."""


def open_image(source: str | Path | bytes | Image.Image) -> Image.Image:
    """Open a picture as RGB, upright, its first frame if it is animated, transparency on white, 16 bit scaled to 8.

    Raises UserError for a missing, empty, truncated or oversized file and for what is no picture.
    """
    if isinstance(source, Image.Image):
        return _to_rgb(source)
    if isinstance(source, bytes):
        return _decode(io.BytesIO(source), "The picture", source[:256])
    path = Path(source)
    name = f"{path.name!r}"
    try:
        with path.open("rb") as file:
            head = file.read(256)
            file.seek(0)
            return _decode(file, name, head)
    except (OSError, ValueError) as error:  # ValueError: a name that no file system takes
        raise UserError(f"{name} cannot be opened: {getattr(error, 'strerror', None) or error}.") from error


def _decode(file: io.BufferedIOBase, name: str, head: bytes) -> Image.Image:
    if not head:
        raise UserError(f"{name} is empty (0 bytes). Choose another file.")
    try:
        with Image.open(file, formats=FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise UserError(
                    f"{name} is {width} x {height} pixels; at most {MAX_PIXELS // 1_000_000} megapixels are accepted. "
                    "Scale it down or crop it."
                )
            image.load()
            return _to_rgb(image)
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise UserError(f"{name} {_what_it_is(head, error)} Send a PNG, JPEG or WebP picture.") from error
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error) as error:
        raise UserError(f"{name} is damaged or cut off ({error}). Save or upload it again.") from error


def _what_it_is(head: bytes, error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return f"is larger than {MAX_PIXELS // 1_000_000} megapixels."
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<svg", b"<?xml", b"<!doctype svg")):
        return "is an SVG drawing, not a picture of pixels."
    if b"\0" not in head:
        return "is a text file, not a picture."
    return "is not a picture in a format that can be read here."


def _to_rgb(image: Image.Image) -> Image.Image:
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        image = _to_8_bit(image)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def _to_8_bit(image: Image.Image) -> Image.Image:
    """Scale grey levels to 0..255: Pillow's own conversion clips them, which turns a 16-bit picture white."""
    levels = np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0.0, neginf=0.0)
    highest = float(levels.max())
    top = 1.0 if highest <= 1.0 else 255.0 if highest <= 255.0 else 65535.0 if highest <= 65535.0 else highest
    return Image.fromarray((levels.clip(0, top) * (255.0 / top)).round().astype(np.uint8), "L")
