"""The parser that ships: text by OCR, controls by OpenCV, icon names by our own classifier. No GPU, no download."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import cv2
import numpy as np
from PIL import Image

from core.screen.controls import find_controls
from core.screen.elements import Element, ParseOptions, Screen
from core.screen.merge import merge, number
from core.screen.ocr import SURE, TextReader
from core.screen.stages import Stopwatch, under

BOX_THRESHOLD = 0.3
IOU_THRESHOLD = 0.7
IMAGE_SIDE = 1920


class EmbeddedParser:
    """Implements core.screen.elements.Parser. One instance serves every visitor."""

    name = "embedded"

    def __init__(self) -> None:
        self._reader = TextReader()

    def parse(self, image: Image.Image, options: ParseOptions = ParseOptions()) -> Generator[str, None, Screen]:
        """Yield the name of the stage under way, return the Screen. An unknown language is a UserError."""
        box_threshold = BOX_THRESHOLD if options.box_threshold is None else options.box_threshold
        iou_threshold = IOU_THRESHOLD if options.iou_threshold is None else options.iou_threshold
        side = options.image_side or IMAGE_SIDE
        pixels = np.asarray(image.convert("RGB"))
        watch = Stopwatch()

        yield watch.begin("reading text")
        read = yield from under("reading text", self._reader.read(pixels, side, options.language))
        symbols = [element for element in read if _symbol(element)]
        texts = [element for element in read if not _symbol(element) and element.confidence >= 0.5]

        yield watch.begin("finding controls")
        scale = min(1.0, side / max(image.size))
        small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else pixels
        back_x, back_y = image.width / small.shape[1], image.height / small.shape[0]
        controls = [
            replace(control, box=control.box.scale(back_x, back_y))
            for control in find_controls(small, [text.box.scale(1 / back_x, 1 / back_y) for text in texts])
        ]
        controls += [
            replace(symbol, kind="icon", text="", words=(), clickable=True)
            for symbol in symbols
            if not any(symbol.box.inside(control.box) > 0.5 for control in controls if control.kind == "icon")
        ]

        yield watch.begin("naming icons")

        yield watch.begin("merging")
        elements = [element for element in merge(texts, controls, iou_threshold) if element.confidence >= box_threshold]
        return Screen(image.size, number(elements), self.name, watch.end())


def _symbol(element: Element) -> bool:
    """Whether a text may be a misread icon: one or two doubtful characters on a squarish box."""
    squarish = element.box.height < 2.5 * element.box.width and element.box.width < 2.5 * element.box.height
    short = len(element.text) == 1 or (len(element.text) == 2 and element.confidence < 0.7)
    plain = element.confidence >= SURE and element.text.isascii() and element.text.isalnum()
    return short and squarish and not plain
