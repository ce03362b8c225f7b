"""An app's page started by its command, for the benches: when it answers, and where."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from core.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 120
"""Seconds."""


@contextmanager
def started(script: str, *flags: str) -> Iterator[tuple[str, float]]:
    """The page's address, and the seconds from the command to its first answer. Raises UserError where none comes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url, began = f"http://127.0.0.1:{port}", time.perf_counter()
    command = [sys.executable, script, "--port", str(port), *flags]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while not _answers(url):
                if process.poll() is not None:
                    raise UserError(f"The page did not start: {' '.join(command)} ended with {process.returncode}.")
                if time.perf_counter() - began > PATIENCE:
                    raise UserError(f"The page did not answer within {PATIENCE} seconds: {' '.join(command)}.")
                time.sleep(0.05)
            yield url, time.perf_counter() - began
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=1).close()
    except (OSError, HTTPException):
        return False
    return True
