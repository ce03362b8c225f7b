"""The stages of a parse: what a generator reports while it works, and the seconds that each takes."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import TypeVar

Result = TypeVar("Result")


class Stopwatch:
    """Seconds by stage; a stage that comes back goes on."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._stage, self._since = "", 0.0

    def begin(self, stage: str) -> str:
        """End the stage under way and begin this one; gives the name back, to be yielded."""
        self.end()
        self._stage, self._since = stage, time.perf_counter()
        return stage

    def end(self) -> dict[str, float]:
        if self._stage:
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + time.perf_counter() - self._since
            self._stage = ""
        return self.seconds


def under(stage: str, work: Generator[None, None, Result]) -> Generator[str, None, Result]:
    """The same work, reporting the stage wherever it can be stopped."""
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value
        yield stage
