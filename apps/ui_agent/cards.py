"""The page's cards as HTML. All text that came off a screen, out of a model or from a person is escaped."""

from __future__ import annotations

from html import escape

from apps.ui_agent.agent import Step
from core.screen import Element


def verdict(step: Step) -> str:
    """What came out, how sure it is, and who says so."""
    badge, tone = _badge(step)
    parser = f" \u00b7 {step.screen.parser} parser" if step.screen else ""
    return "".join(
        [
            f'<div class="verdict {tone}"><h3><span class="badge">{badge}</span>{_headline(step)}</h3>',
            f"<blockquote>{escape(step.answer)}</blockquote>" if step.answer else "",
            f'<div class="reason">{escape(step.reason)}</div>' if step.reason else "",
            f'<div class="by">{escape(step.model)}{escape(parser)}</div></div>',
        ]
    )


def _badge(step: Step) -> tuple[str, str]:
    if step.kind == "parse":
        return ("parsed", "") if step.screen and step.screen.elements else ("nothing found", "none")
    found = step.answer is not None if step.kind == "answer" else step.point is not None
    if not found:
        return ("no answer" if step.kind == "answer" else "no click"), "none"
    if step.kind == "answer" and not step.reply:
        return "quoted", ""
    return ("sure", "") if step.sure else ("not sure", "unsure")


def _headline(step: Step) -> str:
    if step.kind == "parse":
        return f"{len(step.screen.elements) if step.screen else 0} elements"
    if step.kind == "answer":
        return escape(step.instruction[2:].strip())
    if step.point is None:
        return "Nothing is clicked"
    target = f" on mark {step.mark}: {escape(name(step.element))}" if step.element else ""
    return f"Click ({step.point.x:.0f}, {step.point.y:.0f}){target}"


def name(element: Element) -> str:
    """What a person would call an element."""
    if element.text:
        text = element.text if len(element.text) <= 80 else element.text[:79] + "\u2026"
        return f'{element.kind} "{text}"'
    if element.icons:
        return f'{element.kind} "{element.icons[0].name}"'
    return element.kind


def ranking(step: Step) -> str:
    """The best five with their confidence."""
    if not step.top:
        return '<div class="placeholder">No ranking: nothing was searched for.</div>'
    rows = "".join(
        f"<tr><td><b>{candidate.element_id}</b></td><td>{escape(candidate.why)}</td>"
        + _bar(candidate.confidence)
        + "</tr>"
        for candidate in step.top
    )
    return f'<table class="ranking"><tbody>{rows}</tbody></table>'


def _bar(share: float | None) -> str:
    if share is None:
        return "<td></td><td></td>"
    return f'<td class="bar"><i style="width:{100 * share:.1f}%"></i></td><td>{share:.0%}</td>'


def inspection(element: Element | None) -> str:
    """Everything that is known of one element."""
    if element is None:
        return '<div class="placeholder">Click the picture or a row of the table to inspect an element.</div>'
    box = element.box
    facts = {
        "kind": element.kind + (", clickable" if element.clickable else ""),
        "text": element.text,
        "icon": ", ".join(f"{guess.name} {guess.probability:.0%}" for guess in element.icons),
        "box": f"({box.x1:.0f}, {box.y1:.0f}) to ({box.x2:.0f}, {box.y2:.0f}), {box.width:.0f} x {box.height:.0f} px",
        "confidence": f"{element.confidence:.0%}",
    }
    rows = "".join(f"<tr><td>{label}</td><td>{escape(fact)}</td></tr>" for label, fact in facts.items() if fact)
    return f'<table class="ranking"><tbody><tr><td><b>{element.id}</b></td><td></td></tr>{rows}</tbody></table>'
