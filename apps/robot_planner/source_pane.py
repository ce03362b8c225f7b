"""The part of the page where a visitor chooses what to plan from and marks it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any, get_args

import gradio as gr

from apps.robot_planner import cards
from apps.robot_planner.agent import RobotPlanner
from apps.robot_planner.observation import is_picture, video_info
from apps.robot_planner.step import DEFAULT_MARKS
from apps.robot_planner.tabletop import make_scene
from apps.robot_planner.visit import Edit, Visit
from core import page
from core.errors import UserError

NOTHING = "Add a picture or a video first, or show a simulated tabletop."
Update = dict[gr.components.Component, Any]


class SourceTabs:
    """Where the frame comes from; its components are created where it is constructed."""

    def __init__(self) -> None:
        with gr.Tabs():
            with gr.Tab("Picture or video"):
                self.file = gr.File(
                    label="File", show_label=False, file_types=["image", "video"], height=112, elem_id="file"
                )
            with gr.Tab("Simulated tabletop"), gr.Row(equal_height=True):
                self.seed = gr.Number(1, label="Scene", precision=0, minimum=0, min_width=90, elem_id="seed")
                self.shaky = gr.Checkbox(False, label="The camera shakes", min_width=120, elem_id="shaky")
                with gr.Column(min_width=120):
                    self.scene = gr.Button("Show it", size="sm", elem_id="scene")
                    self.another = gr.Button("Next scene", size="sm", elem_id="another")


class FramePane:
    """The frame that is planned from and its marks; components are created where it is constructed.

    The methods are generators that yield updates, so that they can be stopped.
    """

    def __init__(self) -> None:
        self.canvas = gr.Image(
            show_label=False,
            interactive=False,
            buttons=[],
            height=400,
            elem_id="canvas",
            placeholder="The frame that is planned from appears here.",
        )
        self.frame = gr.Slider(0, 1, 0, step=1, label="Plan from frame", visible=False, elem_id="frame")
        self.hint = gr.HTML(cards.marking(Visit(), "add"), elem_id="marking", padding=False)
        with gr.Row(equal_height=True):
            self.edit = gr.Radio(
                get_args(Edit), value="add", label="A click on the frame", min_width=260, elem_id="edit"
            )
            with gr.Column(min_width=130):
                self.propose = gr.Button("Propose marks", size="sm", elem_id="propose")
                self.clear = gr.Button("Delete all marks", size="sm", elem_id="clear")


class Source:
    """What both panes do together, for the visit of ``state``; ``progress`` and ``stop`` are the page's."""

    def __init__(
        self,
        planner: RobotPlanner,
        pane: FramePane,
        state: gr.State,
        progress: gr.HTML,
        stop: gr.Button,
        task: gr.Textbox,
    ) -> None:
        self.planner, self.pane, self.state = planner, pane, state
        self.progress, self.stop, self.task = progress, stop, task

    @property
    def marked(self) -> list[gr.components.Component]:
        """The outputs of ``shown``."""
        return [self.state, self.pane.canvas, self.pane.hint]

    @property
    def prepared(self) -> list[gr.components.Component]:
        """The outputs of what reads a frame."""
        return [*self.marked, self.progress, self.stop, self.pane.frame, self.task]

    def shown(self, visit: Visit, edit: Edit) -> Update:
        return {self.state: visit, self.pane.canvas: visit.picture(), self.pane.hint: cards.marking(visit, edit)}

    def idle(self) -> Update:
        return {self.progress: page.stages([], None), self.stop: gr.Button(interactive=False)}

    def prepare(self, visit: Visit, count: float, edit: Edit) -> Generator[Update, None, Visit]:
        """Read the visit's frame, propose marks for it and show it."""
        yield {self.progress: page.stages([], "reading the frame"), self.stop: gr.Button(interactive=True)}
        try:
            observation = visit.observe(ahead=False)
            yield {self.progress: page.stages(["reading the frame"], "proposing marks")}
            marks = self.planner.propose(observation, int(count))
        except Exception:
            yield self.idle()
            raise
        visit = replace(visit, marks=marks, held=None).showing(observation.image)
        yield self.shown(visit, edit) | self.idle()
        return visit

    def open_file(self, upload: dict[str, Any] | None, count: float, edit: Edit) -> Generator[Update, None, None]:
        yield self.shown(Visit(), edit) | {self.pane.frame: gr.Slider(visible=False)}
        if upload is None:
            return
        path = page.uploaded(upload)
        video = None if is_picture(path) else video_info(path)
        visit = yield from self.prepare(Visit(path=path, video=video), count, edit)
        if visit.video is not None and visit.video.frames > 1:
            yield {self.pane.frame: gr.Slider(value=0, maximum=visit.video.frames - 1, visible=True)}

    def open_scene(self, seed: float | None, shaky: bool, edit: Edit) -> Generator[Update, None, None]:
        seed = int(seed or 0)
        yield from self.prepare(Visit(scene=seed, shaky=shaky), DEFAULT_MARKS, edit)
        yield {self.task: make_scene(seed).task, self.pane.frame: gr.Slider(visible=False)}

    def seek(self, visit: Visit, frame: float, count: float, edit: Edit) -> Generator[Update, None, Visit]:
        """Show another frame of the video, where it is another one."""
        if visit.video is None or int(frame) == visit.frame:
            return visit
        return (yield from self.prepare(replace(visit, frame=int(frame)), count, edit))

    def propose(self, visit: Visit, count: float, edit: Edit) -> Generator[Update, None, None]:
        if visit.empty:
            raise UserError(NOTHING)
        yield from self.prepare(visit, count, edit)

    def click(self, visit: Visit, edit: Edit, at: gr.SelectData) -> Update:
        return self.shown(visit.edited(edit, *at.index), edit)

    def delete_all(self, visit: Visit, edit: Edit) -> Update:
        return self.shown(replace(visit, marks={}, held=None), edit)

    def put_down(self, visit: Visit, edit: Edit) -> Update:
        """Another kind of edit was chosen: what was picked up goes back."""
        return self.shown(replace(visit, held=None), edit)
