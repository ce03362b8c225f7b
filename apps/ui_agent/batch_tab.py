"""Several screenshots with instructions on the page: results as a table and a ZIP."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from apps.ui_agent.agent import UIAgent
from apps.ui_agent.batch import RESULT_COLUMNS, BatchArchive, BatchItem, result_rows, run_item
from core import page
from core.errors import UserError
from core.generators import passing_on
from core.images import open_image
from core.screen import ParseOptions


class BatchTab:
    """Its components, created where it is constructed."""

    def __init__(self) -> None:
        gr.HTML(
            '<div class="notes">Add screenshots, write an instruction for each (none only parses, "Q: ..." asks), run.'
            "</div>"
        )
        self.files = gr.Files(label="Screenshots", file_count="multiple", height=160, elem_id="batch-files")
        self.items = gr.Dataframe(
            headers=["screenshot", "instruction"],
            datatype="str",
            type="array",
            interactive=True,
            static_columns=[0],
            column_widths=["30%", "70%"],
            label="Instructions",
            elem_id="batch-items",
        )
        with gr.Row():
            self.run = gr.Button("Run the batch", variant="primary", elem_id="batch-run")
            self.stop = gr.Button("Stop", variant="stop", interactive=False, elem_id="batch-stop")
            self.zip = gr.DownloadButton("Results and pictures as ZIP", interactive=False, elem_id="batch-zip")
        self.status = gr.HTML(elem_id="batch-status")
        self.results = gr.Dataframe(
            headers=list(RESULT_COLUMNS), interactive=False, max_height=420, label="Results", elem_id="batch-results"
        )

    @property
    def outputs(self) -> list[gr.components.Component]:
        return [self.status, self.stop, self.results, self.zip]

    @staticmethod
    def rows(files: list[str] | None, items: list[list[str]]) -> list[list[str]]:
        """A row for every file; what was written for a file of that name stays."""
        written = {row[0]: row[1] for row in items if row and row[0]}
        return [[name, written.get(name, "")] for name in _names(files or [])]

    def execute(
        self, agent: UIAgent, files: list[str] | None, items: list[list[str]], options: ParseOptions
    ) -> Generator[dict[gr.components.Component, Any], None, None]:
        """Shows every result as it comes; an item that cannot be done is a row that says why."""
        if not files:
            raise UserError("Add screenshots first.")
        results = []
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "batch.zip"
            archive = BatchArchive(path)
            instructions = {row[0]: row[1] or "" for row in items if row}
            for number, (name, file) in enumerate(zip(_names(files), files, strict=True), 1):
                item = BatchItem(id=name, image=file, instruction=instructions.get(name, ""))
                work = run_item(agent, item, options)
                item_name = f"{number} of {len(files)}, {name}"
                result, step = yield from passing_on(work, partial(self._working, item_name))
                results.append(result)
                if step is not None:
                    archive.add(number, step, open_image(file))
                yield {self.results: list(result_rows(results))}
            archive.finish(results)
            done = page.served("batch.zip", path.read_bytes())
        failed = sum(result["kind"] == "error" for result in results)
        told = f"{len(results) - failed} of {len(results)} done"
        yield {
            self.status: page.stages([told], None),
            self.stop: gr.Button(interactive=False),
            self.zip: gr.DownloadButton(value=done, interactive=True),
        }

    def _working(self, item_name: str, stage: str) -> dict[gr.components.Component, Any]:
        return {self.status: page.stages([], f"{item_name}: {stage}"), self.stop: gr.Button(interactive=True)}


def _names(files: list[str]) -> list[str]:
    """The files' names, told apart by a count where one comes twice."""
    names: list[str] = []
    for name in (Path(file).name for file in files):
        same = sum(other == name or other.startswith(f"{name} (") for other in names)
        names.append(f"{name} ({same + 1})" if same else name)
    return names
