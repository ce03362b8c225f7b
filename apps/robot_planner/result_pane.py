"""The part of the page that shows a plan: the film, the verdict, the truth, the files."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import gradio as gr

from apps.robot_planner import cards
from apps.robot_planner.actions import draw_action
from apps.robot_planner.exports import png_bytes, to_csv, to_json
from apps.robot_planner.film import film, film_length, side_of, still
from apps.robot_planner.observation import Observation
from apps.robot_planner.step import Step
from core import page
from core.video import write_video

NO_MODEL = "(no model was asked)"
Update = dict[gr.components.Component, Any]


class ResultPane:
    """Its components, created where it is constructed, and what each shows for a plan."""

    def __init__(self) -> None:
        self.verdict = gr.HTML(elem_id="verdict")
        with gr.Tabs():
            with gr.Tab("Film"):
                self.clip = gr.Video(
                    show_label=False, interactive=False, height=440, autoplay=True, loop=True, elem_id="film"
                )
            with gr.Tab("Still"):
                self.still = gr.Image(
                    show_label=False, interactive=False, buttons=["fullscreen"], height=440, elem_id="still"
                )
            with gr.Tab("Against the truth"):
                self.comparison = gr.HTML(cards.comparison(None), elem_id="comparison")
            with gr.Tab("What the planner saw"):
                self.seen = gr.Image(
                    show_label=False, interactive=False, buttons=["fullscreen"], height=440, elem_id="seen"
                )
            with gr.Tab("7-DoF action"):
                self.bars = gr.Image(show_label=False, interactive=False, buttons=[], height=220, elem_id="bars")
                self.action = gr.HTML(cards.action(None), elem_id="action")
            with gr.Tab("Prompt and raw reply"):
                self.prompt = _copyable("Prompt", "prompt")
                self.reply = _copyable("Raw reply", "reply")
        with gr.Row():
            self.mp4, self.gif, self.png, self.json, self.csv = (
                gr.DownloadButton(label, interactive=False, size="md", min_width=90, elem_id=elem_id)
                for label, elem_id in (
                    ("MP4", "mp4"), ("GIF", "gif"), ("Still PNG", "png"), ("Plan JSON", "json"), ("Traces CSV", "csv")
                )
            )  # fmt: skip

    @property
    def shown(self) -> list[gr.components.Component]:
        """The outputs of ``clear``, ``show`` and ``make_film``."""
        pictures = [self.clip, self.still, self.seen, self.bars]
        texts = [self.verdict, self.comparison, self.action, self.prompt, self.reply]
        return [*pictures, *texts, self.mp4, self.gif, self.png, self.json, self.csv]

    def clear(self) -> Update:
        """Nothing of the plan before, while the next one is made."""
        unset = {button: gr.DownloadButton(interactive=False) for button in (self.mp4, self.gif, self.png, self.json)}
        return unset | {
            self.csv: gr.DownloadButton(interactive=False),
            self.verdict: "",
            self.clip: None,
            self.still: None,
            self.seen: None,
            self.bars: None,
            self.comparison: cards.comparison(None),
            self.action: cards.action(None),
            self.prompt: "",
            self.reply: "",
        }

    def show(self, step: Step, observation: Observation) -> Update:
        """Everything but the film."""
        record = step.record()
        shown = {
            self.verdict: cards.verdict(step),
            self.seen: page.served("seen.png", png_bytes(step.seen)),
            self.comparison: cards.comparison(step),
            self.action: cards.action(step.action, step.action_reason),
            self.bars: page.served("action.png", png_bytes(draw_action(step.action))) if step.action else None,
            self.prompt: step.prompt or NO_MODEL,
            self.reply: step.reply or NO_MODEL,
            self.json: _file("plan.json", to_json(record).encode()),
        }
        if step.paths:
            picture = page.served("plan.png", png_bytes(still(step, observation)))
            shown |= {
                self.still: picture,
                self.png: gr.DownloadButton(value=picture, interactive=True),
                self.csv: _file("plan.csv", to_csv(record).encode()),
            }
        return shown

    def make_film(self, step: Step, observation: Observation) -> Generator[str, None, Update]:
        """Writes MP4 and GIF, naming what it is at after every few frames so that it can be stopped."""
        files = {}
        length = film_length(step, observation)
        with tempfile.TemporaryDirectory() as folder:
            for name in ("plan.mp4", "plan.gif"):
                path = Path(folder) / name
                for count in write_video(path, film(step, observation, side_of(name)), observation.frames_per_second):
                    if count % 10 == 1:
                        yield f"writing the {path.suffix[1:].upper()}: frame {count} of {length}"
                files[name] = page.served(name, path.read_bytes())
        return {
            self.clip: files["plan.mp4"],
            self.mp4: gr.DownloadButton(value=files["plan.mp4"], interactive=True),
            self.gif: gr.DownloadButton(value=files["plan.gif"], interactive=True),
        }


def _file(name: str, data: bytes) -> gr.DownloadButton:
    return gr.DownloadButton(value=page.served(name, data), interactive=True)


def _copyable(label: str, elem_id: str) -> gr.Textbox:
    return gr.Textbox(label=label, lines=4, max_lines=14, interactive=False, buttons=["copy"], elem_id=elem_id)
