"""Several policies on the same seeds, as a table that grows while they play."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import gradio as gr

from apps.gaming_agent import cards
from apps.gaming_agent.agent import GameSettings, GamingAgent, Policy
from apps.gaming_agent.scores import Score, play_seeds, read_seeds
from core import page
from core.errors import UserError

REPORT_EVERY = 0.25
"""Seconds between two words of progress: a page that is told more often lags behind, and shows it after a stop."""


class LeaderboardTab:
    """Its components, created where it is constructed."""

    def __init__(self) -> None:
        gr.HTML('<div class="notes">Everybody plays the same games, on the board that is set up under Play.</div>')
        with gr.Row():
            self.policies = gr.CheckboxGroup(
                [("model", "model"), ("shortest path", "shortest"), ("random", "random")],
                value=["model", "shortest", "random"],
                label="Who competes",
                elem_id="competitors",
            )
            self.seeds = gr.Textbox("0-4", label="Seeds", info="Such as 0-19 or 3,5,8.", elem_id="seeds")
        with gr.Row():
            self.compare = gr.Button("Compare", variant="primary", elem_id="compare")
            self.stop = gr.Button("Stop", variant="stop", interactive=False, elem_id="stop-comparing")
        self.status = gr.HTML(elem_id="comparing")
        self.table = gr.HTML(cards.leaderboard([]), elem_id="leaderboard")

    def wire(
        self,
        agent: GamingAgent,
        game_inputs: Sequence[gr.components.Component],
        read_settings: Callable[..., GameSettings],
    ) -> None:
        @page.toasts
        def compare(policies: list[Policy], seeds: str, _: Policy, *given: Any) -> Generator[Any, None, None]:
            yield from self._compare(agent, policies, seeds, read_settings(*given))

        comparing = self.compare.click(
            compare,
            [self.policies, self.seeds, *game_inputs],
            [self.status, self.table, self.stop],
            concurrency_limit=4,
            trigger_mode="multiple",  # else one sent right after a stop would be ignored
            show_progress="hidden",
            api_visibility="private",
        )
        page.stops(self.stop, comparing, self.status)

    def _compare(
        self, agent: GamingAgent, policies: Sequence[Policy], seeds: str, settings: GameSettings
    ) -> Generator[dict[gr.components.Component, Any], None, None]:
        games = [replace(settings, seed=seed) for seed in read_seeds(seeds)]
        settings.start()  # settings that cannot be played are told before a model is loaded
        if not policies:
            raise UserError("Choose who competes.")
        scores: list[Score] = []
        yield {self.table: cards.leaderboard(scores), self.stop: gr.Button(interactive=True)}
        try:
            for policy in policies:
                scores.append((yield from self._play(agent, policy, games)))
                yield {self.table: cards.leaderboard(scores)}
        except Exception:
            yield {self.status: page.stages([], None), self.stop: gr.Button(interactive=False)}
            raise
        yield {self.status: page.stages([f"{len(games)} games each"], None), self.stop: gr.Button(interactive=False)}

    def _play(
        self, agent: GamingAgent, policy: Policy, games: Sequence[GameSettings]
    ) -> Generator[dict[gr.components.Component, Any], None, Score]:
        taken, total = 0, sum(game.steps for game in games)
        with closing(play_seeds(agent, games, policy)) as work:
            due = 0.0
            while True:
                if time.monotonic() >= due:
                    yield {self.status: page.stages([], f"{policy}: step {taken:,} of {total:,}")}
                    due = time.monotonic() + REPORT_EVERY
                try:
                    next(work)
                except StopIteration as stop:
                    return stop.value[1]
                taken += 1
