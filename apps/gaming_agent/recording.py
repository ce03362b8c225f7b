"""A game as JSON: its settings, who played, and the replies. Playing it again gives the same game, byte for byte."""

from __future__ import annotations

import json
from typing import Any, TypedDict

from apps.gaming_agent.agent import MAX_REPLY, Episode, GameSettings, Policy
from core.errors import UserError

VERSION = 1
"""Of the rules and of this form; a recording of another one is refused."""

MAX_NAME = 200
"""Characters of a model's name."""


class Recording(TypedDict):
    """``replies`` has a text for every step, ``seconds`` the time that each took; the rest of the keys are those of
    GameSettings. ``score`` is what the replies lead to."""

    version: int
    seed: int
    size: int
    blocks: int
    obstacles: int
    steps: int
    permute_marks: bool
    looks: str
    policy: Policy
    model: str
    replies: list[str]
    seconds: list[float]
    score: int


def recording_of(episode: Episode) -> Recording:
    with episode.turn:
        return Recording(
            version=VERSION,
            **vars(episode.settings),
            policy=episode.policy,
            model=episode.model,
            replies=[step.reply for step in episode.steps],
            seconds=[step.seconds for step in episode.steps],
            score=episode.score,
        )


def to_json(recording: Recording) -> str:
    return json.dumps(recording) + "\n"


def from_json(text: str) -> Episode:
    """Raises UserError for what is no recording."""
    try:
        return replay(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise UserError("This is no recording of a game: it is not JSON.") from error


def replay(recording: Any) -> Episode:
    """Play the replies again. Raises UserError for what is no recording, or one whose replies give another score."""
    if not isinstance(recording, dict) or recording.keys() != Recording.__required_keys__:
        raise UserError("This is no recording of a game: it has other keys.")
    given = dict(recording)
    version, policy, model = given.pop("version"), given.pop("policy"), given.pop("model")
    replies, seconds, score = given.pop("replies"), given.pop("seconds"), given.pop("score")
    if version != VERSION:
        raise UserError(f"This recording is of version {version!r:.20}; this program plays version {VERSION}.")
    texts = isinstance(replies, list) and all(isinstance(reply, str) and len(reply) <= MAX_REPLY for reply in replies)
    times = isinstance(seconds, list) and all(type(value) in (int, float) and 0 <= value < 1e9 for value in seconds)
    named = isinstance(model, str) and len(model) <= MAX_NAME and isinstance(policy, str)
    if not (texts and times and named and len(replies) == len(seconds)):
        raise UserError("This is no recording of a game: a reply, a time or a name in it is none.")
    episode = Episode(GameSettings(**given), policy, model)
    for reply, value in zip(replies, seconds, strict=True):
        episode.take(reply, value)
    if score != episode.score:
        raise UserError(f"The recording's score is {score!r:.20}, but its replies collect {episode.score} blocks.")
    return episode
