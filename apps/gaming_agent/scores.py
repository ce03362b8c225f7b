"""How well a policy plays: many games, one row of a table."""

from __future__ import annotations

import re
import time
from collections.abc import Generator, Sequence
from typing import TypedDict

import numpy as np

from apps.gaming_agent.agent import Episode, GameSettings, GamingAgent, Policy, Step
from core.errors import UserError

RESAMPLES = 10_000
MAX_GAMES = 10_000
"""Of one comparison."""


class Score(TypedDict):
    """``mean`` is of the games' scores, ``low`` and ``high`` its 95 % interval (percentile bootstrap over the games;
    both equal the mean of a single game). ``percent`` is of all blocks that the shortest-path policy collects in the
    same games, None where that collects none; it goes to the nearest block first, so with several blocks it can be
    beaten. ``refusals`` and ``steps`` are those of all games together; ``steps_per_second`` counts everything but the
    loading of the model."""

    policy: str
    model: str
    games: int
    mean: float
    low: float
    high: float
    percent: float | None
    refusals: int
    steps: int
    steps_per_second: float


def play_seeds(
    agent: GamingAgent, settings: Sequence[GameSettings], policy: Policy
) -> Generator[Step, None, tuple[list[Episode], Score]]:
    """A game on each of the settings, one after the other; yields every step."""
    if policy == "model":
        agent.load()
    began = time.perf_counter()
    episodes = []
    for game in settings:
        episode = Episode(game, policy)
        yield from agent.play(episode)
        episodes.append(episode)
    return episodes, score_of(episodes, time.perf_counter() - began)


def score_of(episodes: Sequence[Episode], seconds: float) -> Score:
    """Of games that one policy played in these seconds, at least one."""
    scores = np.array([episode.score for episode in episodes], float)
    generator = np.random.default_rng(0)  # seeded: the same games always give the same interval
    means = [generator.choice(scores, len(scores)).mean() for _ in range(RESAMPLES)]
    low, high = np.percentile(means, (2.5, 97.5))
    steps = sum(len(episode.steps) for episode in episodes)
    return Score(
        policy=episodes[0].policy,
        model=episodes[0].model,
        games=len(episodes),
        mean=round(float(scores.mean()), 3),
        low=round(float(low), 3),
        high=round(float(high), 3),
        percent=percent(sum(episode.score for episode in episodes), sum(episode.shortest for episode in episodes)),
        refusals=sum(episode.refusals for episode in episodes),
        steps=steps,
        steps_per_second=round(steps / seconds, 1),
    )


def percent(score: int, shortest: int) -> float | None:
    """Of the shortest-path policy's score."""
    return round(100 * score / shortest, 1) if shortest else None


def read_seeds(text: str) -> tuple[int, ...]:
    """``0-19``, ``3`` or ``0-4,7``, in this order. Raises UserError for anything else and for a seed named twice."""
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,10})(?:\s*-\s*(\d{1,10}))?\s*", part, re.ASCII)
        if not match:
            raise UserError(f"{text!r:.60} names no seeds: write 0-19 or 3,5,8.")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise UserError(f"{part.strip()} names no seeds: the lower comes first.")
        if len(seeds) + last - first >= MAX_GAMES:
            raise UserError(f"At most {MAX_GAMES:,} games are played, and {text!r:.60} names more seeds.")
        seeds += range(first, last + 1)
    if len(set(seeds)) < len(seeds):
        raise UserError(f"{text!r:.60} names a seed twice.")
    return tuple(seeds)
