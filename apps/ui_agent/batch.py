"""Many screenshots with instructions: items in, results out, one bad item spoiling none of the others."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import TypedDict

from PIL import Image

from apps.ui_agent.agent import CandidateRecord, Step, UIAgent
from apps.ui_agent.exports import to_csv
from apps.ui_agent.overlay import picture
from core.errors import UserError
from core.images import open_image
from core.screen import ParseOptions

RESULT_COLUMNS = ("id", "kind", "x", "y", "mark", "confidence", "reason", "answer", "seconds")


class BatchItem(TypedDict):
    """``image`` is the picture's path."""

    id: str
    image: str
    instruction: str


class BatchResult(TypedDict):
    """``point`` is in pixels. ``kind`` is "error" where the item could not be done, and ``reason`` says why."""

    id: str
    kind: str
    point: list[float] | None
    mark: int | None
    top: list[CandidateRecord]
    reason: str
    answer: str | None
    seconds: dict[str, float]


def read_items(path: str | Path) -> list[BatchItem]:
    """Read a JSON Lines file of ``{"id", "image", "instruction"}``; images are relative to the file's folder.

    An item without an id gets its line number. Raises UserError that names the line that cannot be read.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    return [_read_item(line, number, path) for number, line in enumerate(lines, 1) if line.strip()]


def _read_item(line: str, number: int, path: Path) -> BatchItem:
    form = '{"id": ..., "image": "path", "instruction": "text"}'
    try:
        item = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}, line {number}: not JSON ({error}). Each line is {form}.") from error
    if not isinstance(item, dict) or not isinstance(item.get("image"), str):
        raise UserError(f'{path}, line {number}: "image" is missing. Each line is {form}.')
    instruction = item.get("instruction", "")
    if not isinstance(instruction, str):
        raise UserError(f'{path}, line {number}: "instruction" is not a text. Each line is {form}.')
    return BatchItem(id=str(item.get("id", number)), image=str(path.parent / item["image"]), instruction=instruction)


def run_item(
    agent: UIAgent, item: BatchItem, options: ParseOptions
) -> Generator[str, None, tuple[BatchResult, Step | None]]:
    """Yields stages, returns the result and the step, which is None where the item could not be done."""
    try:
        screenshot = open_image(item["image"])
        step = yield from agent.act(screenshot, item["instruction"], options)
    except UserError as error:
        reason = str(error)
        return BatchResult(
            id=item["id"], kind="error", point=None, mark=None, top=[], reason=reason, answer=None, seconds={}
        ), None
    record = step.record()
    return BatchResult(
        id=item["id"],
        kind=record["kind"],
        point=record["point"],
        mark=record["mark"],
        top=record["top"],
        reason=record["reason"],
        answer=record["answer"],
        seconds=record["seconds"],
    ), step


def result_rows(results: Iterable[BatchResult]) -> Iterator[list[object]]:
    """A row for every result, in the order of RESULT_COLUMNS."""
    for result in results:
        x, y = result["point"] or ("", "")
        confidence = (
            "" if not result["top"] or result["top"][0]["confidence"] is None else result["top"][0]["confidence"]
        )
        mark = "" if result["mark"] is None else result["mark"]
        seconds = result["seconds"].get("total", "")
        yield [result["id"], result["kind"], x, y, mark, confidence, result["reason"], result["answer"] or "", seconds]


def to_jsonl(results: Iterable[BatchResult]) -> str:
    return "".join(json.dumps(result, ensure_ascii=False) + "\n" for result in results)


class BatchArchive:
    """A ZIP that grows with the batch: a picture for every step, the results as JSONL and CSV at the end."""

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_STORED)  # PNG does not compress further

    def add(self, number: int, step: Step, screenshot: Image.Image) -> None:
        self._zip.writestr(f"{number:03d}.png", png_bytes(picture(step, screenshot)))

    def finish(self, results: list[BatchResult]) -> None:
        self._zip.writestr("results.jsonl", to_jsonl(results))
        self._zip.writestr("results.csv", to_csv(RESULT_COLUMNS, result_rows(results)))
        self._zip.close()


def png_bytes(image: Image.Image) -> bytes:
    """PNG at its fastest: a screenshot at the default level takes twice the time and is no smaller."""
    data = io.BytesIO()
    image.save(data, "PNG", compress_level=1)
    return data.getvalue()
