"""What parsing a screenshot yields."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from core.geometry import Box, Size

Kind = Literal["text", "button", "icon", "field", "checkbox", "toggle", "image"]


@dataclass(frozen=True)
class IconGuess:
    """What an icon shows: a name ("search", "arrow left") or a caption, and the probability of that, 0..1."""

    name: str
    probability: float


@dataclass(frozen=True)
class Element:
    """One thing on the screen.

    ``id`` is its mark: 1, 2, 3 ... in reading order. ``box`` is in pixels of the screenshot. ``text`` is what stands on
    it, empty where nothing does. ``icons`` are guesses of what its icon shows, best first, empty where it has none.
    ``confidence`` is 0..1, the detector's or the recogniser's.
    """

    id: int
    box: Box
    kind: Kind
    text: str = ""
    clickable: bool = False
    icons: tuple[IconGuess, ...] = ()
    confidence: float = 1.0


@dataclass(frozen=True)
class Screen:
    """A parsed screenshot: its size, its elements in reading order, who parsed it and the seconds of each stage."""

    size: Size
    elements: tuple[Element, ...]
    parser: str
    seconds: dict[str, float] = field(default_factory=dict)

    def element(self, id: int) -> Element | None:
        """The element that bears this mark."""
        return next((element for element in self.elements if element.id == id), None)
