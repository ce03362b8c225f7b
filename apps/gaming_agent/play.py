"""The gaming agent on the command line.

python -m apps.gaming_agent.play --policy random,shortest,model --seeds 0-19 [--json FILE|-] [--record OUT.mp4]
python -m apps.gaming_agent.play --replay GAME.json [--record OUT.gif]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from tqdm import tqdm

from apps.gaming_agent.agent import Episode, GameSettings, GamingAgent, Looks, Policy
from apps.gaming_agent.film import FRAMES_PER_SECOND, film
from apps.gaming_agent.recording import from_json, recording_of
from apps.gaming_agent.scores import Score, percent, play_seeds, read_seeds
from core.errors import UserError
from core.files import write_text
from core.generators import finish
from core.video import write_video

POLICIES = tuple(policy for policy in get_args(Policy) if policy != "person")
"""Those that play by themselves."""


def main(arguments: Sequence[str] | None = None) -> int:
    given = _arguments().parse_args(arguments)
    try:
        for output in filter(None, (given.json, given.record)):  # told before the games, not after
            if not Path(output).parent.is_dir():
                raise UserError(f"{output} cannot be written: its folder does not exist.")
        if given.record and not given.record.lower().endswith((".mp4", ".gif")):
            raise UserError(f"{given.record}: a clip is written as .mp4 or .gif.")
        return _replay(given) if given.replay else _play(given)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _arguments() -> argparse.ArgumentParser:
    default = GameSettings()
    parser = argparse.ArgumentParser(
        prog="python -m apps.gaming_agent.play",
        description="Play the game by one policy or several on the same seeds, and print how well each did.",
    )
    parser.add_argument(
        "--policy", default="model", help=f"one or several of {', '.join(POLICIES)} (default: %(default)s)"
    )
    add_model_argument(parser)
    parser.add_argument("--seeds", default="0-19", help="such as 0-19 or 3,5,8 (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=default.steps, help="of each game (default: %(default)s)")
    parser.add_argument("--size", type=int, default=default.size, help="cells a side (default: %(default)s)")
    parser.add_argument(
        "--blocks", type=int, default=default.blocks, help="green blocks at once (default: %(default)s)"
    )
    parser.add_argument("--obstacles", type=int, default=default.obstacles, help="walled cells (default: %(default)s)")
    parser.add_argument("--permute-marks", action="store_true", help="number the marks anew at every step")
    parser.add_argument(
        "--looks", choices=get_args(Looks), default=default.looks, help="of the boards (default: %(default)s)"
    )
    parser.add_argument("--json", metavar="FILE", help="write scores and recordings; - writes them to standard output")
    parser.add_argument("--record", metavar="MP4", help="film (.mp4 or .gif) of the first game")
    parser.add_argument("--replay", metavar="JSON", help="play a recording again, in place of new games")
    return parser


def add_model_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="auto", help="auto, mini, a hub id or a folder (default: %(default)s)")


def _play(given: argparse.Namespace) -> int:
    settings = GameSettings(
        size=given.size,
        blocks=given.blocks,
        obstacles=given.obstacles,
        steps=given.steps,
        permute_marks=given.permute_marks,
        looks=given.looks,
    )
    games = [replace(settings, seed=seed) for seed in read_seeds(given.seeds)]
    policies = tuple(dict.fromkeys(given.policy.split(",")))
    if unknown := [policy for policy in policies if policy not in POLICIES]:
        raise UserError(f"There is no policy {unknown[0]!r}: give some of {', '.join(POLICIES)}.")
    settings.start()  # settings that cannot be played are told before a model is loaded
    agent = GamingAgent(given.model)
    if "model" in policies:
        agent.load()
        print(agent.note, file=sys.stderr)
    scores, recordings, first = [], [], None
    for policy in policies:
        with tqdm(total=len(games) * settings.steps, desc=policy, unit="step", disable=None) as bar:
            episodes, score = finish(play_seeds(agent, games, policy), lambda step, bar=bar: bar.update())
        scores.append(score)
        recordings += [recording_of(episode) for episode in episodes]
        first = first or episodes[0]
    result = json.dumps({"scores": scores, "games": recordings}, indent=1) + "\n"
    if given.json == "-":
        sys.stdout.write(result)
    else:
        if given.json:
            write_text(given.json, result)
        print(table(scores))
    _record(first, given.record)
    return 0


def _replay(given: argparse.Namespace) -> int:
    try:
        text = Path(given.replay).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"{given.replay} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    episode = from_json(text)
    share = percent(episode.score, episode.shortest)
    print(
        f"{episode.model or episode.policy}: {len(episode.steps)} steps, {episode.score} blocks, "
        f"{_percent(share)} of the shortest path, {episode.refusals} refusals"
    )
    _record(episode, given.record)
    return 0


def _record(episode: Episode, path: str | None) -> None:
    if path:
        finish(write_video(path, film(episode), FRAMES_PER_SECOND))


def table(scores: Sequence[Score]) -> str:
    """In Markdown, for people and READMEs."""
    lines = [
        "| policy | games | mean score (95 % interval) | of the shortest path | refusals | steps per second |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {score['model'] or score['policy']} | {score['games']} | {score['mean']:.2f} ({score['low']:.2f} to "
        f"{score['high']:.2f}) | {_percent(score['percent'])} | {score['refusals']} of {score['steps']} | "
        f"{score['steps_per_second']:.1f} |"
        for score in scores
    ]
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1f} %"


if __name__ == "__main__":
    sys.exit(main())
