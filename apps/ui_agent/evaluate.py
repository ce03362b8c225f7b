"""How often the agent clicks right, on a set in ScreenSpot's form.

python -m apps.ui_agent.evaluate [FOLDER] [--part held-out|development|all] [--model --parser] [--json FILE]

FOLDER holds screens.json and images/, and may name pictures for development, line by line, in development.txt. An item
is {"id", "img_filename", "bbox": [x, y, width, height] in pixels, "instruction", "category", "data_source"}. A click is
right when it lies in the box, edges included (Cheng et al. 2024, arXiv 2401.10935); top-5 when one of the best five
would.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from apps.ui_agent.agent import UIAgent
from apps.ui_agent.run import add_model_arguments
from core.errors import UserError
from core.files import write_text
from core.generators import finish
from core.geometry import Box
from core.images import open_image

PARTS = ("held-out", "development", "all")
SCREENS = Path(__file__).resolve().parents[2] / "assets" / "screens"


@dataclass(frozen=True)
class Outcome:
    """One item's result; ``seconds`` is the whole step's."""

    id: str
    category: str
    source: str
    right: bool
    in_top_5: bool
    sure: bool
    seconds: float


def read_set(folder: Path, part: str = "all") -> list[dict]:
    """The items of ``screens.json`` in this part, checked. Raises UserError where it is missing or not of the form."""
    path = folder / "screens.json"
    try:
        items = json.loads(path.read_text(encoding="utf-8"))
        for item in items:
            x, y, width, height = item["bbox"]
            _ = item["id"], item["img_filename"], item["instruction"], item["category"], item["data_source"]
            item["box"] = Box(x, y, x + width, y + height)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is no set in ScreenSpot's form: {type(error).__name__}: {error}.") from error
    listed = folder / "development.txt"
    development = set(listed.read_text(encoding="utf-8").split()) if listed.exists() else set()
    if part == "all":
        return items
    return [item for item in items if (item["img_filename"] in development) == (part == "development")]


def evaluate(agent: UIAgent, folder: Path, part: str = "all") -> list[Outcome]:
    """Run every item, screenshot by screenshot, with a progress bar on a terminal."""
    outcomes = []
    for item in tqdm(sorted(read_set(folder, part), key=lambda item: item["img_filename"]), unit="item", disable=None):
        step = finish(agent.act(open_image(folder / "images" / item["img_filename"]), item["instruction"]))
        box = item["box"]
        outcomes.append(
            Outcome(
                item["id"],
                item["category"],
                item["data_source"],
                right=step.point is not None and box.contains(step.point),
                in_top_5=any(box.contains(candidate.point) for candidate in step.top),
                sure=step.sure,
                seconds=step.seconds["total"],
            )
        )
    return outcomes


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927): unlike the textbook one it stays within 0..1 for few trials."""
    if trials == 0:
        return 0.0, 1.0
    z = 1.96
    share = successes / trials
    centre = share + z * z / (2 * trials)
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def table(outcomes: Sequence[Outcome]) -> str:
    """Markdown: accuracy by category, by source and by whether the agent was sure."""
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.category].append(outcome)
    for outcome in sorted(outcomes, key=lambda outcome: outcome.source):
        groups[f"on {outcome.source}"].append(outcome)
    groups["where it is sure"] = [outcome for outcome in outcomes if outcome.sure]
    groups["where it says not sure"] = [outcome for outcome in outcomes if not outcome.sure]
    groups["all"] = list(outcomes)
    lines = ["| items | count | right (95 % interval) | in the best five |", "| --- | ---: | ---: | ---: |"]
    for name, group in groups.items():
        right = sum(outcome.right for outcome in group)
        low, high = wilson(right, len(group))
        share = right / len(group) if group else 0.0
        top_5 = sum(outcome.in_top_5 for outcome in group) / len(group) if group else 0.0
        lines.append(f"| {name} | {len(group)} | {share:.1%} ({low:.0%} to {high:.0%}) | {top_5:.1%} |")
    median = statistics.median(outcome.seconds for outcome in outcomes)
    return "\n".join(
        [*lines, "", f"Median seconds of a step: {median:.2f} (most reuse the parse of their screenshot)."]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m apps.ui_agent.evaluate", description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=SCREENS, help="default: the set that ships")
    parser.add_argument("--part", choices=PARTS, default=PARTS[0], help="of the set (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="write every item's outcome")
    add_model_arguments(parser)
    given = parser.parse_args(arguments)
    try:
        agent = UIAgent(given.model, given.parser)
        outcomes = evaluate(agent, given.folder, given.part)
        if not outcomes:
            raise UserError(f"{given.folder} holds no items.")
        if given.json:
            write_text(given.json, json.dumps([vars(outcome) for outcome in outcomes], indent=1) + "\n")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(*agent.notes, "", table(outcomes), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
