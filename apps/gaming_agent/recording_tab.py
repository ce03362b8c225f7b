"""The visitor's game as files, and a recording opened again."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import gradio as gr

from apps.gaming_agent.agent import Episode
from apps.gaming_agent.film import FRAMES_PER_SECOND, film
from apps.gaming_agent.recording import from_json, recording_of, to_json
from apps.gaming_agent.visit import Visit, known
from core import page
from core.errors import UserError
from core.video import write_video


class RecordingTab:
    """Its components, created where it is constructed."""

    def __init__(self) -> None:
        gr.HTML(
            '<div class="notes">The game as a film and as a recording: seed, rules, player and every reply. Opened '
            "again, here or on the command line, it plays the same game, and an unfinished one goes on.</div>"
        )
        with gr.Row():
            self.record = gr.Button("Record the game", variant="primary", elem_id="record")
            self.stop = gr.Button("Stop recording", variant="stop", interactive=False, elem_id="stop-recording")
            self.open = gr.UploadButton("Open a recording", file_types=[".json"], elem_id="open")
        self.status = gr.HTML(elem_id="recording")
        with gr.Row():
            self.clip = gr.Video(show_label=False, interactive=False, height=480, elem_id="film")
            with gr.Column():
                self.mp4 = gr.DownloadButton("Film as MP4", interactive=False, elem_id="mp4")
                self.gif = gr.DownloadButton("Film as GIF", interactive=False, elem_id="gif")
                self.json = gr.DownloadButton("Recording as JSON", interactive=False, elem_id="json")

    def wire(self, visit: gr.State) -> None:
        outputs = [self.status, self.stop, self.clip, self.mp4, self.gif, self.json]
        recording = self.record.click(
            page.toasts(self._record),
            visit,
            outputs,
            concurrency_limit=4,
            trigger_mode="multiple",  # else one sent right after a stop would be ignored
            show_progress="hidden",
            api_visibility="private",
        )
        page.stops(self.stop, recording, self.status)

    def _record(self, visit: Visit | None) -> Generator[dict[gr.components.Component, Any], None, None]:
        """Writes MP4 and GIF of the game as it stands, yielding after every few frames so that it can be stopped."""
        text = to_json(recording_of(known(visit).episode))
        episode = from_json(text)  # the game itself may go on meanwhile
        if not episode.steps:
            raise UserError("There is nothing to record yet: play a step first.")
        with tempfile.TemporaryDirectory() as folder:
            files = {}
            for suffix in (".mp4", ".gif"):
                path = Path(folder) / f"game{suffix}"
                for count in write_video(path, film(episode), FRAMES_PER_SECOND):
                    if count % 20 == 1:
                        now = page.stages([], f"writing {suffix[1:].upper()}, frame {count}")
                        yield {self.status: now, self.stop: gr.Button(interactive=True)}
                files[suffix] = page.served(path.name, path.read_bytes())
        yield {
            self.status: page.stages([f"{len(episode.steps)} steps recorded"], None),
            self.stop: gr.Button(interactive=False),
            self.clip: files[".mp4"],
            self.mp4: gr.DownloadButton(value=files[".mp4"], interactive=True),
            self.gif: gr.DownloadButton(value=files[".gif"], interactive=True),
            self.json: gr.DownloadButton(value=page.served("game.json", text.encode()), interactive=True),
        }

    @staticmethod
    def read(file: Any) -> Episode:
        """The game in an uploaded file. Raises UserError for what is no recording."""
        try:
            return from_json(Path(page.uploaded(file)).read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise UserError("This is no recording of a game: it is not text.") from error
