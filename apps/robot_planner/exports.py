"""A plan as files: JSON, CSV, and the bytes of pictures."""

from __future__ import annotations

import csv
import io
import json

from PIL import Image

from apps.robot_planner.step import StepRecord

COLUMNS = ("mark", "step", "frame", "seconds", "x", "y", "grid_x", "grid_y")


def to_json(record: StepRecord) -> str:
    return json.dumps(record, ensure_ascii=False, indent=1) + "\n"


def rows(record: StepRecord) -> list[list[float]]:
    """A row for every position, in the order of COLUMNS: step 0 is now, ``frame`` counts the film's frames."""
    return [
        [trace["mark"], step, frame, round(frame / record["frames_per_second"], 3), *pixels, *grid]
        for trace in record["traces"]
        for step, (frame, pixels, grid) in enumerate(zip(trace["frames"], trace["pixels"], trace["grid"], strict=True))
    ]


def to_csv(record: StepRecord) -> str:
    """RFC 4180; every cell but those of the heading is a number."""
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerow(COLUMNS)
    writer.writerows(rows(record))
    return lines.getvalue()


def png_bytes(image: Image.Image) -> bytes:
    data = io.BytesIO()
    image.save(data, "PNG", compress_level=3)
    return data.getvalue()
