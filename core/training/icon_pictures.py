"""Crops of made-up screens for training the icon classifier: icons as a screenshot shows them, and what is no icon.

Everything is drawn by OpenCV on a small canvas around one target; a box such as a screen parser would find is then cut
out by the same function that the classifier uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from core.geometry import Box
from core.screen.icons import SIDE, crop

Colour = np.ndarray
"""RGB, float32 [3], 0..255."""


@dataclass
class Texts:
    """Masks of written fragments, uint8 [height, width], drawn once: short ones (letters, initials) and words."""

    short: list[np.ndarray]
    words: list[np.ndarray]


def _letters(script: str) -> str:
    ranges = {
        "latin": "abcdefghjkmnprstuvwyzCDEFGJKLMNPRVWYZ123456789",
        "cyrillic": "бвгджзийлпфцчшщъыьэюяБГДЖЗИЛПФЦЧШЩЪЫЭЮЯ",
        "arabic": "بتثجحخدذرزسشصضطظعغفقكلمنهوي",
        "japanese": "あいうえおかきくけこさしすせそたちつてとアイウエオカキクケコ日本語中国大学生年月時分人名前気車",
    }
    return ranges[script]


def write_texts(
    fonts: Sequence[tuple[Path, str]], words: Sequence[str], rng: np.random.Generator, count: int = 4000
) -> Texts:
    """Fragments of text in these fonts, each with its script. Letters that are icons (B for bold) never stand alone."""
    loaded = [(ImageFont.truetype(str(path), 28), script) for path, script in fonts]

    def draw(font: ImageFont.FreeTypeFont, text: str) -> np.ndarray | None:
        left, top, right, bottom = font.getbbox(text)
        if right - left < 2 or bottom - top < 2:
            return None
        picture = Image.new("L", (int(right - left) + 4, int(bottom - top) + 4))
        ImageDraw.Draw(picture).text((2 - left, 2 - top), text, fill=255, font=font)
        return np.asarray(picture)

    def word(script: str) -> str:
        if script != "latin":
            return "".join(rng.choice(list(_letters(script)), rng.integers(3, 9)))
        text = str(rng.choice(words))
        style = rng.integers(5)
        if style == 3:
            return f"{rng.integers(100, 100000)}"
        return (text, text.upper(), text.title(), "", text + " " + str(rng.choice(words)))[style]

    short, long = [], []
    for index in range(count):
        font, script = loaded[rng.integers(len(loaded))]
        if index % 4 == 0:
            short.append(draw(font, "".join(rng.choice(list(_letters(script)), rng.integers(1, 3)))))
        else:
            long.append(draw(font, word(script)))
    return Texts([mask for mask in short if mask is not None], [mask for mask in long if mask is not None])


class Scenes:
    """Draws pictures, uint8 RGB [SIDE, SIDE, 3]: ``icon(drawing)`` of a shape, ``nothing()`` of what is no icon.

    A drawing is ink, uint8 [side, side], or a picture in its own colours, RGBA [side, side, 4].
    """

    def __init__(self, texts: Texts, neighbours: Sequence[np.ndarray], logos: Sequence[np.ndarray], seed: int) -> None:
        self.texts, self.logos = texts, logos
        self.neighbours = {dimensions: [one for one in neighbours if one.ndim == dimensions] for dimensions in (2, 3)}
        self.rng = np.random.default_rng(seed)

    def icon(self, drawing: np.ndarray) -> np.ndarray:
        rng = self.rng
        coloured = drawing.ndim == 3
        size = int(np.exp(rng.uniform(np.log(11), np.log(50))))
        if coloured and rng.random() < 0.4:
            # desktop toolbars show icons at the size they were drawn for
            size = len(drawing) if len(drawing) <= 32 else int(rng.choice((16, 24, 32)))
        ink, colours = self._sized(drawing, size)
        ys, xs = np.nonzero(ink > 50)
        if len(ys) < 4:
            ys, xs = np.nonzero(ink >= 0)
        part = slice(ys.min(), ys.max() + 1), slice(xs.min(), xs.max() + 1)
        ink = ink[part]
        height, width = ink.shape
        pad = max(8, int(size * 0.75))
        canvas, back = self._background(height + 2 * pad, width + 2 * pad, light=coloured and rng.random() < 0.7)
        target = Box(pad, pad, pad + width, pad + height)
        if rng.random() < 0.35:
            back, tile = self._tile(canvas, target, size)
            # the parser finds the button as often as the icon on it
            if rng.random() < 0.5:
                target = tile
        elif rng.random() < 0.45:
            right = self._neighbour(canvas, target, size, back, self.neighbours[drawing.ndim])
            if right is not None and rng.random() < 0.6:
                target = Box(target.x1, target.y1, right, target.y2)
        if colours is None:
            fore = self._contrasting(back, 22 if rng.random() < 0.1 else 50)
        else:
            fore = colours[part]
            weights = ink + 1e-3
            if np.average(np.abs(fore - back).mean(2), weights=weights) < 25:
                canvas[:] = 250 if np.average(fore.mean(2), weights=weights) < 140 else 40
        self._paint(canvas, ink, pad, pad, fore, rng.uniform(0.55, 1.0) if rng.random() < 0.15 else 1.0)
        if rng.random() < 0.05:
            self._badge(canvas, pad + width, pad, size)
        return self._finish(canvas, self._found(target))

    def nothing(self) -> np.ndarray:
        rng = self.rng
        choice = rng.random()
        if choice < 0.50:
            return self._text()
        if choice < 0.62:
            return self._photo()
        if choice < 0.72:
            return self._avatar()
        if choice < 0.87:
            return self._plain()
        return self._logo()

    # -- what is no icon

    def _text(self) -> np.ndarray:
        rng = self.rng
        short = rng.random() < 0.2
        pool = self.texts.short if short else self.texts.words
        mask = pool[rng.integers(len(pool))]
        if not short and rng.random() < 0.35:
            start = rng.integers(0, max(1, mask.shape[1] // 2))
            mask = mask[:, start : start + rng.integers(12, 12 + mask.shape[1])]
        scale = np.exp(rng.uniform(np.log(9), np.log(40))) / max(mask.shape[0], 20)
        size = max(3, round(mask.shape[1] * scale)), max(4, round(mask.shape[0] * scale))
        ink = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
        pad = 10
        canvas, back = self._background(size[1] + 2 * pad, size[0] + 2 * pad)
        self._paint(canvas, ink, pad, pad, self._contrasting(back, 40), 1.0)
        if rng.random() < 0.2:
            self._paint(canvas, ink, pad, pad + size[1] + 3, self._contrasting(back, 40), 1.0)
        return self._finish(canvas, self._found(Box(pad, pad, pad + size[0], pad + size[1])))

    def _photo(self) -> np.ndarray:
        rng = self.rng
        side = int(rng.integers(24, 90))
        canvas = np.zeros((side, side, 3), np.float32)
        for cells in (2, 4, 8, 16):
            noise = rng.normal(0, 90 / cells**0.5, (cells, cells, 3)).astype(np.float32)
            noise = noise * 0.4 + noise.mean(2, keepdims=True) * 0.9
            canvas += cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)
        canvas += rng.uniform(40, 200, 3)
        for _ in range(rng.integers(0, 4)):
            centre = tuple(int(value) for value in rng.integers(0, side, 2))
            axes = tuple(int(value) for value in rng.integers(3, side // 2, 2))
            colour = tuple(float(value) for value in rng.uniform(0, 255, 3))
            cv2.ellipse(canvas, centre, axes, int(rng.integers(180)), 0, 360, colour, -1, cv2.LINE_AA)
        canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.4, 2.0))
        canvas += rng.normal(0, rng.uniform(1, 8), canvas.shape)
        return self._finish(canvas.astype(np.float32), Box(2, 2, side - 2, side - 2))

    def _avatar(self) -> np.ndarray:
        rng = self.rng
        side = int(rng.integers(18, 64))
        canvas, back = self._background(side + 16, side + 16)
        colour = self._contrasting(back, 40)
        self._rounded(canvas, Box(8, 8, 8 + side, 8 + side), side / 2 if rng.random() < 0.7 else side * 0.2, colour)
        mask = self.texts.short[rng.integers(len(self.texts.short))]
        scale = side * rng.uniform(0.35, 0.6) / max(mask.shape)
        size = max(3, round(mask.shape[1] * scale)), max(3, round(mask.shape[0] * scale))
        ink = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
        left, top = 8 + (side - size[0]) // 2, 8 + (side - size[1]) // 2
        self._paint(canvas, ink, left, top, self._contrasting(colour, 60), 1.0)
        return self._finish(canvas, self._found(Box(8, 8, 8 + side, 8 + side)))

    def _plain(self) -> np.ndarray:
        """Empty areas, gradients, lines, edges and corners of boxes, and wide empty boxes."""
        rng = self.rng
        height, width = int(rng.integers(12, 70)), int(rng.integers(12, 70))
        canvas, back = self._background(height, width)
        kind, colour = rng.integers(4), tuple(float(value) for value in self._contrasting(back, 15))
        thick = int(rng.integers(1, 3))
        if kind == 1:
            place = int(rng.uniform(0.1, 0.9) * width)
            cv2.line(canvas, (place, 0), (place, height), colour, thick)
        elif kind == 2:
            corner = int(rng.uniform(0.1, 0.9) * width), int(rng.uniform(0.1, 0.9) * height)
            far = corner[0] + 3 * width * int(rng.choice((-1, 1))), corner[1] + 3 * height * int(rng.choice((-1, 1)))
            cv2.rectangle(canvas, corner, far, colour, thick if rng.random() < 0.6 else -1)
        elif kind == 3:
            box_width = int(min(height, width) * rng.uniform(2.2, 5))
            canvas, back = self._background(min(height, width) + 12, box_width + 12)
            tile = Box(6, 6, 6 + box_width, 6 + min(height, width))
            colour = self._contrasting(back, 15)
            self._rounded(canvas, tile, rng.uniform(0, 0.5) * tile.height, colour, rng.random() < 0.5, back)
            return self._finish(canvas, self._found(tile))
        return self._finish(canvas, Box(1, 1, width - 1, height - 1))

    def _logo(self) -> np.ndarray:
        rng = self.rng
        ink, colours = self._sized(self.logos[rng.integers(len(self.logos))], int(rng.integers(16, 56)))
        size = ink.shape[0]
        canvas, back = self._background(size * 2, size * 2)
        target = Box(size // 2, size // 2, size // 2 + size, size // 2 + size)
        if rng.random() < 0.7:
            back, target = self._tile(canvas, target, size)
        fore = self._contrasting(back, 60) if colours is None else colours
        self._paint(canvas, ink, size // 2, size // 2, fore, 1.0)
        return self._finish(canvas, self._found(target))

    # -- parts of a screen

    def _sized(self, drawing: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray | None]:
        """The drawing at this size as ink and its colours, float32 [size, size, 3], where it has its own.

        Now and then with bolder strokes, or in other colours: disabled ones are grey, and themes choose their own.
        """
        rng = self.rng
        way = cv2.INTER_AREA if size < len(drawing) else cv2.INTER_LINEAR if rng.random() < 0.7 else cv2.INTER_NEAREST
        if drawing.ndim == 2:
            if rng.random() < 0.15:
                drawing = cv2.dilate(drawing, np.ones((3, 3), np.uint8))
            return cv2.resize(drawing, (size, size), interpolation=way), None
        alpha = drawing[..., 3:].astype(np.float32)
        # transparent pixels have no colour to mix in
        mixed = cv2.resize(np.dstack([drawing[..., :3] * (alpha / 255), alpha]), (size, size), interpolation=way)
        colours = mixed[..., :3] / np.maximum(mixed[..., 3:] / 255, 1e-3)
        choice = rng.random()
        if choice < 0.08:
            colours = np.repeat(colours @ np.float32((0.299, 0.587, 0.114))[:, None], 3, axis=2)
            colours += rng.uniform(0, 0.5) * (190 - colours)
        elif choice < 0.2:
            hue = cv2.cvtColor(colours.clip(0, 255).astype(np.uint8), cv2.COLOR_RGB2HSV)
            hue[..., 0] = (hue[..., 0].astype(int) + rng.integers(180)) % 180
            colours = cv2.cvtColor(hue, cv2.COLOR_HSV2RGB).astype(np.float32)
        elif choice < 0.4:
            colours = 128 + (colours - 128) * rng.uniform(0.7, 1.2) + rng.uniform(-20, 20)
        return mixed[..., 3].round().clip(0, 255).astype(np.uint8), colours.clip(0, 255).astype(np.float32)

    def _background(self, height: int, width: int, light: bool = False) -> tuple[np.ndarray, Colour]:
        """A canvas, float32 RGB [height, width, 3], and the colour at its middle."""
        rng = self.rng
        choice = rng.random()
        if light:
            colour = rng.uniform(205, 255) + rng.uniform(-8, 8, 3)
        elif choice < 0.35:
            colour = rng.uniform(235, 255) * np.ones(3)
        elif choice < 0.6:
            colour = rng.uniform(10, 60) + rng.uniform(-8, 8, 3)
        else:
            colour = rng.uniform(0, 255, 3)
        colour = colour.clip(0, 255).astype(np.float32)
        canvas = np.empty((height, width, 3), np.float32)
        canvas[:] = colour
        if rng.random() < 0.12:
            ramp = np.linspace(-1, 1, height if rng.random() < 0.5 else width, dtype=np.float32)
            ramp = ramp[:, None, None] if len(ramp) == height else ramp[None, :, None]
            canvas += ramp * rng.uniform(-40, 40, 3).astype(np.float32)
        return canvas, colour

    def _contrasting(self, back: Colour, least: float) -> Colour:
        """A colour that differs from this one by at least so much in lightness; mostly near black or near white."""
        rng = self.rng
        light = float(back @ np.float32((0.299, 0.587, 0.114)))
        if rng.random() < 0.6:
            grey = rng.uniform(0, max(1, light - least)) if light > 128 else rng.uniform(min(254, light + least), 255)
            return np.full(3, grey, np.float32)
        for _ in range(6):
            colour = rng.uniform(0, 255, 3).astype(np.float32)
            if abs(float(colour @ np.float32((0.299, 0.587, 0.114))) - light) > least:
                return colour
        return np.full(3, 0 if light > 128 else 255, np.float32)

    def _paint(
        self, canvas: np.ndarray, ink: np.ndarray, left: int, top: int, colour: np.ndarray, strength: float
    ) -> None:
        """Lays ink of one colour, or of a colour for each pixel, on the canvas; what falls off it is cut."""
        bottom, right = max(0, top + ink.shape[0]), max(0, left + ink.shape[1])
        part = canvas[max(0, top) : bottom, max(0, left) : right]
        ink = ink[max(0, -top) :, max(0, -left) :][: part.shape[0], : part.shape[1]]
        if colour.ndim == 3:
            colour = colour[max(0, -top) :, max(0, -left) :][: part.shape[0], : part.shape[1]]
        alpha = (ink.astype(np.float32) * (strength / 255))[..., None]
        part += alpha * (colour - part)

    def _rounded(
        self,
        canvas: np.ndarray,
        box: Box,
        radius: float,
        colour: Colour,
        outline: bool = False,
        inside: Colour | None = None,
    ) -> None:
        """A rounded rectangle, filled or as an outline around ``inside``."""
        x1, y1, x2, y2 = box.as_ints()
        radius = int(min(radius, (x2 - x1) / 2, (y2 - y1) / 2))
        mask = np.zeros((y2 - y1, x2 - x1), np.uint8)

        def fill(inset: int, value: int) -> None:
            corner = max(0, radius - inset)
            left, top, right, bottom = inset, inset, x2 - x1 - 1 - inset, y2 - y1 - 1 - inset
            if right <= left or bottom <= top:
                return
            cv2.rectangle(mask, (left + corner, top), (right - corner, bottom), value, -1)
            cv2.rectangle(mask, (left, top + corner), (right, bottom - corner), value, -1)
            for x in (left + corner, right - corner):
                for y in (top + corner, bottom - corner):
                    cv2.circle(mask, (x, y), corner, value, -1, cv2.LINE_AA)

        fill(0, 255)
        self._paint(canvas, mask, x1, y1, colour, 1.0)
        if outline and inside is not None:
            mask[:] = 0
            fill(int(self.rng.integers(1, 3)), 255)
            self._paint(canvas, mask, x1, y1, inside, 1.0)

    def _tile(self, canvas: np.ndarray, target: Box, size: int) -> tuple[Colour, Box]:
        """A button, circle or app tile under the target: the colour on it, and its box."""
        rng = self.rng
        back = canvas[2, 2].copy()
        side = max(target.width, target.height) * rng.uniform(1.25, 2.2)
        wide = side * (rng.uniform(1.1, 1.6) if rng.random() < 0.15 else 1.0)
        centre = target.center
        tile = Box(centre.x - wide / 2, centre.y - side / 2, centre.x + wide / 2, centre.y + side / 2)
        tile = tile.clamp((canvas.shape[1], canvas.shape[0]))
        colour = self._contrasting(back, 12)
        radius = side / 2 if rng.random() < 0.4 else side * rng.uniform(0.0, 0.35)
        outline = rng.random() < 0.3
        self._rounded(canvas, tile, radius, colour, outline, back)
        if not outline and rng.random() < 0.25:
            x1, y1, x2, y2 = tile.as_ints()
            ramp = np.linspace(-1, 1, max(1, y2 - y1), dtype=np.float32)[: canvas[y1:y2].shape[0], None, None]
            canvas[y1:y2, x1:x2] += ramp * rng.uniform(-30, 30, 3).astype(np.float32)
        return (back if outline else colour), tile

    def _neighbour(
        self, canvas: np.ndarray, target: Box, size: int, back: Colour, icons: Sequence[np.ndarray]
    ) -> int | None:
        """Text, another icon or a line close by, which a careless box may take in; the right end of a split button."""
        rng = self.rng
        gap = int(size * rng.uniform(0.12, 0.7)) + 1
        colour = self._contrasting(back, 40)
        x1, y1, x2, y2 = target.as_ints()
        kind = rng.random()
        if kind < 0.55:
            mask = self.texts.words[rng.integers(len(self.texts.words))]
            tall = max(5, int(size * rng.uniform(0.4, 0.9)))
            width = max(4, round(mask.shape[1] * tall / mask.shape[0]))
            ink = cv2.resize(mask, (width, tall), interpolation=cv2.INTER_AREA)
            place = rng.random()
            if place < 0.6:
                self._paint(canvas, ink, x2 + gap, (y1 + y2 - tall) // 2, colour, 1.0)
            elif place < 0.75:
                self._paint(canvas, ink, x1 - gap - width, (y1 + y2 - tall) // 2, colour, 1.0)
            else:
                self._paint(canvas, ink, (x1 + x2 - width) // 2, y2 + gap, colour, 1.0)
        elif kind < 0.65:
            # the little arrow of a split button, often in the box with the icon
            arm = max(1, int(size * rng.uniform(0.1, 0.2)))
            left, middle = x2 + max(2, gap // 2), (y1 + y2) // 2
            corners = np.array([(left, middle), (left + arm, middle + arm), (left + 2 * arm, middle)], np.int32)
            cv2.polylines(canvas, [corners], False, tuple(float(value) for value in colour), 1, cv2.LINE_AA)
            return left + 2 * arm + 1
        elif kind < 0.85:
            ink, colours = self._sized(icons[rng.integers(len(icons))], size)
            left = x2 + gap if rng.random() < 0.5 else x1 - gap - size
            self._paint(canvas, ink, left, (y1 + y2 - size) // 2, colour if colours is None else colours, 1.0)
        elif rng.random() < 0.5:
            place = x2 + gap if rng.random() < 0.5 else x1 - gap
            cv2.line(canvas, (place, 0), (place, canvas.shape[0]), tuple(float(value) for value in colour), 1)
        else:
            place = y2 + gap if rng.random() < 0.5 else y1 - gap
            cv2.line(canvas, (0, place), (canvas.shape[1], place), tuple(float(value) for value in colour), 1)
        return None

    def _badge(self, canvas: np.ndarray, x: int, y: int, size: int) -> None:
        colour = (
            (235.0, 50.0, 50.0) if self.rng.random() < 0.7 else tuple(float(c) for c in self.rng.uniform(0, 255, 3))
        )
        radius = max(2, int(size * self.rng.uniform(0.12, 0.24)))
        cv2.circle(canvas, (x - radius // 2, y + radius // 2), radius, colour, -1, cv2.LINE_AA)

    def _found(self, target: Box) -> Box:
        """The box as a parser might find it: mostly tight or a little loose, at times far too wide or cutting in."""
        rng = self.rng
        side = max(target.width, target.height)
        if rng.random() < 0.5:
            left, top, right, bottom = rng.uniform(-0.04, 0.1, 4) * side
        else:
            left, top, right, bottom = np.full(4, rng.uniform(0, 0.3)) * side + rng.uniform(-0.04, 0.12, 4) * side
        return Box(target.x1 - left, target.y1 - top, target.x2 + right, target.y2 + bottom)

    def _finish(self, canvas: np.ndarray, box: Box) -> np.ndarray:
        """The crop, after what screens, scaling and compression do to a picture."""
        rng = self.rng
        if rng.random() < 0.3:
            scale = rng.uniform(0.6, 1.8)
            size = max(8, round(canvas.shape[1] * scale)), max(8, round(canvas.shape[0] * scale))
            box = box.scale(size[0] / canvas.shape[1], size[1] / canvas.shape[0])
            canvas = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        if rng.random() < 0.1:
            canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.3, 0.9))
        if rng.random() < 0.1:
            canvas = canvas + rng.normal(0, rng.uniform(1, 6), canvas.shape).astype(np.float32)
        pixels = canvas.clip(0, 255).astype(np.uint8)
        if rng.random() < 0.25:
            _, data = cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 95))))
            pixels = cv2.imdecode(data, cv2.IMREAD_COLOR)
        picture = crop(pixels, box)
        return picture if picture is not None else np.zeros((SIDE, SIDE, 3), np.uint8)
