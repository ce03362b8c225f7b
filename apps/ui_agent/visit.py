"""What one visitor has done on the page."""

from __future__ import annotations

from dataclasses import dataclass

from apps.ui_agent.agent import Step

HISTORY = 24
"""Steps that a visitor can go back to."""


@dataclass(frozen=True)
class Entry:
    """A step, and the paths of its screenshot and of a small picture of its result, which stay on disk."""

    image: str
    step: Step
    thumbnail: str


@dataclass(frozen=True)
class Visit:
    """``shown`` indexes the entry on the page; ``inspected`` is a mark of it."""

    entries: tuple[Entry, ...] = ()
    shown: int | None = None
    inspected: int | None = None

    @property
    def entry(self) -> Entry | None:
        return None if self.shown is None else self.entries[self.shown]

    def add(self, entry: Entry) -> Visit:
        entries = (*self.entries, entry)[-HISTORY:]
        return Visit(entries, len(entries) - 1)
