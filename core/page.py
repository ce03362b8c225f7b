"""What every page shares: its look, its flags, how it is served, how it tells of progress, and errors as toasts."""

from __future__ import annotations

import argparse
import functools
import inspect
import os
import time
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr
from gradio.data_classes import FileData
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from core.errors import UserError

MAX_UPLOAD = "64mb"
FILES_LIVE = 24 * 3600
"""Seconds after which uploads and results are deleted from disk."""

FONT = ("Inter", "ui-sans-serif", "system-ui", "Segoe UI", "Roboto", "Helvetica", "Arial", "sans-serif")
THEME = gr.themes.Base(
    primary_hue="indigo",
    secondary_hue="slate",
    neutral_hue="slate",
    radius_size="lg",
    font=FONT,
    font_mono=("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"),
).set(
    body_background_fill="*neutral_50",
    block_shadow="none",
    block_border_width="1px",
    block_label_background_fill="transparent",
    button_primary_background_fill="*primary_600",
    button_primary_background_fill_hover="*primary_700",
    button_primary_text_color="white",
)
CSS = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")


LAST_WORD = 0.5
"""Seconds in which what was stopped may still tell of its progress: only then is "stopped" the last word."""


def stages(done: Sequence[str], now: str | None) -> str:
    """The stages so far as chips, the running one lit."""
    chips = [f"<span>{escape(stage)}</span>" for stage in done]
    if now is not None:
        chips.append(f'<span class="now">{escape(now)}</span>')
    return f'<div class="stages" role="status">{"".join(chips)}</div>'


def growing_stages() -> Callable[[str], str]:
    """Takes the stages as they come and shows all so far; what follows a colon is how far a stage has come."""
    told: list[str] = []

    def tell(stage: str) -> str:
        if told and told[-1].split(":")[0] == stage.split(":")[0]:
            told.pop()
        told.append(stage)
        return stages(told[:-1], stage)

    return tell


def seconds(durations: Mapping[str, float]) -> str:
    """The stages of what is done with their seconds, as chips; "total" is among them."""
    chips = [
        f"<span>{escape(stage)} {duration:.2f} s</span>"
        for stage, duration in durations.items()
        if stage != "total" and duration >= 0.005
    ]
    chips.append(f'<span class="total">total {durations["total"]:.2f} s</span>')
    return f'<div class="stages" role="status">{"".join(chips)}</div>'


def notes(lines: Sequence[str]) -> str:
    """What does the work, and why."""
    return f'<div class="notes">{"<br>".join(map(escape, lines))}</div>'


def stops(button: gr.Button, running: Any, status: gr.HTML) -> None:
    """Wire ``button`` to stop the ``running`` events, then to say so in ``status`` and go out."""

    def stopped() -> dict[Any, Any]:
        time.sleep(LAST_WORD)
        return {status: stages(["stopped"], None), button: gr.Button(interactive=False)}

    button.click(stopped, None, [status, button], cancels=running, queue=False, api_visibility="private")


def toasts(function: Callable[..., Any]) -> Callable[..., Any]:
    """Show a UserError of a function or generator as a toast, or answer an API call with it."""
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            try:
                return (yield from function(*args, **kwargs))
            except UserError as error:
                raise gr.Error(str(error), title="That did not work", print_exception=False) from error

    else:

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except UserError as error:
                raise gr.Error(str(error), title="That did not work", print_exception=False) from error

    return wrapped


def uploaded(file: Any) -> str:
    """The path of a file that a visitor sent, given what Gradio hands on without preprocessing.

    Gradio checks the paths of files that the request marks as such; an unmarked one could name any file of this
    machine. Raises UserError for what does not lie among the uploads and for what is no file.
    """
    try:
        path = Path(FileData.model_validate(file).path).resolve()
    except (ValueError, OSError) as error:
        raise UserError("Send the picture as a file: handle_file(path or URL) in the Gradio client.") from error
    if not path.is_relative_to(Path(get_upload_folder()).resolve()) or not path.is_file():
        raise UserError("This file is not among the uploads, or no longer: upload it again.")
    return str(path)


def served(name: str, data: bytes) -> str:
    """Keep bytes as a file of this name that visitors who are given its path can fetch, and give the path."""
    return save_bytes_to_cache(data, name, cache_dir=get_upload_folder())


def page_arguments(description: str) -> argparse.ArgumentParser:
    """The flags of every page; Hugging Face Spaces sets GRADIO_SERVER_NAME."""
    parser = argparse.ArgumentParser(description=description)
    host = os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")
    parser.add_argument("--host", default=host, help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, help="port (default: the first free one from 7860)")
    parser.add_argument("--mcp", action="store_true", help="serve the API as MCP tools too")
    return parser


def serve(page: gr.Blocks, host: str, port: int | None, mcp: bool, **launch: Any) -> None:
    """Serve until interrupted. Raises UserError where the address cannot be had."""
    try:
        page.queue(max_size=256).launch(
            server_name=host,
            server_port=port,
            mcp_server=mcp,
            theme=THEME,
            css=CSS,
            share=False,
            max_file_size=MAX_UPLOAD,
            footer_links=["api", "settings"],
            **launch,
        )
    except OSError as error:
        raise UserError(f"{host}:{port or 7860} cannot be listened on: {error}. Choose another --port.") from error
