"""Make the README's pictures with the product itself: python assets/readme/make.py

Needs Chromium: the system's, or the one that "playwright install chromium" fetched.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __package__ in (None, ""):  # run as a script: the folder on the path is this one, not the repository
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, expect, sync_playwright

from core.started import ROOT, started

SLOW = 120_000
"""Milliseconds."""

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parent / "examples" / "ui"
FILM = (
    ("writer.png", "Make the text italic"),
    ("shop.png", "Add the Skerry pendant to the cart"),
    ("phone.png", "Open the map"),
    ("dialog.png", "Press Save"),
)


def film() -> None:
    """The clicks of FILM as a GIF, by the command line."""
    items = "".join(
        f'{{"id": "{n}", "image": "{EXAMPLES / image}", "instruction": "{text}"}}\n'
        for n, (image, text) in enumerate(FILM, 1)
    )
    batch, results = HERE / "items.jsonl", HERE / "results.jsonl"
    batch.write_text(items)
    command = [
        "-m",
        "apps.ui_agent.run",
        "--batch",
        str(batch),
        "--out",
        str(results),
        "--film",
        str(HERE / "film.gif"),
    ]
    try:
        subprocess.run([sys.executable, *command], cwd=ROOT, check=True)
    finally:
        batch.unlink(missing_ok=True)
        results.unlink(missing_ok=True)


@contextmanager
def visitor_of(app: str, height: int) -> Iterator[Page]:
    """A browser on the page of this app, served by its command."""
    with started(f"apps/{app}/app.py") as (url, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        visitor = browser.new_page(viewport={"width": 1440, "height": height}, device_scale_factor=1)
        visitor.goto(url)
        yield visitor
        visitor.wait_for_timeout(1500)
        visitor.screenshot(path=HERE / f"{app}.png")
        browser.close()


def ui_agent() -> None:
    """A click on the first example."""
    with visitor_of("ui_agent", 1180) as visitor:
        expect(visitor.locator("#notes")).to_contain_text("Parser:", timeout=SLOW)
        visitor.set_input_files("#screenshot input[type=file]", str(EXAMPLES / FILM[0][0]))
        expect(visitor.locator("#screenshot img")).to_be_visible()
        visitor.locator("#instruction textarea, #instruction input").fill(FILM[0][1])
        visitor.click("#submit")
        expect(visitor.locator("#verdict h3")).to_be_visible(timeout=SLOW)


def gaming_agent() -> None:
    """The model at play for some seconds."""
    with visitor_of("gaming_agent", 1000) as visitor:
        expect(visitor.locator("#start")).to_be_enabled(timeout=SLOW)
        visitor.locator("#policy").get_by_text("model", exact=True).click()
        expect(visitor.locator("#start")).to_be_enabled(timeout=SLOW)
        visitor.click("#start")
        visitor.wait_for_timeout(8_000)
        visitor.click("#pause")
        expect(visitor.locator("#start")).to_be_enabled(timeout=SLOW)


def robot_planner() -> None:
    """A task on a simulated tabletop."""
    with visitor_of("robot_planner", 1500) as visitor:
        expect(visitor.locator("#notes")).to_contain_text("magma-mini", timeout=SLOW)
        visitor.get_by_role("tab", name="Simulated tabletop", exact=True).click()
        visitor.click("#another")
        visitor.wait_for_timeout(3000)
        visitor.click("#submit")
        expect(visitor.locator("video")).to_be_attached(timeout=SLOW)


if __name__ == "__main__":
    ui_agent()
    gaming_agent()
    robot_planner()
    film()
