"""The UI agent on the command line.

python -m apps.ui_agent.run SCREENSHOT "instruction" [--json FILE|-] [--image OUT.png]
python -m apps.ui_agent.run --batch ITEMS.jsonl --out RESULTS.jsonl [--film OUT.mp4]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from apps.ui_agent.agent import Step, UIAgent
from apps.ui_agent.batch import png_bytes, read_items, run_item, to_jsonl
from apps.ui_agent.film import FRAMES_PER_SECOND, film, side_of
from apps.ui_agent.overlay import picture
from core.errors import UserError
from core.files import whole_file, write_text
from core.generators import finish
from core.images import open_image
from core.screen import ParseOptions
from core.screen.ocr import SCRIPTS
from core.video import write_video


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _arguments()
    given = parser.parse_args(arguments)
    if bool(given.batch) == bool(given.screenshot):
        parser.error("give either a SCREENSHOT or --batch ITEMS.jsonl")
    if given.batch and not given.out:
        parser.error("--batch needs --out RESULTS.jsonl")
    try:
        agent = UIAgent(given.model, given.parser)
        options = ParseOptions(given.box_threshold, given.iou_threshold, given.image_side, given.language)
        return _batch(agent, options, given) if given.batch else _single(agent, options, given)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m apps.ui_agent.run", description="Find what to click on a screenshot."
    )
    parser.add_argument("screenshot", nargs="?", help="a picture of a screen")
    parser.add_argument(
        "instruction", nargs="?", default="", help='what to click; empty only parses; "Q: ..." asks about the screen'
    )
    parser.add_argument("--json", metavar="FILE", help="write the step as JSON; - writes it to standard output")
    parser.add_argument("--image", metavar="PNG", help="write the screenshot with the result drawn on it")
    parser.add_argument("--batch", metavar="JSONL", help='items, one a line: {"id", "image", "instruction"}')
    parser.add_argument("--out", metavar="JSONL", help="results of --batch, one a line")
    parser.add_argument("--film", metavar="MP4", help="film of the steps (.mp4 or .gif): a cursor moves to each click")
    add_model_arguments(parser)
    parser.add_argument("--box-threshold", type=_share, help="leave out elements less confident than this, 0..1")
    parser.add_argument("--iou-threshold", type=_share, help="of two boxes that overlap more than this, keep one, 0..1")
    parser.add_argument("--image-side", type=int, help="longer side, in pixels, at which the screenshot is looked at")
    parser.add_argument("--language", choices=SCRIPTS, help="the only script of the text on screen")
    return parser


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", default="auto", help="auto, embedded (no model), mini, a hub id or a folder (default: %(default)s)"
    )
    parser.add_argument(
        "--parser", default="auto", help="auto, embedded, omniparser or a folder of its weights (default: %(default)s)"
    )


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def _single(agent: UIAgent, options: ParseOptions, given: argparse.Namespace) -> int:
    if given.image and not given.image.lower().endswith(".png"):
        raise UserError(f"{given.image}: the picture is written as .png.")
    screenshot = open_image(given.screenshot)
    step = finish(agent.act(screenshot, given.instruction, options), _say)
    _say("")
    for note in agent.notes:
        print(note, file=sys.stderr)
    if given.image:
        with whole_file(given.image) as part:
            part.write_bytes(png_bytes(picture(step, screenshot)))
    if given.film:
        finish(write_video(given.film, film([(step, given.screenshot)], side_of(given.film)), FRAMES_PER_SECOND))
    if given.json == "-":
        print(json.dumps(step.record(), ensure_ascii=False, indent=1))
        return 0
    if given.json:
        write_text(given.json, json.dumps(step.record(), ensure_ascii=False, indent=1) + "\n")
    print(summary(step))
    return 0


def _batch(agent: UIAgent, options: ParseOptions, given: argparse.Namespace) -> int:
    items = read_items(given.batch)
    if not Path(given.out).parent.is_dir():
        raise UserError(f"{given.out} cannot be written: its folder does not exist.")  # before hours of work, not after
    results, steps = [], []
    try:
        for item in tqdm(items, unit="screen", disable=None):
            result, step = finish(run_item(agent, item, options))
            results.append(result)
            if step is not None and given.film:
                steps.append((step, item["image"]))
    finally:  # an interrupted batch keeps what is done
        write_text(given.out, to_jsonl(results))
    if steps:
        finish(write_video(given.film, film(steps, side_of(given.film)), FRAMES_PER_SECOND))
    failed = [result for result in results if result["kind"] == "error"]
    for result in failed:
        print(f"error: item {result['id']}: {result['reason']}", file=sys.stderr)
    print(f"{len(results) - len(failed)} of {len(results)} items done: {given.out}")
    return 2 if failed else 0


def summary(step: Step) -> str:
    """A few lines for people."""
    seconds = f"{step.seconds['total']:.2f} s"
    if step.kind == "answer":
        return "\n".join(line for line in (step.answer, step.reason, f"({step.model}, {seconds})") if line)
    if step.kind == "parse":
        found = f"{len(step.screen.elements)} elements ({step.screen.parser} parser, {seconds})"
        return "\n".join([found, *map(_element_line, step.record()["elements"])])
    if step.point is None:
        return f"no click: {step.reason} ({step.model}, {seconds})"
    lines = [f"click ({step.point.x:.0f}, {step.point.y:.0f}) on mark {step.mark} ({step.model}, {seconds})"]
    if step.reason:
        lines.append(step.reason)
    for candidate in step.top:
        share = "      " if candidate.confidence is None else f"{candidate.confidence:6.1%}"
        lines.append(f"  {share}  mark {candidate.element_id}: {candidate.why}")
    return "\n".join(lines)


def _element_line(element: dict) -> str:
    x1, y1, x2, y2 = (round(value) for value in element["box"])
    name = element["text"] or element["icon"] or ""
    return f"  {element['mark']:4d}  {element['kind']:8s}  ({x1}, {y1}, {x2}, {y2})  {name}"


def _say(stage: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{stage}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
