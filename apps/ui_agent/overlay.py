"""The picture of a step: its marks and its click, drawn on the screenshot."""

from __future__ import annotations

from typing import Literal

from PIL import Image

from apps.ui_agent.agent import Step
from core.marks import MarkStyle, draw_click, draw_marks

View = Literal["chosen element", "top 5", "all marks"]


def picture(
    step: Step,
    screenshot: Image.Image,
    view: View = "chosen element",
    style: MarkStyle = "boxes and numbers",
    inspected: int | None = None,
) -> Image.Image:
    """The screenshot with what ``view`` asks for; ``inspected`` is a mark that is shown besides.

    A step that only parsed has nothing chosen, so all its marks are shown; an answer shows the lines it quotes.
    """
    elements = step.screen.elements if step.screen else ()
    if view == "all marks" or (step.kind == "parse" and view == "chosen element"):
        shown = {element.id for element in elements}
    elif view == "top 5" or step.kind == "answer":
        shown = {candidate.element_id for candidate in step.top}
    else:
        shown = {step.mark}
    boxes = {element.id: element.box for element in elements if element.id in shown or element.id == inspected}
    image = draw_marks(screenshot, boxes, style)
    if step.point is not None:
        image = draw_click(image, step.point, step.element.box if step.element else None)
    return image
