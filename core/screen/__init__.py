"""Screenshot -> Screen(elements)."""

from core.screen.elements import Element, IconGuess, Kind, ParseOptions, Parser, Screen, Word

__all__ = ["Element", "IconGuess", "Kind", "ParseOptions", "Parser", "Screen", "Word"]
