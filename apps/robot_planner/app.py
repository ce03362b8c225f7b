"""The robot planner's page: python apps/robot_planner/app.py [--model --host --port --mcp]"""

from __future__ import annotations

import sys
from pathlib import Path

if __package__ in (None, ""):  # run as a script: the folder on the path is this one, not the repository
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from collections.abc import Generator
from dataclasses import replace
from typing import Any, get_args

import gradio as gr

from apps.robot_planner import cards
from apps.robot_planner.actions import choose_statistics
from apps.robot_planner.agent import (
    DEFAULT_MARKS,
    DEFAULT_STEPS,
    MAX_STEPS,
    Options,
    PlannerName,
    RobotPlanner,
)
from apps.robot_planner.api import add_api
from apps.robot_planner.observation import is_picture, video_info
from apps.robot_planner.plan import add_model_argument
from apps.robot_planner.result_pane import ResultPane
from apps.robot_planner.tabletop import make_scene
from apps.robot_planner.visit import Edit, Visit
from core import page  # turns telemetry off
from core.errors import UserError
from core.generators import passing_on
from core.robot_actions import read_statistics

QUEUE = "model"
"""The concurrency group of everything that runs models: one at a time, the others wait their turn."""

TASKS = (
    "push the red block to the left edge of the table",
    "pick up the green cylinder",
    "put the blue cup next to the yellow box",
)
Update = dict[Any, Any]


def build_page(planner: RobotPlanner) -> gr.Blocks:
    with gr.Blocks(
        title="Robot planner", fill_width=True, analytics_enabled=False, delete_cache=(3600, page.FILES_LIVE)
    ) as blocks:
        gr.HTML(
            '<div class="masthead"><h1>Robot planner</h1>'
            "<p>Give it a picture, a video or a simulated tabletop, and a task: it plans what moves where.</p></div>",
            padding=False,
        )
        notes = gr.HTML(cards.notes(["Loading the model \u2026"]), elem_id="notes", padding=False)
        visit = gr.State(Visit(), time_to_live=page.FILES_LIVE)
        with gr.Row(equal_height=False):
            with gr.Column(scale=5, min_width=360):
                with gr.Tabs():
                    with gr.Tab("Picture or video"):
                        file = gr.File(show_label=False, file_types=["image", "video"], height=112, elem_id="file")
                    with gr.Tab("Simulated tabletop"), gr.Row(equal_height=True):
                        seed = gr.Number(1, label="Scene", precision=0, minimum=0, min_width=90, elem_id="seed")
                        shaky = gr.Checkbox(False, label="The camera shakes", min_width=120, elem_id="shaky")
                        with gr.Column(min_width=120):
                            scene = gr.Button("Show it", size="sm", elem_id="scene")
                            another = gr.Button("Next scene", size="sm", elem_id="another")
                task = gr.Textbox(
                    label="Task",
                    info="What the robot does. Enter plans.",
                    placeholder=TASKS[0],
                    max_lines=3,
                    elem_id="task",
                )
                with gr.Row():
                    submit = gr.Button("Plan", variant="primary", elem_id="submit")
                    stop = gr.Button("Stop", variant="stop", interactive=False, elem_id="stop")
                canvas = gr.Image(
                    show_label=False,
                    interactive=False,
                    buttons=[],
                    height=400,
                    elem_id="canvas",
                    placeholder="The frame that is planned from appears here.",
                )
                frame = gr.Slider(0, 1, 0, step=1, label="Plan from frame", visible=False, elem_id="frame")
                marking = gr.HTML(cards.marking(Visit(), "add"), elem_id="marking", padding=False)
                with gr.Row(equal_height=True):
                    edit = gr.Radio(
                        get_args(Edit), value="add", label="A click on the frame", min_width=260, elem_id="edit"
                    )
                    with gr.Column(min_width=130):
                        propose = gr.Button("Propose marks", size="sm", elem_id="propose")
                        clear = gr.Button("Delete all marks", size="sm", elem_id="clear")
                gr.Examples([[text] for text in TASKS], [task], label="Tasks")
                with gr.Accordion("Settings", open=False), gr.Row():
                    which = gr.Radio(get_args(PlannerName), value="auto", label="Planner", elem_id="which")
                    count = gr.Slider(1, 32, DEFAULT_MARKS, step=1, label="Marks to propose", elem_id="count")
                    steps = gr.Slider(1, MAX_STEPS, DEFAULT_STEPS, step=1, label="Steps", elem_id="steps")
                    speed = gr.Number(
                        None,
                        label="Speed",
                        minimum=1,
                        maximum=255,
                        info="Mean step on the 256 grid. Empty: 8 for a model, else as the way needs.",
                        elem_id="speed",
                    )
                    seconds = gr.Number(
                        None,
                        label="Seconds",
                        info="Of the video, that the steps cover. Empty: what is left, at most 4.",
                        elem_id="seconds",
                    )
                    act = gr.Checkbox(False, label="The 7-DoF action too", elem_id="act")
                    statistics = gr.File(
                        label="dataset_statistics.json", file_types=[".json"], height=100, elem_id="statistics"
                    )
                    dataset = gr.Dropdown([], label="Units of the data set", elem_id="dataset")
            with gr.Column(scale=7, min_width=480):
                progress = gr.HTML(cards.stages([], None), elem_id="progress")
                pane = ResultPane()

        # The first visitor's page loads the model, so that it is there by the time of the first plan.
        blocks.load(
            page.toasts(lambda: cards.notes(planner.warm_up())),
            None,
            notes,
            concurrency_id=QUEUE,
            concurrency_limit=1,
            show_progress="hidden",
            api_visibility="private",
        )
        marked = [visit, canvas, marking]
        quick = {"show_progress": "hidden", "api_visibility": "private"}

        def idle() -> Update:
            return {progress: cards.stages([], None), stop: gr.Button(interactive=False)}

        def shown(visit_: Visit, edit_: Edit) -> Update:
            return {visit: visit_, canvas: visit_.picture(), marking: cards.marking(visit_, edit_)}

        def prepare(visit_: Visit, count_: int, edit_: Edit) -> Generator[Update, None, Update]:
            """The frame of the visit's source, with marks proposed for it."""
            yield {progress: cards.stages([], "reading the frame"), stop: gr.Button(interactive=True)}
            try:
                observation = visit_.observe(ahead=False)
                yield {progress: cards.stages(["reading the frame"], "proposing marks")}
                marks = planner.propose(observation, int(count_))
            except Exception:
                yield idle()
                raise
            visit_ = replace(visit_, marks=marks, held=None).showing(observation.image)
            return shown(visit_, edit_) | idle()

        @page.toasts
        def open_file(upload: dict[str, Any] | None, count_: int, edit_: Edit) -> Generator[Update, None, None]:
            yield shown(Visit(), edit_) | pane.clear() | {frame: gr.Slider(visible=False)}
            if upload is None:
                return
            path = page.uploaded(upload)
            video = None if is_picture(path) else video_info(path)
            yield (yield from prepare(Visit(path=path, video=video), count_, edit_)) | {
                frame: gr.Slider(value=0, maximum=max(1, video.frames - 1), visible=video.frames > 1)
                if video
                else gr.Slider(visible=False)
            }

        @page.toasts
        def open_scene(seed_: float | None, shaky_: bool, edit_: Edit) -> Generator[Update, None, None]:
            seed_ = int(seed_ or 0)
            update = yield from prepare(Visit(scene=seed_, shaky=shaky_), DEFAULT_MARKS, edit_)
            yield update | pane.clear() | {task: make_scene(seed_).task, frame: gr.Slider(visible=False)}

        @page.toasts
        def seek(visit_: Visit, frame_: int, count_: int, edit_: Edit) -> Generator[Update, None, None]:
            if visit_.video is not None and int(frame_) != visit_.frame:
                yield (yield from prepare(replace(visit_, frame=int(frame_)), count_, edit_))

        @page.toasts
        def propose_anew(visit_: Visit, count_: int, edit_: Edit) -> Generator[Update, None, None]:
            if visit_.empty:
                raise UserError("Add a picture or a video first, or show a simulated tabletop.")
            yield (yield from prepare(visit_, count_, edit_))

        def click(visit_: Visit, edit_: Edit, at: gr.SelectData) -> Update:
            return shown(visit_.edited(edit_, *at.index), edit_)

        def delete_all(visit_: Visit, edit_: Edit) -> Update:
            return shown(replace(visit_, marks={}, held=None), edit_)

        def choose_edit(visit_: Visit, edit_: Edit) -> Update:
            return shown(replace(visit_, held=None), edit_)

        opening = {**quick, "trigger_mode": "multiple"}
        files_only = {**opening, "preprocess": False}  # the file as it came: a broken one is told in our words
        preparing = [*marked, progress, stop]
        running = [
            file.change(open_file, [file, count, edit], [*preparing, frame, *pane.shown], **files_only),
            scene.click(open_scene, [seed, shaky, edit], [*preparing, frame, task, *pane.shown], **opening),
            another.click(lambda seed_: int(seed_ or 0) + 1, seed, seed, **quick).then(
                open_scene, [seed, shaky, edit], [*preparing, frame, task, *pane.shown], **opening
            ),
            frame.change(seek, [visit, frame, count, edit], preparing, trigger_mode="always_last", **quick),
            propose.click(propose_anew, [visit, count, edit], preparing, **opening),
        ]
        canvas.select(click, [visit, edit], marked, **quick)
        clear.click(delete_all, [visit, edit], marked, **quick)
        edit.change(choose_edit, [visit, edit], marked, **quick)

        @page.toasts
        def list_datasets(upload: dict[str, Any] | None) -> gr.Dropdown:
            names = sorted(read_statistics(Path(page.uploaded(upload)))) if upload else []
            return gr.Dropdown(names, value=names[0] if names else None)

        statistics.change(list_datasets, statistics, dataset, preprocess=False, **quick)

        @page.toasts
        def run(
            visit_: Visit, text: str, edit_: Edit, frame_: int, seconds_: float | None, *given: Any
        ) -> Generator[Update, None, None]:
            if visit_.empty:
                raise UserError("Add a picture or a video first, or show a simulated tabletop.")
            options = read_options(*given)
            if visit_.video is not None and int(frame_) != visit_.frame:  # the slider has just been moved
                update = yield from prepare(replace(visit_, frame=int(frame_)), options.count, edit_)
                visit_ = update[visit]
                yield update
            done: list[str] = []
            now = "reading the frame"
            yield pane.clear() | {progress: cards.stages(done, now), stop: gr.Button(interactive=True)}

            def report(stage: str) -> Update:
                nonlocal done, now
                if stage.split(":")[0] != now.split(":")[0]:
                    done = [*done, now]
                now = stage
                return {progress: cards.stages(done, now)}

            try:
                observation = visit_.observe(seconds_)
                step = yield from passing_on(planner.plan(observation, text or "", visit_.marks, options), report)
                yield pane.show(step, observation) | {notes: cards.notes(planner.notes)}
                if step.marks != dict(visit_.marks):  # the planner had to add one
                    yield shown(replace(visit_, marks=step.marks, held=None), edit_)
                clip = (yield from passing_on(pane.make_film(step, observation), report)) if step.paths else {}
            except Exception:
                yield idle()
                raise
            yield clip | {progress: cards.seconds(step), stop: gr.Button(interactive=False)}

        planning = gr.on(
            [submit.click, task.submit],
            run,
            [visit, task, edit, frame, seconds, which, count, steps, speed, act, statistics, dataset],
            [*marked, progress, stop, notes, *pane.shown],
            concurrency_id=QUEUE,
            concurrency_limit=1,
            trigger_mode="multiple",  # else a plan sent right after a stop would be ignored
            preprocess=False,
            show_progress="hidden",
            api_visibility="private",
        )
        stop.click(
            lambda: {progress: cards.stages(["stopped"], None), stop: gr.Button(interactive=False)},
            None,
            [progress, stop],
            cancels=[planning, *running],
            queue=False,
            api_visibility="private",
        )
        add_api(planner, QUEUE)
    return blocks


def read_options(
    which: PlannerName,
    count: float,
    steps: float,
    speed: float | None,
    act: bool,
    statistics: dict[str, Any] | None,
    dataset: str | None,
) -> Options:
    name, chosen = choose_statistics(page.uploaded(statistics), dataset) if statistics else (None, None)
    return Options(int(steps), speed, which, int(count), action=act, dataset=name, statistics=chosen)


def main() -> int:
    parser = page.page_arguments("The robot planner's page.")
    add_model_argument(parser)
    given = parser.parse_args()
    try:
        planner = RobotPlanner(given.model)
        if given.model != "auto":
            planner.load()  # what is named may be misspelt: better told now than to the first visitor
        page.serve(build_page(planner), given.host, given.port, given.mcp)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
