"""The visitor's earlier steps, and the film of them."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from apps.ui_agent.agent import Step
from apps.ui_agent.batch import png_bytes
from apps.ui_agent.film import FRAMES_PER_SECOND, film, side_of
from apps.ui_agent.overlay import picture
from apps.ui_agent.visit import Visit
from core import page
from core.errors import UserError
from core.video import write_video


class HistoryTab:
    """Its components, created where it is constructed."""

    def __init__(self) -> None:
        gr.HTML('<div class="notes">Your own steps. Choose one to go back to it.</div>')
        self.gallery = gr.Gallery(
            show_label=False,
            columns=4,
            fit_columns=False,
            object_fit="contain",
            height=400,
            allow_preview=False,
            interactive=False,
            elem_id="history",
        )
        with gr.Row():
            self.again = gr.Button("Run the chosen step again", elem_id="again")
            self.clear = gr.Button("Clear history", elem_id="clear")
            self.record = gr.Button("Record a film of the steps", variant="primary", elem_id="record")
            self.stop = gr.Button("Stop recording", variant="stop", interactive=False, elem_id="stop-recording")
        self.status = gr.HTML(elem_id="recording")
        with gr.Row():
            self.clip = gr.Video(show_label=False, interactive=False, height=420, elem_id="film")
            with gr.Column():
                self.mp4 = gr.DownloadButton("Film as MP4", interactive=False, elem_id="mp4")
                self.gif = gr.DownloadButton("Film as GIF", interactive=False, elem_id="gif")

    @property
    def filmed(self) -> list[gr.components.Component]:
        """The outputs of ``make_film``."""
        return [self.status, self.stop, self.clip, self.mp4, self.gif]

    def make_film(self, visit: Visit) -> Generator[dict[gr.components.Component, Any], None, None]:
        """Writes MP4 and GIF, yielding after every few frames so that it can be stopped."""
        if not visit.entries:
            raise UserError("There is nothing to record yet: run a step first.")
        steps = [(entry.step, entry.image) for entry in visit.entries]
        with tempfile.TemporaryDirectory() as folder:
            files = {}
            for suffix in (".mp4", ".gif"):
                path = Path(folder) / f"film{suffix}"
                for count in write_video(path, film(steps, side_of(suffix)), FRAMES_PER_SECOND):
                    if count % 10 == 1:
                        now = f"writing {suffix[1:].upper()}, frame {count}"
                        yield {self.status: page.stages([], now), self.stop: gr.Button(interactive=True)}
                files[suffix] = page.served(path.name, path.read_bytes())
        yield {
            self.status: "",
            self.stop: gr.Button(interactive=False),
            self.clip: files[".mp4"],
            self.mp4: gr.DownloadButton(value=files[".mp4"], interactive=True),
            self.gif: gr.DownloadButton(value=files[".gif"], interactive=True),
        }


def thumbnail(step: Step, screenshot: Image.Image) -> str:
    """The path of a small picture of the step's result."""
    image = picture(step, screenshot)
    image.thumbnail((480, 480))
    return page.served("step.png", png_bytes(image))


def thumbnails(visit: Visit) -> list[tuple[str, str]]:
    """The gallery's pictures and captions."""
    return [
        (entry.thumbnail, f"{number}. {entry.step.instruction or 'parse only'}")
        for number, entry in enumerate(visit.entries, 1)
    ]
