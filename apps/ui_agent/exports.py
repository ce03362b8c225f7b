"""What a step found, as tables: elements as rows and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from apps.ui_agent.agent import ElementRecord

ELEMENT_COLUMNS = ("mark", "kind", "text", "icon", "clickable", "x1", "y1", "x2", "y2", "confidence")


def element_rows(elements: Iterable[ElementRecord]) -> list[list[object]]:
    """A row for every element, in the order of ELEMENT_COLUMNS."""
    return [
        [
            element["mark"],
            element["kind"],
            element["text"],
            element["icon"] or "",
            element["clickable"],
            *element["box"],
            element["confidence"],
        ]
        for element in elements
    ]


def to_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """RFC 4180. A text that a spreadsheet would run as a formula gets an apostrophe before it: it came off a screen."""
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerow(columns)
    writer.writerows([_inert(cell) for cell in row] for row in rows)
    return lines.getvalue()


def _inert(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
