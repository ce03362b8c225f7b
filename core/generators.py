"""Generators that report as they work: run to the end, timed by stage, or passed on."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from typing import TypeVar

Report = TypeVar("Report")
Renamed = TypeVar("Renamed")
Result = TypeVar("Result")


def finish(
    work: Generator[Report, None, Result], on_report: Callable[[Report], object] = lambda report: None
) -> Result:
    """Run to the end and give the returned value; ``on_report`` hears what is yielded."""
    while True:
        try:
            report = next(work)
        except StopIteration as stop:
            return stop.value
        on_report(report)


def passing_on(
    work: Generator[Report, None, Result], rename: Callable[[Report], Renamed]
) -> Generator[Renamed, None, Result]:
    """``yield from`` with every report renamed; closing this closes ``work``."""
    with closing(work):
        while True:
            try:
                report = next(work)
            except StopIteration as stop:
                return stop.value
            yield rename(report)


def so_far(stage: str) -> Callable[[str], str]:
    """For ``passing_on``: names the stage with the text up to now; what precedes the colon stays the same."""
    pieces: list[str] = []

    def name(piece: str) -> str:
        pieces.append(piece)
        return f"{stage}: {''.join(pieces)}"

    return name


class StageClock:
    """Seconds by stage, in order; a stage ends when the next begins, and beginning one again adds to its time."""

    def __init__(self) -> None:
        self._started = self._stage_started = time.perf_counter()
        self._stage: str | None = None
        self._seconds: dict[str, float] = {}

    def begin(self, stage: str) -> str:
        """Gives the stage's name back, for ``yield clock.begin("reading text")``."""
        self._end()
        self._stage = stage
        self._seconds.setdefault(stage, 0.0)
        return stage

    def stop(self) -> dict[str, float]:
        """Every stage's seconds, and "total"."""
        self._end()
        self._stage = None
        return self._seconds | {"total": time.perf_counter() - self._started}

    def _end(self) -> None:
        now = time.perf_counter()
        if self._stage is not None:
            self._seconds[self._stage] += now - self._stage_started
        self._stage_started = now
