"""Fonts for what is written onto pictures."""

from __future__ import annotations

from functools import lru_cache

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

SYSTEM_FONTS = (
    "DejaVuSans.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSansArabic-Regular.ttf",
    "PingFang.ttc",
    "Arial Unicode.ttf",
    "msyh.ttc",
    "arial.ttf",
)
"""Tried in turn for scripts that Pillow's own font, which is Latin only, does not have."""


@lru_cache(maxsize=64)
def font(size: int) -> Font:
    """Pillow's own font: the same on every machine."""
    return ImageFont.load_default(size)


def font_for(text: str, size: int) -> Font:
    """The first font that has every character of the text, otherwise Pillow's own."""
    for candidate in (font(size), *_system_fonts(size)):
        if _has_all(candidate, text):
            return candidate
    return font(size)


@lru_cache(maxsize=8)
def _system_fonts(size: int) -> tuple[Font, ...]:
    found = []
    for name in SYSTEM_FONTS:
        try:
            found.append(ImageFont.truetype(name, size))
        except OSError:
            continue
    return tuple(found)


def _has_all(candidate: Font, text: str) -> bool:
    missing = bytes(candidate.getmask("\uffff"))
    return all(character.isspace() or bytes(candidate.getmask(character)) != missing for character in set(text))
