"""How fast the game goes on this machine: python -m apps.gaming_agent.bench [--model]

Prints, in one run: the page's start, a move from picture to move, and the moves a second that a browser sees at the
page's highest speed. The last needs Chromium and tests/requirements.txt; without them it is left out.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import time
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

from apps.gaming_agent.agent import Episode, GameSettings, GamingAgent
from apps.gaming_agent.play import add_model_argument
from core.errors import UserError
from core.started import started

if TYPE_CHECKING:
    from playwright.sync_api import Page

MOVES = 60


def seconds_a_move(agent: GamingAgent) -> float:
    """The median, after a few moves to get warm."""
    episode = Episode(GameSettings(), "model")
    return median([agent.step(episode).seconds for _ in range(5 + MOVES)][5:])


def moves_a_second(url: str) -> float | None:
    """As the page shows them, at its highest speed; None where there is no browser. Raises UserError where the page
    does not play."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        return None
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        except Error:
            return None
        try:
            return _watched(browser.new_page(), url)
        except Error as error:
            raise UserError(f"The page does not play: {error}") from error
        finally:
            browser.close()


def _watched(page: Page, url: str) -> float:
    steps = "JSON.parse(sessionStorage.getItem('gaming-agent') ?? '{\"replies\": []}').replies.length"

    def wait_for(number: int) -> tuple[float, int]:
        page.wait_for_function(f"{steps} >= {number}", timeout=60_000)
        return time.perf_counter(), page.evaluate(steps)

    page.goto(url)
    page.locator("#start:enabled").wait_for(timeout=60_000)
    speed = page.locator("#speed input[type=number]")
    page.wait_for_timeout(1000)  # what was only just shown may still take its first value
    speed.fill("20")
    speed.blur()
    page.wait_for_timeout(500)
    page.click("#start")
    began, first = wait_for(5)
    ended, last = wait_for(first + MOVES)
    return (last - first) / (ended - began)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m apps.gaming_agent.bench", description=__doc__.splitlines()[0])
    add_model_argument(parser)
    given = parser.parse_args(arguments)
    agent = GamingAgent(given.model)
    try:
        agent.load()
        with started("apps/gaming_agent/app.py", "--model", given.model) as (url, start):
            rate = moves_a_second(url)
        move = seconds_a_move(agent)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(agent.note, f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}", "", sep="\n")
    print("| game of 10 x 10 | |", "| --- | ---: |", sep="\n")
    print(f"| page ready after the command, seconds | {start:.2f} |")
    print(f"| from picture to move, milliseconds, median of {MOVES} | {1000 * move:.0f} |")
    print(f"| moves a second on the page | {'no browser here' if rate is None else f'{rate:.1f}'} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
