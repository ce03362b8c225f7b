"""Make the README's pictures with the product itself: python assets/readme/make.py

Needs Chromium: the system's, or the one that "playwright install chromium" fetched.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
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


def page() -> None:
    """The page with a click on the first example."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, "apps/ui_agent/app.py", "--port", str(port)], cwd=ROOT)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(600):
            try:
                urllib.request.urlopen(url, timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            visitor = browser.new_page(viewport={"width": 1440, "height": 1180}, device_scale_factor=1)
            visitor.goto(url)
            expect(visitor.locator("#notes")).to_contain_text("Parser:", timeout=120_000)
            visitor.set_input_files("#screenshot input[type=file]", str(EXAMPLES / FILM[0][0]))
            expect(visitor.locator("#screenshot img")).to_be_visible()
            visitor.locator("#instruction textarea, #instruction input").fill(FILM[0][1])
            visitor.click("#submit")
            expect(visitor.locator("#verdict h3")).to_be_visible(timeout=120_000)
            visitor.wait_for_timeout(1500)
            visitor.screenshot(path=HERE / "ui_agent.png")
            browser.close()
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    page()
    film()
