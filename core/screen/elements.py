"""What parsing a screenshot yields."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Literal, Protocol

from PIL import Image

from core.errors import UserError
from core.geometry import Box, Point, Size

Kind = Literal["text", "button", "icon", "field", "checkbox", "toggle", "image"]


@dataclass(frozen=True)
class IconGuess:
    """What an icon shows: a name ("search", "arrow left") or a caption, and the probability of that, 0..1."""

    name: str
    probability: float


@dataclass(frozen=True)
class Word:
    """A word of a text and where it stands, in pixels of the screenshot."""

    text: str
    box: Box


@dataclass(frozen=True)
class Element:
    """One thing on the screen.

    ``id`` is its mark: 1, 2, 3 ... in reading order. ``box`` is in pixels of the screenshot. ``text`` is what stands on
    it, empty where nothing does. ``icons`` are guesses of what its icon shows, best first, empty where it has none.
    ``confidence`` is 0..1, the detector's or the recogniser's. ``words`` locate the parts of ``text`` in reading order,
    so that a link inside a line can be clicked.
    """

    id: int
    box: Box
    kind: Kind
    text: str = ""
    clickable: bool = False
    icons: tuple[IconGuess, ...] = ()
    confidence: float = 1.0
    words: tuple[Word, ...] = ()


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True)
class ParseOptions:
    """What a person may set. ``None`` takes the parser's own default.

    ``box_threshold``: elements less confident than this (0..1) are left out. ``iou_threshold``: of two boxes that
    overlap by more than this (0..1), one is kept. ``image_side``: the longer side, in pixels, at which the models look
    at the screenshot. ``language``: what the text recogniser reads.
    """

    box_threshold: float | None = None
    iou_threshold: float | None = None
    image_side: int | None = None
    language: str | None = None

    def __post_init__(self) -> None:
        """Raises UserError for what is no share, no count of pixels or no name: these values come from visitors."""
        for name in ("box_threshold", "iou_threshold"):
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and 0 <= value <= 1):
                raise UserError(f"The {name.replace('_', ' ')} must be a number from 0 to 1, not {value!r}.")
        if self.image_side is not None and not (
            _is_number(self.image_side) and self.image_side == int(self.image_side)
        ):
            raise UserError(f"The image side must be a whole number of pixels, not {self.image_side!r}.")
        if self.language is not None and not isinstance(self.language, str):
            raise UserError(f"The language must be a name, not {self.language!r}.")


@dataclass(frozen=True)
class Screen:
    """A parsed screenshot: its size, its elements in reading order, who parsed it, the seconds of each stage, and the
    panels that hold elements which belong together, in pixels of the screenshot."""

    size: Size
    elements: tuple[Element, ...]
    parser: str
    seconds: dict[str, float] = field(default_factory=dict)
    panels: tuple[Box, ...] = ()

    def element(self, id: int) -> Element | None:
        """The element that bears this mark."""
        return next((element for element in self.elements if element.id == id), None)

    def at(self, point: Point) -> Element | None:
        """The smallest element that holds the point."""
        holding = [element for element in self.elements if element.box.contains(point)]
        return min(holding, key=lambda element: element.box.area, default=None)


class Parser(Protocol):
    """Turns screenshots into screens.

    ``parse`` is a generator, because a page can only stop generators: it yields the name of each stage as it begins it
    ("reading text", "finding controls", ...), often enough that a stop takes effect within about a second, and returns
    the Screen. ``image`` is RGB.
    """

    name: str

    def parse(self, image: Image.Image, options: ParseOptions = ParseOptions()) -> Generator[str, None, Screen]: ...
