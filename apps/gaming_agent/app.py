"""The gaming agent's page: python apps/gaming_agent/app.py [--model --host --port --mcp]"""

from __future__ import annotations

import sys
from pathlib import Path

if __package__ in (None, ""):  # run as a script: the folder on the path is this one, not the repository
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import secrets
import time
from collections.abc import Generator, Iterable
from dataclasses import asdict
from typing import Any, get_args

import gradio as gr

from apps.gaming_agent import cards
from apps.gaming_agent.agent import Episode, GameSettings, GamingAgent, Looks, Policy
from apps.gaming_agent.api import add_api
from apps.gaming_agent.game import MAX_SIZE
from apps.gaming_agent.leaderboard_tab import LeaderboardTab
from apps.gaming_agent.play import add_model_argument
from apps.gaming_agent.recording import from_json, recording_of, to_json
from apps.gaming_agent.recording_tab import RecordingTab
from apps.gaming_agent.visit import Visit, known
from core import page  # turns telemetry off
from core.errors import UserError
from core.skills import Direction, Move, format_move

STYLE = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
ARROWS: dict[Direction, str] = {"left": "\u2190", "up": "\u2191", "down": "\u2193", "right": "\u2192"}

KEEP = "(saved) => { try { sessionStorage.setItem('gaming-agent', saved); } catch {} }"
KEPT = "() => { try { return [sessionStorage.getItem('gaming-agent') ?? '']; } catch { return ['']; } }"
"""The game lies in the browser's tab too, so that it outlives a reload; some browsers are set to keep nothing."""

KEYS = """() => {
  window.pressed = [];
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[id^=move-]");
    if (button) window.pressed.push(button.id.replace("move-", ""));
  }, true);
  let last = 0;
  document.addEventListener("keydown", (event) => {
    const button = document.querySelector(`#move-${event.key.replace("Arrow", "").toLowerCase()}`);
    if (!event.key.startsWith("Arrow") || !button || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    event.preventDefault();
    if (event.repeat && event.timeStamp - last < 110) return;  // a key held down
    last = event.timeStamp;
    button.click();
  });
  // A choice made with the mouse leaves the arrow keys to the game; by keyboard they go on choosing.
  document.addEventListener("pointerup", () => setTimeout(() => {
    if (document.activeElement?.type === "radio") document.activeElement.blur();
  }));
}"""
TAKE = "(visit) => [visit, window.pressed.splice(0).join(' ')]"
"""Keys come faster than answers: those pressed while one is awaited go together, so that none is lost or overtaken."""


def build_page(agent: GamingAgent) -> gr.Blocks:
    with gr.Blocks(
        title="Gaming agent", fill_width=True, analytics_enabled=False, delete_cache=(3600, page.FILES_LIVE)
    ) as blocks:
        gr.HTML(
            f'<style>{STYLE}</style><div class="masthead"><h1>Gaming agent</h1>'
            "<p>A robot collects green blocks. Watch a model find the way by the marks it sees, or play yourself.</p>"
            "</div>",
            padding=False,
        )
        notes = gr.HTML(page.notes([agent.note]), elem_id="notes", padding=False)
        visit = gr.State(None, time_to_live=page.FILES_LIVE)
        saved, pressed = (gr.Textbox(visible=False) for _ in range(2))
        with gr.Tabs():
            with gr.Tab("Play"), gr.Row(equal_height=False):
                with gr.Column(scale=5, min_width=340):
                    board = gr.HTML(elem_id="board")
                    with gr.Row(visible=False, elem_id="pad") as pad:
                        arrows = {
                            direction: gr.Button(arrow, elem_id=f"move-{direction}", min_width=60, size="lg")
                            for direction, arrow in ARROWS.items()
                        }
                    with gr.Row():
                        start = gr.Button("Start", variant="primary", interactive=False, elem_id="start", min_width=80)
                        pause = gr.Button("Pause", variant="stop", interactive=False, elem_id="pause", min_width=80)
                        step = gr.Button("Step", interactive=False, elem_id="step", min_width=80)
                        reset = gr.Button("Reset", interactive=False, elem_id="reset", min_width=80)
                    speed = gr.Slider(1, 20, 8, step=1, label="Speed, moves per second at most", elem_id="speed")
                    with gr.Row(equal_height=True):
                        seed = gr.Number(0, label="Seed", precision=0, minimum=0, min_width=120, elem_id="seed")
                        other_seed = gr.Button("Another seed", min_width=120, elem_id="other-seed")
                with gr.Column(scale=6, min_width=420):
                    policy = gr.Radio(choices(get_args(Policy)), value="model", label="Who plays", elem_id="policy")
                    with gr.Accordion("Board and marks", open=False, elem_id="rules"):
                        rules = rule_inputs()
                    panel = gr.HTML(elem_id="panel")
            with gr.Tab("Leaderboard"):
                leaderboard = LeaderboardTab()
            with gr.Tab("Recording"):
                recording = RecordingTab()

        game_inputs = [policy, seed, *rules]
        shown = [board, panel, saved, notes]
        controls = [start, pause, step, reset, pad]

        def show(visit_: Visit) -> dict[gr.components.Component, Any]:
            """What changes with every step."""
            episode = visit_.episode
            with episode.turn:
                return {
                    board: cards.board(episode),
                    panel: cards.panel(episode),
                    saved: to_json(recording_of(episode)),
                    notes: page.notes([agent.note]),
                }

        def before(episode: Episode) -> str:
            """What is told while a step is awaited."""
            loads = episode.policy == "model" and not agent.loaded
            return page.notes(["Loading the model \u2026" if loads else agent.note])

        def control(visit_: Visit) -> dict[Any, Any]:
            """What changes when a game begins, runs, pauses or ends."""
            episode, running = visit_.episode, visit_.running is not None
            can_go_on = not running and not episode.over and episode.policy != "person"
            return {
                start: gr.Button(interactive=can_go_on),
                pause: gr.Button(interactive=running),
                step: gr.Button(interactive=can_go_on),
                reset: gr.Button(interactive=True),
                pad: gr.Row(visible=episode.policy == "person"),
            }

        def restored(visit_: Visit) -> dict[Any, Any]:
            """The widgets as the game has them."""
            settings = asdict(visit_.episode.settings)
            values = [visit_.episode.policy, settings.pop("seed"), *settings.values()]
            return dict(zip(game_inputs, values, strict=True)) | show(visit_) | control(visit_)

        def open_page(kept: str) -> dict[Any, Any]:
            try:
                episode = from_json(kept) if kept else Episode(GameSettings(), "model")
            except UserError:  # of an older version of this program
                episode = Episode(GameSettings(), "model")
            visit_ = Visit(episode)
            return restored(visit_) | {visit: visit_}

        @page.toasts
        def begin_game(visit_: Visit | None, *given: Any) -> dict[Any, Any]:
            visit_ = known(visit_)
            visit_.begin(read_game(*given))
            return show(visit_) | control(visit_)

        @page.toasts
        def run(visit_: Visit | None, moves_per_second: float) -> Generator[dict[Any, Any], None, None]:
            visit_ = known(visit_)
            episode, me = visit_.episode, visit_.start(moves_per_second)
            yield control(visit_) | {notes: before(episode)}
            try:
                while visit_.running is me and not episode.over:
                    due = time.perf_counter() + 1 / visit_.moves_per_second
                    agent.step(episode)
                    yield show(visit_)
                    time.sleep(max(0.0, due - time.perf_counter()))
            except Exception:
                visit_.stop(me)
                yield control(visit_) | {notes: page.notes([agent.note])}
                raise
            visit_.stop(me)
            # Where another game was begun meanwhile, the last step of this one may reach the page after it.
            yield show(visit_) | control(visit_)

        @page.toasts
        def one_step(visit_: Visit | None) -> Generator[dict[Any, Any], None, None]:
            visit_ = known(visit_)
            yield {notes: before(visit_.episode)}
            try:
                agent.step(visit_.episode)
            except Exception:
                yield {notes: page.notes([agent.note])}
                raise
            yield show(visit_) | control(visit_)

        @page.toasts
        def own_moves(visit_: Visit | None, directions: str) -> dict[Any, Any]:
            visit_ = known(visit_)
            episode = visit_.episode
            moves = [Move(direction) for direction in directions.split() if direction in ARROWS]
            if moves:
                episode.require_under_way()
            for move in moves[: episode.settings.steps - len(episode.steps)]:
                agent.step(episode, format_move(move, episode.view.marks))
            return show(visit_)

        @page.toasts
        def pause_game(visit_: Visit | None) -> dict[Any, Any]:
            visit_ = known(visit_)
            visit_.running = None
            return control(visit_)

        # Every visitor's game goes on beside the others': the engine itself lets one model call in at a time.
        free = {"concurrency_limit": None, "show_progress": "hidden", "api_visibility": "private"}
        many = free | {"trigger_mode": "multiple"}
        blocks.load(open_page, saved, [visit, *game_inputs, *shown, *controls], js=KEPT, **free)
        saved.change(None, saved, None, js=KEEP, api_visibility="private")
        start.click(run, [visit, speed], [*shown, *controls], **many)
        step.click(one_step, visit, [*shown, *controls], **many)
        presses = [button.click for button in arrows.values()]
        gr.on(presses, own_moves, [visit, pressed], shown, js=TAKE, trigger_mode="always_last", **free)
        pause.click(pause_game, visit, controls, **free)
        set_pace = page.toasts(lambda visit_, value: known(visit_).pace(value))
        speed.input(set_pace, [visit, speed], None, trigger_mode="always_last", **free)
        reset.click(begin_game, [visit, *game_inputs], [*shown, *controls], **free)
        gr.on(
            [chosen.input for chosen in game_inputs],
            begin_game,
            [visit, *game_inputs],
            [*shown, *controls],
            trigger_mode="always_last",
            **free,
        )
        other_seed.click(lambda: secrets.randbelow(10_000), None, seed, **free).then(
            begin_game, [visit, *game_inputs], [*shown, *controls], **free
        )
        leaderboard.wire(agent, game_inputs, read_settings)
        recording.wire(visit)

        @page.toasts
        def open_recording(visit_: Visit | None, file: Any) -> dict[Any, Any]:
            visit_ = known(visit_)
            visit_.begin(recording.read(file))
            return restored(visit_)

        recording.open.upload(
            open_recording, [visit, recording.open], [*game_inputs, *shown, *controls], preprocess=False, **free
        )
        add_api(agent)
    return blocks


def choices(policies: Iterable[Policy]) -> list[tuple[str, Policy]]:
    return [(cards.NAMES[policy], policy) for policy in policies]


def rule_inputs() -> list[gr.components.Component]:
    """In the order of GameSettings' fields, after the seed."""
    default = GameSettings()
    return [
        gr.Slider(4, MAX_SIZE, default.size, step=1, label="Cells a side"),
        gr.Slider(1, 6, default.blocks, step=1, label="Blocks at once"),
        gr.Slider(0, 40, default.obstacles, step=1, label="Obstacles"),
        gr.Slider(10, 500, default.steps, step=10, label="Steps of a game"),
        gr.Checkbox(default.permute_marks, label="Number the marks anew at every step"),
        gr.Radio(get_args(Looks), value=default.looks, label="Looks, chosen by the seed"),
    ]


def read_settings(seed: int | None, *rules: Any) -> GameSettings:
    if seed is None:
        raise UserError("Give a seed: a whole number, such as 0.")
    size, blocks, obstacles, steps, permute_marks, looks = rules
    return GameSettings(int(seed), int(size), int(blocks), int(obstacles), int(steps), bool(permute_marks), looks)


def read_game(policy: Policy, seed: int | None, *rules: Any) -> Episode:
    return Episode(read_settings(seed, *rules), policy)


def main() -> int:
    parser = page.page_arguments("The gaming agent's page.")
    add_model_argument(parser)
    given = parser.parse_args()
    try:
        page.serve(build_page(GamingAgent(given.model)), given.host, given.port, given.mcp, js=KEYS, max_threads=200)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
