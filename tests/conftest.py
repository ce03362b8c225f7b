"""Real servers and a real browser for tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Locator

ROOT = Path(__file__).parents[1]
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--auto-select-desktop-capture-source=Entire screen",
]


@dataclass
class Server:
    url: str
    log: Path
    process: subprocess.Popen


@pytest.fixture(scope="session")
def ui_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The UI agent's page, started by its command as a user starts it."""
    yield from serve_app("apps/ui_agent/app.py", tmp_path_factory.mktemp("ui_server"), "--mcp")


def serve_app(script: str, folder: Path, *flags: str) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "log.txt"
    environment = os.environ | {"GRADIO_TEMP_DIR": str(folder / "files"), "PYTHONUNBUFFERED": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, script, "--port", str(port), *flags],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            assert process.poll() is None, log.read_text()
            try:
                urllib.request.urlopen(url, timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        else:
            raise AssertionError(f"no answer within a minute: {log.read_text()}")
        yield Server(url, log, process)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium: the system's, or the one that "playwright install chromium" fetched."""
    from playwright.sync_api import Error, sync_playwright

    system = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        try:
            launched = playwright.chromium.launch(executable_path=system, args=CHROMIUM_FLAGS)
        except Error as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"no Chromium: install the package chromium, or run: playwright install chromium ({error})")
        yield launched
        launched.close()


def set_number(field: Locator, value: int) -> None:
    """Type a number and leave the field, which is when a page learns of it; a field that was only just shown may still
    take its first value from the page, and is typed into again."""
    for _ in range(20):
        field.fill(str(value), timeout=60_000)
        field.press("Enter")
        field.blur()
        field.page.wait_for_timeout(300)
        if field.input_value() == str(value):
            return
    raise AssertionError(f"the field shows {field.input_value()}, not {value}")
