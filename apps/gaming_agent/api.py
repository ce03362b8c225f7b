"""The game over HTTP and as MCP tools: /new_game, /step and /play. Names, arguments and results are kept stable.

Nothing is kept on the server: a game is its recording, which the caller holds and hands in with each step. So no caller
can touch another's game, a game can be gone back to and branched, and it outlives the server.
"""

# No "from __future__ import annotations" here: gr.api reads the result's type itself, not its name.

from dataclasses import replace
from typing import Literal, TypedDict

import gradio as gr

from apps.gaming_agent.agent import MAX_REPLY, QUESTION, Episode, GameSettings, GamingAgent, StepRecord
from apps.gaming_agent.cards import data_url
from apps.gaming_agent.game import MAX_STEPS, neighbours
from apps.gaming_agent.recording import Recording, recording_of, replay
from apps.gaming_agent.scores import Score, percent, play_seeds
from core import page
from core.errors import UserError
from core.generators import finish


class GameRecord(TypedDict):
    """``game`` is what the next step is called with. ``picture`` is the board with marks as a PNG in a data URL,
    ``question`` what the reply answers. ``marks`` lists the marks on the picture. ``last`` is the step just taken.
    ``score`` and ``shortest`` count the blocks, the player's and the shortest-path policy's."""

    game: Recording
    picture: str
    question: str
    marks: list[int]
    last: StepRecord | None
    score: int
    shortest: int
    percent: float | None
    steps_left: int


class PlayRecord(TypedDict):
    score: Score
    games: list[Recording]


def game_record(episode: Episode) -> GameRecord:
    view, drawn = episode.view, neighbours(episode.view.board)
    return GameRecord(
        game=recording_of(episode),
        picture=data_url(view.picture()),
        question=QUESTION,
        marks=[mark for mark, direction in view.marks.items() if direction in drawn],
        last=episode.steps[-1].record() if episode.steps else None,
        score=episode.score,
        shortest=episode.shortest,
        percent=percent(episode.score, episode.shortest),
        steps_left=episode.settings.steps - len(episode.steps),
    )


def add_api(agent: GamingAgent) -> None:
    """Add the endpoints to the page under construction."""

    @page.toasts
    def new_game(
        policy: Literal["person", "model", "shortest", "random"] = "person",
        seed: int = 0,
        size: int = 10,
        blocks: int = 1,
        obstacles: int = 0,
        steps: int = 100,
        permute_marks: bool = False,
        looks: Literal["default", "training", "held-out"] = "default",
    ) -> GameRecord:
        """Begin a game: a robot on a board collects green blocks. Gives the picture and the game, to call step with.

        Args:
            policy: Who plays: "person" means the caller, who sends the replies; the others play by themselves.
            seed: Decides the board, the places of the blocks and everything else that is random.
            size: Cells a side of the board, 2 to 20.
            blocks: Green blocks on the board at once.
            obstacles: Cells that cannot be entered.
            steps: Steps until the game is over.
            permute_marks: Number the marks anew at every step, instead of 1 up, 2 down, 3 left, 4 right.
            looks: How the board is drawn: "default", or by the seed in a look for "training" or a "held-out" one.
        """
        settings = GameSettings(seed, size, blocks, obstacles, steps, permute_marks, looks)
        return game_record(Episode(settings, policy))

    @page.toasts
    def step(game: Recording, reply: str = "") -> GameRecord:
        """Take one step of a game, and get the picture and the game after it.

        Args:
            game: The "game" that new_game or the step before gave.
            reply: The number of the mark to move to, such as "3", if you play. The other policies reply by themselves.
        """
        episode = replay(game)
        if bool(reply) != (episode.policy == "person"):
            told = "send a reply" if episode.policy == "person" else "send no reply, it gives its own"
            raise UserError(f"This game is played by {episode.policy}: {told}.")
        if len(reply) > MAX_REPLY:
            raise UserError(f"The reply is {len(reply):,} characters long; at most {MAX_REPLY:,} are read.")
        agent.step(episode, reply)
        return game_record(episode)

    @page.toasts
    def play(
        policy: Literal["model", "shortest", "random"] = "model",
        seed: int = 0,
        games: int = 1,
        size: int = 10,
        blocks: int = 1,
        obstacles: int = 0,
        steps: int = 100,
        permute_marks: bool = False,
        looks: Literal["default", "training", "held-out"] = "default",
    ) -> PlayRecord:
        """Play whole games by a policy and get its score, compared with the shortest path, and the games' recordings.

        Args:
            policy: Who plays: the "model", the "shortest" path, or "random" moves.
            seed: Of the first game; further games take the seeds after it.
            games: How many games; all their steps together are at most 10,000.
            size: Cells a side of the board, 2 to 20.
            blocks: Green blocks on the board at once.
            obstacles: Cells that cannot be entered.
            steps: Steps of each game.
            permute_marks: Number the marks anew at every step, instead of 1 up, 2 down, 3 left, 4 right.
            looks: How the board is drawn: "default", or by the seed in a look for "training" or a "held-out" one.
        """
        if policy == "person":
            raise UserError("A person plays with new_game and step.")
        if type(games) is not int or games < 1:
            raise UserError(f"At least one game is played, not {games!r:.40}.")
        settings = GameSettings(seed, size, blocks, obstacles, steps, permute_marks, looks)
        if games * steps > MAX_STEPS:
            raise UserError(f"{games} games of {steps} steps are more than {MAX_STEPS:,} steps: ask for fewer.")
        episodes, score = finish(
            play_seeds(agent, [replace(settings, seed=seed + number) for number in range(games)], policy)
        )
        return PlayRecord(score=score, games=[recording_of(episode) for episode in episodes])

    for endpoint in (new_game, step, play):
        gr.api(endpoint, api_name=endpoint.__name__, concurrency_id="api", concurrency_limit=16)
