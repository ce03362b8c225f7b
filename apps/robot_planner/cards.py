"""The page's cards as HTML. All text that came out of a model, a file or from a person is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from apps.robot_planner.actions import NAMES, ActionRecord
from apps.robot_planner.step import Step
from apps.robot_planner.truth import ErrorRecord
from apps.robot_planner.visit import Visit

NO_FUTURE = "Nothing is known of what happened next: give a video, or a simulated tabletop."
HINTS = {
    "add": "Click the picture to add a mark.",
    "move": "Click a mark, then click where it belongs.",
    "delete": "Click a mark to delete it.",
}


def verdict(step: Step) -> str:
    """What came out, how sure it is, and who says so."""
    if not step.paths:
        badge, tone, head = "no plan", "none", "Nothing is moved"
    else:
        badge, tone = ("planned", "") if step.sure else ("not sure", "unsure")
        one, marks = len(step.paths) == 1, ", ".join(map(str, step.paths))
        head = f"{f'Mark {marks}' if one else f'Marks {marks}'} of {len(step.marks)} {'moves' if one else 'move'}"
    sure = "" if step.confidence is None else f" \u00b7 {step.confidence:.0%} sure"
    notes = "".join(f"<div>{escape(note)}</div>" for note in step.notes)
    return "".join(
        [
            f'<div class="verdict {tone}"><h3><span class="badge">{badge}</span>{head}</h3>',
            f'<div class="reason">{escape(step.reason)}</div>' if step.reason else "",
            notes,
            f'<div class="by">Planned by: {escape(step.planner)}{sure} \u00b7 {escape(step.source)}</div></div>',
        ]
    )


def comparison(step: Step | None) -> str:
    """The errors of the plan and of the guesses that cost nothing."""
    compared = step.comparison if step else None
    if compared is None:
        why = "There is no plan to compare." if step and step.truth and not step.paths else NO_FUTURE
        return f'<div class="placeholder">{why}</div>'
    rows = "".join(_errors(name, errors) for name, errors in compared["errors"].items())
    rows += "".join(_errors(f"plan, mark {mark}", errors) for mark, errors in compared["by_mark"].items())
    right = "the right ones" if compared["right_marks"] else f"really moving: {_listed(compared['marks'])}"
    return (
        '<div class="notes">Distances in cells of the 256 grid, in brackets percent of the side; means over the marks '
        f"that really move ({escape(compared['source'])}). The plan moves {_listed(compared['planned'])}: {right}. "
        f"{escape(compared['note'])}</div>"
        '<table class="ranking"><thead><tr><td></td><td>ADE</td><td>FDE</td><td>Fr\u00e9chet</td><td>hit@4</td>'
        f"<td>hit@8</td><td>hit@16</td></tr></thead><tbody>{rows}</tbody></table>"
    )


def _errors(name: str, errors: ErrorRecord) -> str:
    distances = "".join(
        f"<td>{errors[key]:.1f} ({errors[f'{key}_percent']:.1f} %)</td>" for key in ("ade", "fde", "frechet")
    )
    hits = "".join(f"<td>{errors[key]:.0%}</td>" for key in ("hit4", "hit8", "hit16"))
    return f"<tr><td>{escape(name)}</td>{distances}{hits}</tr>"


def _listed(marks: Sequence[int]) -> str:
    return ", ".join(map(str, marks)) or "none"


def action(record: ActionRecord | None, reason: str = "") -> str:
    """The seven values as numbers."""
    if record is None:
        told = reason or "Tick the box in the settings to ask for the 7-DoF action too."
        return f'<div class="placeholder">{escape(told)}</div>'
    values = record["values"] or [None] * len(NAMES)
    rows = "".join(
        f"<tr><td>{name}</td><td>{share:+.4f}</td><td>{'' if value is None else f'{value:+.6f}'}</td></tr>"
        for name, share, value in zip(NAMES, record["normalised"], values, strict=True)
    )
    unit = f"in units of {escape(record['dataset'])}" if record["dataset"] else "(no statistics given)"
    return (
        f'<table class="ranking"><thead><tr><td></td><td>normalised</td><td>{unit}</td></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def marking(visit: Visit, edit: str) -> str:
    """What a click on the frame does now."""
    if visit.empty:
        return '<div class="notes">The frame that is planned from appears here, with its marks.</div>'
    hint = HINTS[edit] if visit.held is None else f"Mark {visit.held} is picked up: click where it belongs."
    where = f" Frame {visit.frame} of {visit.video.frames - 1}." if visit.video else ""
    return f'<div class="notes">{len(visit.marks)} marks. {hint}{where}</div>'
