"""The parser that ships: text by OCR, controls by OpenCV, icon names by our own classifier. No GPU, no download."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import replace

import cv2
import numpy as np
from PIL import Image

from core.screen.controls import find_controls
from core.screen.elements import Element, ParseOptions, Screen
from core.screen.merge import merge, number
from core.screen.ocr import SURE, TextReader

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
        clock = _Clock()

        yield clock.begin("reading text")
        reading = self._reader.read(pixels, side, options.language)
        read: list[Element] = []
        while True:
            try:
                next(reading)
            except StopIteration as stop:
                read = stop.value
                break
            yield "reading text"
        symbols = [element for element in read if _symbol(element)]
        texts = [element for element in read if not _symbol(element) and element.confidence >= 0.5]

        yield clock.begin("finding controls")
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

        yield clock.begin("naming icons")

        yield clock.begin("merging")
        elements = [element for element in merge(texts, controls, iou_threshold) if element.confidence >= box_threshold]
        return Screen(image.size, number(elements), self.name, clock.end())


def _symbol(element: Element) -> bool:
    """Whether a text may be a misread icon: one or two doubtful characters on a squarish box."""
    squarish = element.box.height < 2.5 * element.box.width and element.box.width < 2.5 * element.box.height
    plain = element.text.isascii() and element.text.isalnum()
    return len(element.text) <= 2 and squarish and (element.confidence < SURE or not plain)


class _Clock:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._stage, self._start = "", 0.0

    def begin(self, stage: str) -> str:
        self.end()
        self._stage, self._start = stage, time.perf_counter()
        return stage

    def end(self) -> dict[str, float]:
        if self._stage:
            self.seconds[self._stage] = time.perf_counter() - self._start
        return self.seconds
