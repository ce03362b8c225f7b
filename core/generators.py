"""Running a generator that reports stages, for callers that only want its result."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

Result = TypeVar("Result")


def finish(stages: Generator[str, None, Result], on_stage: Callable[[str], None] | None = None) -> Result:
    """Run to the end and give the returned value; ``on_stage`` hears the name of each stage as it begins."""
    while True:
        try:
            stage = next(stages)
        except StopIteration as stop:
            return stop.value
        if on_stage is not None:
            on_stage(stage)
