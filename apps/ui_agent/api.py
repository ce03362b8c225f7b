"""The agent over HTTP and as MCP tools: /parse, /act and /batch. Names, arguments and results are kept stable."""

# No "from __future__ import annotations" here: gr.api reads the result's type itself, not its name.

from typing import TypedDict

import gradio as gr

from apps.ui_agent.agent import ElementRecord, StepRecord, UIAgent
from apps.ui_agent.batch import BatchItem, BatchResult, run_item
from core import page
from core.errors import UserError
from core.generators import finish
from core.images import open_image
from core.screen import ParseOptions


class ScreenRecord(TypedDict):
    """``size`` is (width, height); boxes are in pixels."""

    size: list[int]
    parser: str | None
    elements: list[ElementRecord]
    reason: str
    seconds: dict[str, float]


def add_api(agent: UIAgent, queue: str) -> None:
    """Add the endpoints to the page under construction; ``queue`` is the concurrency group of its model calls."""

    @page.toasts
    def parse(
        image: gr.FileData,
        box_threshold: float | None = None,
        iou_threshold: float | None = None,
        image_side: int | None = None,
        language: str | None = None,
    ) -> ScreenRecord:
        """List the elements of a screenshot: text, buttons, fields, icons, with their pixel boxes.

        Args:
            image: The screenshot (PNG, JPEG or WebP).
            box_threshold: Leave out elements less confident than this, 0 to 1.
            iou_threshold: Of two boxes that overlap by more than this, keep one, 0 to 1.
            image_side: The longer side, in pixels, at which the screenshot is looked at.
            language: The only script of the text on screen: latin, chinese or japanese. All by default.
        """
        options = ParseOptions(box_threshold, iou_threshold, image_side, language)
        record = finish(agent.act(open_image(page.uploaded(image)), "", options)).record()
        return ScreenRecord(
            size=record["size"],
            parser=record["parser"],
            elements=record["elements"],
            reason=record["reason"],
            seconds=record["seconds"],
        )

    @page.toasts
    def act(
        image: gr.FileData,
        instruction: str,
        box_threshold: float | None = None,
        iou_threshold: float | None = None,
        image_side: int | None = None,
        language: str | None = None,
    ) -> StepRecord:
        """Find the element and the point to click on a screenshot for an instruction, or answer a question about it.

        Args:
            image: The screenshot (PNG, JPEG or WebP).
            instruction: What to click, such as "Click the Sign in button"; or a question that starts with "Q:".
            box_threshold: Leave out elements less confident than this, 0 to 1.
            iou_threshold: Of two boxes that overlap by more than this, keep one, 0 to 1.
            image_side: The longer side, in pixels, at which the screenshot is looked at.
            language: The only script of the text on screen: latin, chinese or japanese. All by default.
        """
        options = ParseOptions(box_threshold, iou_threshold, image_side, language)
        return finish(agent.act(open_image(page.uploaded(image)), instruction, options)).record()

    @page.toasts
    def batch(images: list[gr.FileData], instructions: list[str]) -> list[BatchResult]:
        """Find the points to click on several screenshots, one instruction for each.

        Args:
            images: The screenshots (PNG, JPEG or WebP).
            instructions: An instruction for each screenshot, in the same order.
        """
        if len(images) != len(instructions):
            raise UserError(f"{len(images)} images and {len(instructions)} instructions: send one for each image.")
        items = [
            BatchItem(id=str(number), image=page.uploaded(image), instruction=instruction)
            for number, (image, instruction) in enumerate(zip(images, instructions, strict=True), 1)
        ]
        return [finish(run_item(agent, item, ParseOptions()))[0] for item in items]

    for endpoint in (parse, act, batch):
        gr.api(endpoint, api_name=endpoint.__name__, concurrency_id=queue, concurrency_limit=1)
