"""The UI agent's page: python apps/ui_agent/app.py [--model --parser --host --port --mcp]"""

from __future__ import annotations

import sys
from pathlib import Path

if __package__ in (None, ""):  # run as a script: the folder on the path is this one, not the repository
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import base64
import binascii
import json
from collections.abc import Generator
from typing import Any

import gradio as gr

from apps.ui_agent.agent import UIAgent
from apps.ui_agent.api import add_api
from apps.ui_agent.batch import png_bytes
from apps.ui_agent.batch_tab import BatchTab
from apps.ui_agent.history_tab import HistoryTab, thumbnail, thumbnails
from apps.ui_agent.overlay import View
from apps.ui_agent.result_pane import ResultPane
from apps.ui_agent.run import add_model_arguments
from apps.ui_agent.visit import Entry, Visit
from core import page  # turns telemetry off
from core.errors import UserError
from core.generators import passing_on
from core.geometry import Point
from core.images import open_image
from core.marks import MarkStyle
from core.screen import ParseOptions
from core.screen.ocr import SCRIPTS

EXAMPLES = Path(__file__).resolve().parents[2] / "assets" / "examples" / "ui"
QUEUE = "model"
"""The concurrency group of everything that runs models: one at a time, the others wait their turn."""

CAPTURE_SCREEN = """async () => {
  let stream;
  try {
    stream = await navigator.mediaDevices.getDisplayMedia({video: true});
    const video = document.createElement("video");
    video.srcObject = stream;
    await video.play();
    await new Promise((settled) => setTimeout(settled, 400));
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    return [canvas.toDataURL("image/png")];
  } catch (reason) {
    return [`${reason} ${Date.now()}`];  // another text each time, so that it is told each time
  } finally {
    if (stream) stream.getTracks().forEach((track) => track.stop());
  }
}"""


def build_page(agent: UIAgent) -> gr.Blocks:
    with gr.Blocks(
        title="UI agent", fill_width=True, analytics_enabled=False, delete_cache=(3600, page.FILES_LIVE)
    ) as blocks:
        gr.HTML(
            '<div class="masthead"><h1>UI agent</h1>'
            "<p>Give it a screenshot and say what to do: it finds the element and the click point.</p></div>",
            padding=False,
        )
        notes = gr.HTML(page.notes(["Loading models \u2026"]), elem_id="notes", padding=False)
        visit = gr.State(Visit(), time_to_live=page.FILES_LIVE)
        with gr.Tabs() as tabs:
            with gr.Tab("Agent", id="agent"), gr.Row(equal_height=False):
                with gr.Column(scale=4, min_width=340):
                    screenshot = gr.Image(
                        label="Screenshot",
                        sources=["upload", "clipboard", "webcam"],
                        type="filepath",
                        height=300,
                        elem_id="screenshot",
                    )
                    capture = gr.Button("Capture a screen or window", size="sm", elem_id="capture")
                    captured = gr.Textbox(visible=False)
                    instruction = gr.Textbox(
                        label="Instruction",
                        info='Empty only parses; "Q: ..." asks about the screen. Enter sends.',
                        placeholder="Click the Sign in button",
                        max_lines=4,
                        elem_id="instruction",
                    )
                    with gr.Row():
                        submit = gr.Button("Submit", variant="primary", elem_id="submit")
                        stop = gr.Button("Stop", variant="stop", interactive=False, elem_id="stop")
                    gr.Examples(examples(), [screenshot, instruction], label="Examples", examples_per_page=6)
                    with gr.Accordion("Parsing", open=False):
                        options = parsing_options()
                with gr.Column(scale=8, min_width=480):
                    progress = gr.HTML(page.stages([], None), elem_id="progress")
                    pane = ResultPane()
            with gr.Tab("History and film", id="history"):
                history = HistoryTab()
            with gr.Tab("Batch", id="batch"):
                batch = BatchTab()

        # The first visitor's page loads the models, so that they are there by the time of the first step.
        blocks.load(
            page.toasts(lambda: page.notes(agent.warm_up())),
            None,
            notes,
            concurrency_id=QUEUE,
            concurrency_limit=1,
            show_progress="hidden",
            api_visibility="private",
        )
        looks = [pane.view, pane.style]

        @page.toasts
        def run(
            upload: dict[str, Any] | None, text: str, view: View, style: MarkStyle, visit_: Visit, *given: Any
        ) -> Generator[dict[gr.components.Component, Any], None, None]:
            if upload is None:
                raise UserError("Add a screenshot first: upload, paste or capture one, or choose an example.")
            image = page.uploaded(upload)
            opened = open_image(image)
            tell = page.growing_stages()
            yield {progress: tell("reading the picture"), stop: gr.Button(interactive=True)}

            try:
                work = agent.act(opened, text or "", read_options(*given))
                step = yield from passing_on(work, lambda stage: {progress: tell(stage)})
            except Exception:
                yield {progress: page.stages([], None), stop: gr.Button(interactive=False)}
                raise
            visit_ = visit_.add(Entry(image, step, thumbnail(step, opened)))
            yield pane.show(visit_, view, style) | {
                visit: visit_,
                history.gallery: thumbnails(visit_),
                progress: page.seconds(step.seconds),
                stop: gr.Button(interactive=False),
                notes: page.notes(agent.notes),
            }

        running = [
            gr.on(
                triggers,
                run,
                [screenshot, instruction, *looks, visit, *options],
                [*pane.shown, visit, history.gallery, progress, stop, notes],
                concurrency_id=QUEUE,
                concurrency_limit=1,
                trigger_mode="multiple",  # else a step sent right after a stop would be ignored
                preprocess=False,  # the file as it came: Gradio would answer a broken one with a stack trace
                show_progress="hidden",
                api_visibility="private",
            )
            for triggers in ([submit.click, instruction.submit], [history.again.click])
        ]
        page.stops(stop, running, progress)

        def inspect(visit_: Visit, mark: int | None, view: View, style: MarkStyle) -> dict[Any, Any]:
            visit_ = Visit(visit_.entries, visit_.shown, mark)
            return pane.draw(visit_, view, style) | {visit: visit_}

        @page.toasts
        def inspect_point(visit_: Visit, view: View, style: MarkStyle, at: gr.SelectData) -> dict[Any, Any]:
            screen = visit_.entry.step.screen if visit_.entry else None
            element = screen.at(Point(*at.index)) if screen else None
            return inspect(visit_, element.id if element else None, view, style)

        @page.toasts
        def inspect_row(visit_: Visit, view: View, style: MarkStyle, at: gr.SelectData) -> dict[Any, Any]:
            return inspect(visit_, int(at.row_value[0]), view, style)

        quick = {"show_progress": "hidden", "api_visibility": "private"}
        pane.picture.select(inspect_point, [visit, *looks], [*pane.drawn, visit], **quick)
        pane.table.select(inspect_row, [visit, *looks], [*pane.drawn, visit], **quick)
        for look in looks:
            look.change(page.toasts(pane.draw), [visit, *looks], pane.drawn, **quick)

        @page.toasts
        def go_back(visit_: Visit, view: View, style: MarkStyle, at: gr.SelectData) -> dict[Any, Any]:
            visit_ = Visit(visit_.entries, at.index)
            entry = visit_.entry
            return pane.show(visit_, view, style) | {
                visit: visit_,
                screenshot: entry.image,
                instruction: entry.step.instruction,
                progress: page.seconds(entry.step.seconds),
                tabs: gr.Tabs(selected="agent"),
            }

        history.gallery.select(
            go_back, [visit, *looks], [*pane.shown, visit, screenshot, instruction, progress, tabs], **quick
        )
        history.again.click(lambda: gr.Tabs(selected="agent"), None, tabs, **quick)
        history.clear.click(lambda: (Visit(), []), None, [visit, history.gallery], cancels=running, **quick)
        filming = history.record.click(page.toasts(history.make_film), visit, history.filmed, **quick)
        page.stops(history.stop, filming, history.status)

        batch.files.change(batch.rows, [batch.files, batch.items], batch.items, **quick)

        @page.toasts
        def run_batch(files: list[str] | None, items: list[list[str]], *given: Any) -> Generator[Any, None, None]:
            yield from batch.execute(agent, files, items, read_options(*given))

        batching = batch.run.click(
            run_batch,
            [batch.files, batch.items, *options],
            batch.outputs,
            concurrency_id=QUEUE,
            concurrency_limit=1,
            **quick,
        )
        page.stops(batch.stop, batching, batch.status)

        capture.click(None, None, captured, js=CAPTURE_SCREEN, api_visibility="private")
        captured.change(page.toasts(captured_file), captured, screenshot, **quick)
        add_api(agent, QUEUE)
    return blocks


def examples() -> list[list[str]]:
    """Screenshot and instruction of every example, by assets/examples/ui/examples.json."""
    listed = json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8"))
    return [[str(EXAMPLES / example["file"]), text] for example in listed for text in example["instructions"]]


def parsing_options() -> list[gr.components.Component]:
    """In the order of ``read_options``."""
    return [
        gr.Number(
            None, label="Box threshold, 0..1", minimum=0, maximum=1, step=0.05, info="Leaves out the less confident."
        ),
        gr.Number(
            None,
            label="IoU threshold, 0..1",
            minimum=0,
            maximum=1,
            step=0.05,
            info="Of two that overlap more, keeps one.",
        ),
        gr.Number(
            None,
            label="Image side, pixels",
            minimum=64,
            step=64,
            info="Longer side at which the screenshot is looked at.",
        ),
        gr.Dropdown([("all that can be read", ""), *SCRIPTS], value="", label="Script of the text on screen"),
    ]


def read_options(
    box_threshold: float | None, iou_threshold: float | None, image_side: float | None, language: str
) -> ParseOptions:
    return ParseOptions(box_threshold, iou_threshold, round(image_side) if image_side else None, language or None)


def captured_file(data_url: str) -> str:
    """The screen capture that the browser sent as a data URL, as a file."""
    head, _, data = data_url.partition(",")
    if head != "data:image/png;base64":
        raise UserError(f"The screen could not be captured ({data_url[:200]}). Upload or paste a screenshot instead.")
    try:
        return page.served("capture.png", png_bytes(open_image(base64.b64decode(data, validate=True))))
    except binascii.Error as error:
        raise UserError("The screen could not be captured: what arrived is cut off.") from error


def main() -> int:
    parser = page.page_arguments("The UI agent's page.")
    add_model_arguments(parser)
    given = parser.parse_args()
    try:
        agent = UIAgent(given.model, given.parser)
        if (given.model, given.parser) != ("auto", "auto"):
            agent.load()  # what is named may be misspelt: better told now than to the first visitor
        page.serve(build_page(agent), given.host, given.port, given.mcp)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
