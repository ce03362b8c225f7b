"""The part of the page that shows a step: the picture, the verdict, the tables, the files."""

from __future__ import annotations

import json
from typing import Any, get_args

import gradio as gr

from apps.ui_agent import cards
from apps.ui_agent.batch import png_bytes
from apps.ui_agent.exports import ELEMENT_COLUMNS, element_rows, to_csv
from apps.ui_agent.overlay import View, picture
from apps.ui_agent.visit import Visit
from core import page
from core.images import open_image
from core.marks import MarkStyle

NO_MODEL = "(no model was asked)"


class ResultPane:
    """Its components, created where it is constructed, and what each shows for a visit."""

    def __init__(self) -> None:
        self.picture = gr.Image(
            show_label=False,
            interactive=False,
            buttons=["fullscreen"],
            height=600,
            elem_id="result",
            placeholder="The result appears here.",
        )
        with gr.Row():
            self.view = gr.Radio(get_args(View), value="chosen element", label="Show", elem_id="view")
            self.style = gr.Radio(get_args(MarkStyle), value="boxes and numbers", label="Marks", elem_id="style")
        self.verdict = gr.HTML(elem_id="verdict")
        with gr.Row():
            self.pixels = _copyable("Pixels (x, y)", "pixels")
            self.unit = _copyable("0..1 of the sides (x, y)", "unit")
        with gr.Tabs():
            with gr.Tab("Best five"):
                self.ranking = gr.HTML(elem_id="ranking")
            with gr.Tab("Inspect"):
                self.inspection = gr.HTML(cards.inspection(None), elem_id="inspection")
            with gr.Tab("Elements"):
                self.table = gr.Dataframe(
                    headers=list(ELEMENT_COLUMNS),
                    interactive=False,
                    max_height=360,
                    show_search="filter",
                    elem_id="elements",
                )
            with gr.Tab("Action JSON"):
                self.action = gr.Code(
                    language="json", interactive=False, buttons=["copy"], max_lines=24, elem_id="action"
                )
            with gr.Tab("Prompt and raw reply"):
                self.prompt = _copyable("Prompt", "prompt", lines=3)
                self.reply = _copyable("Raw reply", "reply", lines=3)
        with gr.Row():
            self.png = gr.DownloadButton("Annotated PNG", interactive=False, elem_id="png")
            self.json = gr.DownloadButton("Elements JSON", interactive=False, elem_id="json")
            self.csv = gr.DownloadButton("Elements CSV", interactive=False, elem_id="csv")

    def show(self, visit: Visit, view: View, style: MarkStyle) -> dict[gr.components.Component, Any]:
        """The update of every component; nothing where the visit has no step yet."""
        entry = visit.entry
        if entry is None:
            return {self.verdict: ""}
        step, record = entry.step, entry.step.record()
        elements = record.pop("elements")
        rows = element_rows(elements)
        as_json = json.dumps(elements, ensure_ascii=False, indent=1).encode()
        as_csv = to_csv(ELEMENT_COLUMNS, rows).encode("utf-8-sig")  # by its mark a spreadsheet knows UTF-8
        return self.draw(visit, view, style) | {
            self.verdict: cards.verdict(step),
            self.ranking: cards.ranking(step),
            self.table: rows,
            self.action: json.dumps(record, ensure_ascii=False, indent=1),
            self.pixels: _coordinates(record["point"]),
            self.unit: _coordinates(record["point_unit"]),
            self.prompt: step.prompt or NO_MODEL,
            self.reply: step.reply or NO_MODEL,
            self.json: gr.DownloadButton(value=page.served("elements.json", as_json), interactive=True),
            self.csv: gr.DownloadButton(value=page.served("elements.csv", as_csv), interactive=True),
        }

    def draw(self, visit: Visit, view: View, style: MarkStyle) -> dict[gr.components.Component, Any]:
        """The update of what changes with the view, the style and the inspected mark."""
        entry = visit.entry
        if entry is None:
            return {self.verdict: ""}
        step = entry.step
        image = picture(step, open_image(entry.image), view, style, visit.inspected)
        annotated = page.served("annotated.png", png_bytes(image))
        inspected = step.element if visit.inspected is None else step.screen.element(visit.inspected)
        return {
            self.picture: annotated,
            self.png: gr.DownloadButton(value=annotated, interactive=True),
            self.inspection: cards.inspection(inspected),
        }

    @property
    def drawn(self) -> list[gr.components.Component]:
        """The outputs of ``draw``."""
        return [self.picture, self.png, self.inspection, self.verdict]

    @property
    def shown(self) -> list[gr.components.Component]:
        """The outputs of ``show``."""
        texts = [self.ranking, self.table, self.action, self.pixels, self.unit, self.prompt, self.reply]
        return [*self.drawn, *texts, self.json, self.csv]


def _copyable(label: str, elem_id: str, lines: int = 1) -> gr.Textbox:
    return gr.Textbox(label=label, lines=lines, interactive=False, buttons=["copy"], elem_id=elem_id)


def _coordinates(point: list[float] | None) -> str:
    return "" if point is None else f"{point[0]}, {point[1]}"
