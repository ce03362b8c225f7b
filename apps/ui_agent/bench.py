"""Seconds and memory of the UI agent on this machine: python -m apps.ui_agent.bench [SCREENSHOT] [--model --parser]

Prints, in one run: the page's start, the first click with everything still to load, clicks on screenshots not seen
before, clicks on a screenshot already parsed, and the process's peak memory.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import sys
from collections.abc import Sequence

from PIL import Image

from apps.ui_agent.agent import Step, UIAgent
from apps.ui_agent.run import add_model_arguments
from core.errors import UserError
from core.generators import finish
from core.images import open_image
from core.started import ROOT, started

SCREENSHOT = ROOT / "assets" / "examples" / "ui" / "writer.png"
INSTRUCTIONS = ("Make the text bold", "Open the Insert menu", "Save the document", "Search for a word", "Click OK")
SIZE = (1920, 1080)


def unseen(screenshot: Image.Image, number: int) -> Image.Image:
    """The same screen with one pixel changed, which the agent has to parse anew."""
    changed = screenshot.copy()
    changed.putpixel((number, 0), (number, number, number))
    return changed


def row(name: str, steps: Sequence[Step]) -> str:
    """The median total of the steps, and the median of every stage."""
    stages = {stage: statistics.median(step.seconds.get(stage, 0.0) for step in steps) for stage in steps[-1].seconds}
    total = stages.pop("total")
    return f"| {name} | {total:.2f} | {', '.join(f'{stage} {seconds:.2f}' for stage, seconds in stages.items())} |"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m apps.ui_agent.bench", description=__doc__.splitlines()[0])
    parser.add_argument("screenshot", nargs="?", default=str(SCREENSHOT), help="scaled to 1920 x 1080")
    parser.add_argument("--repeats", type=int, default=5, help="times every case is run (default: %(default)s)")
    add_model_arguments(parser)
    given = parser.parse_args(arguments)
    try:
        with started("apps/ui_agent/app.py") as (_, start):
            pass
        screenshot = open_image(given.screenshot).resize(SIZE, Image.Resampling.LANCZOS)
        agent = UIAgent(given.model, given.parser)
        first = [finish(agent.act(screenshot, INSTRUCTIONS[0]))]
        anew = [finish(agent.act(unseen(screenshot, n + 1), INSTRUCTIONS[0])) for n in range(given.repeats)]
        again = [
            finish(agent.act(screenshot, f"{text} {n or ''}")) for n in range(given.repeats) for text in INSTRUCTIONS
        ]
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    print(
        *agent.notes, f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}", "", sep="\n"
    )
    print("| 1920 x 1080 screenshot, median | seconds | stages |", "| --- | ---: | --- |", sep="\n")
    print(f"| page ready after the command | {start:.2f} | |")
    print(row("first click, models still to load", first))
    print(row("click on a new screenshot", anew))
    print(row("further instruction on a parsed screenshot", again))
    print(f"\nPeak memory: {peak / 1e9:.2f} GB, {len(anew[-1].screen.elements)} elements on the screen.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
