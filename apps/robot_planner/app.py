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

from apps.robot_planner.actions import choose_statistics
from apps.robot_planner.agent import RobotPlanner
from apps.robot_planner.api import add_api
from apps.robot_planner.plan import add_model_argument
from apps.robot_planner.result_pane import ResultPane
from apps.robot_planner.source_pane import NOTHING, FramePane, Source, SourceTabs
from apps.robot_planner.step import DEFAULT_MARKS, DEFAULT_STEPS, MAX_STEPS, Options, PlannerName
from apps.robot_planner.visit import Edit, Visit
from core import page  # turns telemetry off
from core.errors import UserError
from core.generators import passing_on
from core.robot_actions import read_statistics

ROOT = Path(__file__).resolve().parents[2]
QUEUE = "model"
"""The concurrency group of everything that runs models: one at a time, the others wait their turn."""

TASKS = (
    "push the red block to the left edge of the table",
    "pick up the green cylinder",
    "put the blue cup next to the yellow box",
)
EXAMPLE = str(ROOT / "assets" / "clips" / "lower_the_tea_box.mp4"), "put the yellow box on the table"
Update = dict[gr.components.Component, Any]


def build_page(planner: RobotPlanner) -> gr.Blocks:
    with gr.Blocks(
        title="Robot planner", fill_width=True, analytics_enabled=False, delete_cache=(3600, page.FILES_LIVE)
    ) as blocks:
        gr.HTML(
            '<div class="masthead"><h1>Robot planner</h1>'
            "<p>Give it a picture, a video or a simulated tabletop, and a task: it plans what moves where.</p></div>",
            padding=False,
        )
        notes = gr.HTML(page.notes(["Loading the model \u2026"]), elem_id="notes", padding=False)
        visit = gr.State(Visit(), time_to_live=page.FILES_LIVE)
        with gr.Row(equal_height=False):
            with gr.Column(scale=5, min_width=360):
                tabs = SourceTabs()
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
                marking = FramePane()
                gr.Examples([list(EXAMPLE)], [tabs.file, task], label="A real clip")
                gr.Examples([[text] for text in TASKS], [task], label="Tasks")
                with gr.Accordion("Settings", open=False), gr.Row():
                    settings = plan_settings()
            with gr.Column(scale=7, min_width=480):
                progress = gr.HTML(page.stages([], None), elem_id="progress")
                pane = ResultPane()

        # The first visitor's page loads the model, so that it is there by the time of the first plan.
        blocks.load(
            page.toasts(lambda: page.notes(planner.warm_up())),
            None,
            notes,
            concurrency_id=QUEUE,
            concurrency_limit=1,
            show_progress="hidden",
            api_visibility="private",
        )
        source = Source(planner, marking, visit, progress, stop, task)
        preparing = connect(source, tabs, settings[2], pane)

        @page.toasts
        def run(
            visit_: Visit, text: str, edit: Edit, frame: float, seconds: float | None, *given: Any
        ) -> Generator[Update, None, None]:
            if visit_.empty:
                raise UserError(NOTHING)
            options = read_options(*given)
            visit_ = yield from source.seek(visit_, frame, options.count, edit)  # the slider may just have been moved
            tell = page.growing_stages()
            yield pane.clear() | {progress: tell("reading the frame"), stop: gr.Button(interactive=True)}

            def report(stage: str) -> Update:
                return {progress: tell(stage)}

            try:
                observation = visit_.observe(seconds)
                step = yield from passing_on(planner.plan(observation, text or "", visit_.marks, options), report)
                yield pane.show(step, observation) | {notes: page.notes(planner.notes)}
                if step.marks != dict(visit_.marks):  # the planner had to add one
                    yield source.shown(replace(visit_, marks=step.marks, held=None), edit)
                clip = (yield from passing_on(pane.make_film(step, observation), report)) if step.paths else {}
            except Exception:
                yield source.idle()
                raise
            yield clip | {progress: page.seconds(step.seconds), stop: gr.Button(interactive=False)}

        planning = gr.on(
            [submit.click, task.submit],
            run,
            [visit, task, marking.edit, marking.frame, *settings],
            [*source.marked, progress, stop, notes, *pane.shown],
            concurrency_id=QUEUE,
            concurrency_limit=1,
            trigger_mode="multiple",  # else a plan sent right after a stop would be ignored
            preprocess=False,
            show_progress="hidden",
            api_visibility="private",
        )
        page.stops(stop, [planning, *preparing], progress)
        add_api(planner, QUEUE)
    return blocks


def connect(
    source: Source, tabs: SourceTabs, count: gr.components.Component, results: ResultPane
) -> list[gr.events.Dependency]:
    """Wire the choice of a frame and its marks; gives the events that can be stopped."""
    frame, visit = source.pane, source.state
    quick = {"show_progress": "hidden", "api_visibility": "private"}
    slow = {**quick, "trigger_mode": "multiple"}
    scene = ([tabs.seed, tabs.shaky, frame.edit], source.prepared)
    opened = page.toasts(source.open_scene)
    events = [
        # The file as it came: what cannot be read is told in our words.
        tabs.file.change(
            page.toasts(source.open_file), [tabs.file, count, frame.edit], source.prepared, preprocess=False, **slow
        ),
        tabs.scene.click(opened, *scene, **slow),
        tabs.another.click(lambda seed: int(seed or 0) + 1, tabs.seed, tabs.seed, **quick).then(opened, *scene, **slow),
        frame.frame.change(
            page.toasts(source.seek),
            [visit, frame.frame, count, frame.edit],
            source.prepared,
            trigger_mode="always_last",
            **quick,
        ),
        frame.propose.click(page.toasts(source.propose), [visit, count, frame.edit], source.prepared, **slow),
    ]
    for event in events[:3]:
        event.then(results.clear, None, results.shown, **quick)
    frame.canvas.select(source.click, [visit, frame.edit], source.marked, **quick)
    frame.clear.click(source.delete_all, [visit, frame.edit], source.marked, **quick)
    frame.edit.change(source.put_down, [visit, frame.edit], source.marked, **quick)
    return events


def plan_settings() -> list[gr.components.Component]:
    """The video's seconds, then the arguments of ``read_options`` in their order."""
    seconds = gr.Number(
        None,
        label="Seconds",
        info="Of the video, that the steps cover. Empty: what is left, at most 4.",
        elem_id="seconds",
    )
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
    action = gr.Checkbox(False, label="The 7-DoF action too", elem_id="act")
    statistics = gr.File(label="dataset_statistics.json", file_types=[".json"], height=100, elem_id="statistics")
    dataset = gr.Dropdown([], label="Units of the data set", elem_id="dataset")
    statistics.change(
        page.toasts(list_datasets),
        statistics,
        dataset,
        preprocess=False,
        show_progress="hidden",
        api_visibility="private",
    )
    return [seconds, which, count, steps, speed, action, statistics, dataset]


def list_datasets(upload: dict[str, Any] | None) -> gr.Dropdown:
    """The names in the statistics that were uploaded, the first one chosen."""
    names = sorted(read_statistics(Path(page.uploaded(upload)))) if upload else []
    return gr.Dropdown(names, value=names[0] if names else None)


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
