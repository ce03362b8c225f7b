"""The parser that ships: text by OCR, controls by OpenCV, icon names by our own classifier. No GPU, no download."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import cv2
import numpy as np
from PIL import Image

from core.errors import UserError
from core.generators import StageClock, passing_on
from core.geometry import Size
from core.screen.controls import find_controls
from core.screen.elements import Element, IconGuess, ParseOptions, Screen
from core.screen.icons import IconClassifier
from core.screen.links import with_links
from core.screen.merge import merge, number, overlaps
from core.screen.ocr import TextReader
from core.screen.panels import find_panels
from core.screen.window_buttons import window_buttons

BOX_THRESHOLD = 0.3
IOU_THRESHOLD = 0.7
IMAGE_SIDE = 1920  # that of the most common screens: nothing is resampled there
SMALLEST_SIDE, LARGEST_SIDE = 64, 2560  # the text detector needs about 1 GB for 2560 x 1440 pixels
BATCH = 64  # icons named between two chances to stop
SURE_TEXT = 0.5  # what is read less surely is not taken for text
SURE = 0.7  # one or two characters read less surely are rather an icon
NARROW = 0.42  # letters are on average wider than this share of their height
LETTER = 0.3  # what was read on less than this share of a figure stands on it, rather than being it
TEXT_MARGIN = 0.15  # of the height of the ink
LABEL = 30  # characters; longer texts are rarely labels
LIKELY = 0.5  # the probability from which a figure is an icon though a character was read there
NO_NUMBER = 0.7  # likewise where a number was read
SHORT, SQUARISH = 3, 1.6  # so many characters in a box of such a shape may be a misread icon
SWITCHES = {"checkbox on": "checkbox", "radio on": "checkbox", "toggle on": "toggle", "toggle off": "toggle"}
NO_ICON = 0.5  # the confidence that is left of a figure that looks like no icon


class EmbeddedParser:
    """Implements core.screen.elements.Parser. One instance serves every visitor."""

    name = "embedded"

    def __init__(self) -> None:
        self._reader = TextReader()
        self._icons = IconClassifier.load()

    def parse(self, image: Image.Image, options: ParseOptions = ParseOptions()) -> Generator[str, None, Screen]:
        """Yield the name of the stage under way, return the Screen. Options that cannot be met are a UserError."""
        box_threshold = BOX_THRESHOLD if options.box_threshold is None else options.box_threshold
        iou_threshold = IOU_THRESHOLD if options.iou_threshold is None else options.iou_threshold
        side = IMAGE_SIDE if options.image_side is None else options.image_side
        if not SMALLEST_SIDE <= side <= LARGEST_SIDE:
            raise UserError(f"The image side must be {SMALLEST_SIDE} to {LARGEST_SIDE} pixels, not {side}.")
        pixels = np.asarray(image.convert("RGB"))
        clock = StageClock()

        yield clock.begin("reading text")
        read = yield from passing_on(self._reader.read(pixels, side, options.language), lambda _: "reading text")
        symbols = [element for element in read if _symbol(element)]
        texts = [element for element in read if not _symbol(element) and element.confidence >= SURE_TEXT]

        yield clock.begin("finding controls")
        scale = min(1.0, side / max(image.size))
        small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else pixels
        back_x, back_y = image.width / small.shape[1], image.height / small.shape[0]
        lines = [text.box.scale(1 / back_x, 1 / back_y) for text in texts]
        controls = [replace(control, box=control.box.scale(back_x, back_y)) for control in find_controls(small, lines)]
        panels = tuple(panel.scale(back_x, back_y) for panel in find_panels(small, lines))
        others = [control for control in controls if control.kind != "icon"]
        candidates, letters = _candidates([control for control in controls if control.kind == "icon"], symbols)

        named: list[Element] = []
        for start in range(0, len(candidates), BATCH):
            yield clock.begin("naming icons")
            batch = candidates[start : start + BATCH]
            guesses = self._icons.classify(image, [(figure or symbol).box for figure, symbol in batch])
            named += [_named(*pair, guess) for pair, guess in zip(batch, guesses, strict=True)]
        texts += [*letters, *(element for element in named if element.kind == "text")]
        icons = window_buttons(pixels, [element for element in named if element.kind == "icon"])
        controls = [*others, *(_switched(icon) for icon in icons)]

        yield clock.begin("merging")
        elements = [
            _framed(element, image.size) for element in with_links(pixels, merge(texts, controls, iou_threshold))
        ]
        elements = [element for element in elements if element.confidence >= box_threshold]
        return Screen(image.size, number(elements), self.name, clock.stop(), panels)


def _framed(element: Element, size: Size) -> Element:
    """A free text gets the margin that a pointer needs, and counts as clickable where it is as short as a label.

    A tile that shows a text and no icon is a button; a digit is no icon that it only faintly looks like.
    """
    if element.kind != "text":
        if element.text.isdigit() and element.icons and element.icons[0].probability < LIKELY:
            element = replace(element, icons=())
        kind = "button" if element.kind == "icon" and element.text and not element.icons else element.kind
        return replace(element, box=element.box.clamp(size), kind=kind)
    box = element.box.pad(max(2.0, TEXT_MARGIN * element.box.height)).clamp(size)
    return replace(element, box=box, clickable=len(element.text) <= LABEL and element.text[-1] not in ".:,;")


def _symbol(element: Element) -> bool:
    """Whether a text may be a misread icon: a lone character, two doubtful ones or few at all on a squarish box or one
    that is higher than wide, or several in less space than letters take."""
    count, width, height = len(element.text), element.box.width, element.box.height
    long, short = max(width, height), min(width, height)
    doubtful_pair = count == 2 and element.confidence < SURE and long < 2.5 * short
    few = count <= SHORT and element.text.isascii() and (long < SQUARISH * short or height > width)
    crowded = width < NARROW * count * height and element.text.isascii()
    return count == 1 or doubtful_pair or few or (crowded and long < 1.5 * short)


def _candidates(
    figures: list[Element], symbols: list[Element]
) -> tuple[list[tuple[Element | None, Element | None]], list[Element]]:
    """What may be an icon, as pairs of the figure and what was read there; and the letters on larger figures."""
    readings: dict[int, Element] = {}
    alone, letters = [], []
    inside = overlaps([symbol.box for symbol in symbols], [figure.box for figure in figures])
    for symbol, shares in zip(symbols, inside, strict=True):
        holder = min(np.flatnonzero(shares > 0.5), key=lambda i: figures[i].box.area, default=None)
        if holder is None:
            alone.append(symbol)
        elif symbol.box.area > LETTER * figures[holder].box.area:
            readings[int(holder)] = symbol
        elif symbol.confidence >= SURE:
            letters.append(symbol)
    pairs = [(figure, readings.get(i)) for i, figure in enumerate(figures)]
    return [*pairs, *((None, symbol) for symbol in alone)], letters


def _switched(icon: Element) -> Element:
    """What looks like a box, a dot or a switch to be set is one."""
    best = icon.icons[0] if icon.icons else None
    kind = SWITCHES.get(best.name) if best is not None and best.probability >= LIKELY else None
    return icon if kind is None else replace(icon, kind=kind)


def _named(figure: Element | None, symbol: Element | None, guesses: tuple[IconGuess, ...]) -> Element:
    """Decide between the icon and the character that was read there.

    What is read surely is text, but a number not where its figure is surely an icon (a person reads as 8, three dots
    as 111), nor another lone character where it is likely one. Three characters need be read less surely. A letter
    keeps the guesses (B is bold), a word those that are likely. A figure that looks like no icon is less likely a
    control.
    """
    probability = guesses[0].probability if guesses else 0.0
    if symbol is not None and symbol.confidence >= (SURE if len(symbol.text) < SHORT else SURE_TEXT):
        if symbol.text.isdigit():
            if probability < NO_NUMBER:
                return replace(symbol, icons=())
        elif len(symbol.text) > 1:
            return replace(symbol, icons=guesses if probability >= LIKELY else ())
        elif not guesses or (symbol.text.isascii() and probability < LIKELY):
            return replace(symbol, icons=guesses)
    box = (figure or symbol).box
    confidence = figure.confidence if figure else symbol.confidence * NO_ICON
    confidence = max(confidence, guesses[0].probability) if guesses else confidence * NO_ICON
    return Element(0, box, "icon", clickable=True, icons=guesses, confidence=confidence)
