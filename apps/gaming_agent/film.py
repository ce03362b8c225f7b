"""A game as a film: the board as the player saw it at each step, and below it who plays, the reply and the score."""

from __future__ import annotations

from collections.abc import Iterator

from PIL import Image, ImageDraw

from apps.gaming_agent.agent import Episode, Step
from apps.gaming_agent.scores import percent
from core.fonts import font_for

FRAMES_PER_SECOND = 8
SIDE = 480
"""Pixels of the board."""

HOLD = 12
"""Frames for which the end is shown."""

BACKGROUND, TEXT, FAINT = "#1b1b1f", "#ffffff", "#a5a9b4"


def film(episode: Episode) -> Iterator[Image.Image]:
    """RGB frames of one size, one for each step and then the end. The frames follow from the recording alone."""
    for step in episode.steps:
        yield _frame(step.view.picture(SIDE), _players_line(episode), _step_line(step, episode))
    end = _end_line(episode)
    for _ in range(HOLD):
        yield _frame(episode.view.plain_picture(SIDE), _players_line(episode), end)


def _frame(board: Image.Image, *lines: str) -> Image.Image:
    size = SIDE // 28
    frame = Image.new("RGB", (SIDE, SIDE + 4 * size), BACKGROUND)
    frame.paste(board, (0, 0))
    draw = ImageDraw.Draw(frame)
    for row, (line, colour) in enumerate(zip(lines, (FAINT, TEXT), strict=True)):
        face = font_for(line, size)
        while len(line) > 1 and face.getlength(line) > SIDE - size:
            line = line[:-2] + "\u2026"
        draw.text((size // 2, SIDE + (1.2 + 1.6 * row) * size), line, font=face, fill=colour, anchor="lm")
    return frame


def _players_line(episode: Episode) -> str:
    settings = episode.settings
    player = episode.model or episode.policy
    return f"{player}, seed {settings.seed}, {settings.size} x {settings.size}"


def _step_line(step: Step, episode: Episode) -> str:
    reply = " ".join(step.reply.split())[:20]
    return (
        f'{step.view.number}/{episode.settings.steps}  "{reply}": {step.direction or "refused"}   '
        f"blocks {step.score}, shortest path {step.shortest}"
    )


def _end_line(episode: Episode) -> str:
    share = percent(episode.score, episode.shortest)
    told = f" ({share:g} % of the shortest path)" if share is not None else ""
    word = "game over" if episode.over else f"after {len(episode.steps)} steps"
    return f"{word}: {episode.score} blocks{told}"
