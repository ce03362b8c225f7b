"""Screenshot -> Screen(elements)."""

from core.screen.elements import Element, IconGuess, Kind, Screen

__all__ = ["Element", "IconGuess", "Kind", "Screen"]
