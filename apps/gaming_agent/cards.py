"""The page's cards as HTML. All text that came out of a model, a file or from a person is escaped."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

from PIL import Image

from apps.gaming_agent.agent import QUESTION, Episode, Step
from apps.gaming_agent.scores import Score, percent

BOARD_SIDE = 640
"""Pixels of the large board; the model's own picture is shown beside it as it is."""

CHART_WIDTH, CHART_HEIGHT, CHART_EDGE = 600, 170, 26
NAMES = {"model": "model", "shortest": "shortest path", "random": "random", "person": "you"}
"""Of the policies, for people."""

OUTCOMES = {
    "moved": ("moved", ""),
    "collected": ("block collected", ""),
    "blocked": ("into a wall", "unsure"),
    "refused": ("refused", "none"),
}
"""Badge and tone of each outcome."""


def data_url(image: Image.Image) -> str:
    """The picture as a PNG inside the page itself: no file, no further request."""
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def board(episode: Episode) -> str:
    """The board as it stands, without marks, and the result once the game is over."""
    picture = data_url(episode.view.plain_picture(BOARD_SIDE))
    over = f'<div class="over"><b>Game over</b>{_result(episode)}</div>' if episode.over else ""
    return f'<div class="board"><img src="{picture}" alt="The board" decoding="sync">{over}</div>'


def _result(episode: Episode) -> str:
    share = percent(episode.score, episode.shortest)
    told = "" if share is None else f", {share:.0f} % of the shortest path"
    return f"{episode.score} blocks{told}"


def panel(episode: Episode) -> str:
    """Everything that is told beside the board."""
    return f'<div class="panel">{figures(episode)}{chart(episode)}{last_step(episode)}</div>'


def figures(episode: Episode) -> str:
    """Where the game stands, in numbers."""
    taken = len(episode.steps)
    share = percent(episode.score, episode.shortest)
    seconds = episode.steps[-1].seconds if taken else 0.0
    tiles = {
        "step": f"{taken}<small>/{episode.settings.steps}</small>",
        "blocks": f"{episode.score}",
        "shortest": f"{episode.shortest}",
        "of shortest": "\u2013" if share is None else f"{share:.0f}<small> %</small>",
        "per 100 steps": f"{100 * episode.score / taken:.1f}" if taken else "\u2013",
        "refusals": f"{episode.refusals}",
        "last reply": f"{1000 * seconds:,.0f}<small> ms</small>" if seconds else "\u2013",
    }
    return f'<div class="figures">{"".join(f"<div><b>{v}</b><span>{k}</span></div>" for k, v in tiles.items())}</div>'


def chart(episode: Episode) -> str:
    """The score at each step, the player's and the shortest-path policy's, as an SVG."""
    last = episode.settings.steps
    top = max(episode.shortest, episode.score, 1)
    width, height = CHART_WIDTH - 2 * CHART_EDGE, CHART_HEIGHT - 2 * CHART_EDGE

    def line(scores: Sequence[int]) -> str:
        moves, before = [f"M{CHART_EDGE} {CHART_EDGE + height}"], 0
        for number, score in enumerate(scores, 1):
            if score != before:
                moves.append(f"H{CHART_EDGE + width * number / last:.1f}V{CHART_EDGE + height * (1 - score / top):.1f}")
                before = score
        return "".join(moves) + f"H{CHART_EDGE + width * len(scores) / last:.1f}"

    played = line([step.score for step in episode.steps])
    shortest = line([step.shortest for step in episode.steps])
    base, right = CHART_EDGE + height, CHART_EDGE + width
    return (
        f'<svg class="chart" viewBox="0 0 {CHART_WIDTH} {CHART_HEIGHT}" role="img" aria-label="Score by step">'
        f'<path class="axis" d="M{CHART_EDGE} {CHART_EDGE}V{base}H{right}"/>'
        f'<path class="played" d="{played}"/><path class="shortest" d="{shortest}"/>'
        f'<text x="{CHART_EDGE - 6}" y="{CHART_EDGE + 4}" text-anchor="end">{top}</text>'
        f'<text x="{CHART_EDGE - 6}" y="{base + 4}" text-anchor="end">0</text>'
        f'<text x="{right}" y="{base + 17}" text-anchor="end">step {last}</text>'
        f'<path class="played" d="M{CHART_EDGE + 8} 12h22"/><text x="{CHART_EDGE + 36}" y="16">'
        f"{escape(_player(episode))}</text>"
        f'<path class="shortest" d="M{CHART_EDGE + 200} 12h22"/>'
        f'<text x="{CHART_EDGE + 228}" y="16">shortest path</text></svg>'
    )


def last_step(episode: Episode) -> str:
    """The picture with marks that the last reply answers, the reply, and what came of it; before the first step, the
    picture that it will answer."""
    step = episode.steps[-1] if episode.steps else None
    picture = data_url((step.view if step else episode.view).picture())
    return (
        f'<div class="verdict {OUTCOMES[step.outcome][1] if step else ""} seen"><img src="{picture}" '
        'alt="The board with marks" decoding="sync"><div><div class="by">Asked with this picture</div>'
        f"<p>{escape(QUESTION)}</p>"
        f"{_reply(step, _player(episode)) if step else _waiting(episode)}</div></div>"
    )


def _reply(step: Step, player: str) -> str:
    came = step.direction.capitalize() if step.direction else f"Stays: {escape(step.reason)}"
    return (
        f'<div class="by">{escape(player)} replied</div><blockquote>{escape(step.reply) or "(nothing)"}</blockquote>'
        f'<h3><span class="badge">{OUTCOMES[step.outcome][0]}</span>{came}</h3>'
    )


def _waiting(episode: Episode) -> str:
    return f'<div class="by">{escape(_player(episode))} has not replied yet</div>'


def _player(episode: Episode) -> str:
    return episode.model or NAMES[episode.policy]


def leaderboard(scores: Sequence[Score]) -> str:
    """The best first."""
    if not scores:
        return '<div class="placeholder">Choose who competes and on which seeds. Everybody plays the same games.</div>'
    rows = "".join(_row(score) for score in sorted(scores, key=lambda score: -score["mean"]))
    head = "".join(
        f"<th>{title}</th>"
        for title in ("", "mean score", "95 % interval", "of the shortest path", "", "refusals", "steps per second")
    )
    return f'<table class="ranking leaderboard"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _row(score: Score) -> str:
    share = score["percent"] or 0.0
    player = score["model"] or NAMES[score["policy"]]
    return (
        f"<tr><td>{escape(player)}</td><td>{score['mean']:.2f}</td><td>{score['low']:.2f} to {score['high']:.2f}</td>"
        f'<td>{share:.1f} %</td><td class="bar"><i style="width:{min(100.0, share):.1f}%"></i></td>'
        f"<td>{score['refusals']} of {score['steps']}</td><td>{score['steps_per_second']:,.0f}</td></tr>"
    )
