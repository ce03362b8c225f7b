"""The robot planner on the command line.

python -m apps.robot_planner.plan --input FILE --task TEXT [--marks N --speed S --steps K] --out OUT.mp4 --json OUT.json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from apps.robot_planner.actions import NAMES, choose_statistics
from apps.robot_planner.agent import RobotPlanner
from apps.robot_planner.exports import png_bytes, to_csv, to_json
from apps.robot_planner.film import film, film_length, side_of, still
from apps.robot_planner.observation import Observation, from_scene, read_observation
from apps.robot_planner.step import DEFAULT_MARKS, DEFAULT_STEPS, Options, Step
from core.errors import UserError
from core.files import whole_file, write_text
from core.generators import finish
from core.video import write_video


def main(arguments: Sequence[str] | None = None) -> int:
    """0 for a plan, 1 where there is none (nothing but the JSON is written then), 2 for an error."""
    parser = _arguments()
    given = parser.parse_args(arguments)
    if (given.input is None) == (given.scene is None):
        parser.error("give either --input FILE or --scene SEED")
    if given.input is not None and not given.task:
        parser.error("--input needs --task TEXT")
    try:
        return _plan(given)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _plan(given: argparse.Namespace) -> int:
    _check_outputs(given)
    dataset, statistics = choose_statistics(given.statistics, given.dataset) if given.statistics else (None, None)
    options = Options(
        steps=given.steps,
        speed=given.speed,
        planner=given.planner,
        count=given.marks,
        seed=given.seed,
        action=given.action or statistics is not None,
        dataset=dataset,
        statistics=statistics,
    )
    if given.scene is not None:
        observation = from_scene(given.scene)
    else:
        observation = read_observation(given.input, given.frame, given.seconds)
    planner = RobotPlanner(given.model)
    step = finish(planner.plan(observation, given.task or observation.scene.task, None, options), _say)
    _say("")
    for note in planner.notes:
        print(note, file=sys.stderr)
    _write(given, step, observation)
    if given.json != "-":
        print(summary(step))
    return 0 if step.paths else 1


def _check_outputs(given: argparse.Namespace) -> None:
    """Before the work, not after it."""
    for path, suffixes in ((given.out, (".mp4",)), (given.gif, (".gif",)), (given.still, (".png",)), (given.csv, None)):
        if path and suffixes and not path.lower().endswith(suffixes):
            raise UserError(f"{path}: this is written as {suffixes[0]}.")
        if path and not Path(path).parent.is_dir():
            raise UserError(f"{path} cannot be written: its folder does not exist.")


def _write(given: argparse.Namespace, step: Step, observation: Observation) -> None:
    """The files asked for; a refusal has no traces, so it gives the JSON alone."""
    record = step.record()
    if given.json == "-":
        print(to_json(record), end="")
    elif given.json:
        write_text(given.json, to_json(record))
    if not step.paths:
        return
    if given.csv:
        write_text(given.csv, to_csv(record))
    if given.still:
        with whole_file(given.still) as part:
            part.write_bytes(png_bytes(still(step, observation)))
    for path in filter(None, (given.out, given.gif)):
        with tqdm(total=film_length(step, observation), unit="frame", disable=None, desc=path) as bar:
            frames = film(step, observation, side_of(path))
            finish(write_video(path, frames, observation.frames_per_second), _counting(bar))


def _counting(bar: tqdm) -> Callable[[int], None]:
    return lambda count: bar.update(count - bar.n)


def summary(step: Step) -> str:
    """A few lines for people."""
    sure = "" if step.confidence is None else f", {step.confidence:.0%} sure"
    head = f"{step.planner}{sure}, {step.seconds['total']:.2f} s"
    if not step.paths:
        return "\n".join([f"no plan ({head}): {step.reason}", *step.notes])
    lines = [f"{len(step.paths)} of {len(step.marks)} marks move ({head})", *step.notes]
    for mark, path in step.paths.items():
        start, end = path[0], path[-1]
        lines.append(
            f"  mark {mark}: ({start.x:.0f}, {start.y:.0f}) to ({end.x:.0f}, {end.y:.0f}) in {len(path) - 1} steps"
        )
    if step.comparison:
        lines.append(f"against the truth ({step.comparison['source']}), in cells of the 256 grid:")
        for name, errors in step.comparison["errors"].items():
            lines.append(
                f"  {name:18s} ADE {errors['ade']:6.1f}  FDE {errors['fde']:6.1f}  hit@8 {errors['hit8']:4.0%}"
            )
    if step.action:
        shown = step.action["values"] or step.action["normalised"]
        lines.append("action: " + ", ".join(f"{name} {value:+.4f}" for name, value in zip(NAMES, shown, strict=True)))
    return "\n".join([*lines, *filter(None, [step.action_reason])])


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m apps.robot_planner.plan", description="Plan where the marks of a picture or a video go."
    )
    parser.add_argument("--input", metavar="FILE", help="a picture or a video")
    parser.add_argument("--scene", type=int, metavar="SEED", help="a simulated tabletop instead; brings its own task")
    parser.add_argument("--task", help='what the robot does, such as "push the red block to the left edge"')
    parser.add_argument("--marks", type=int, default=DEFAULT_MARKS, help="how many are proposed (default: %(default)s)")
    parser.add_argument(
        "--speed", type=float, help="mean step on the 256 grid (default: 8 for a model, else as needed)"
    )
    parser.add_argument("--steps", type=int, default=DEFAULT_STEPS, help="(default: %(default)s)")
    parser.add_argument("--frame", type=int, help="the video's frame to plan from, counted from 0 (default: the first)")
    parser.add_argument(
        "--seconds", type=float, help="of the video that the steps cover (default: the rest, at most 4)"
    )
    parser.add_argument("--planner", choices=("auto", "model", "model-free"), default="auto")
    add_model_argument(parser)
    parser.add_argument("--seed", type=int, default=0, help="decides which marks are proposed (default: %(default)s)")
    parser.add_argument("--action", action="store_true", help="also the 7-DoF action, where the checkpoint can")
    parser.add_argument(
        "--statistics", metavar="JSON", help="dataset_statistics.json, which gives the action its units"
    )
    parser.add_argument("--dataset", help="the data set whose statistics count, such as bridge_orig")
    parser.add_argument("--out", metavar="MP4", help="write the film of the plan")
    parser.add_argument("--gif", metavar="GIF", help="write it as a GIF")
    parser.add_argument("--still", metavar="PNG", help="write the picture with all traces")
    parser.add_argument("--json", metavar="FILE", help="write the plan as JSON; - writes it to standard output")
    parser.add_argument("--csv", metavar="FILE", help="write the traces as CSV")
    return parser


def add_model_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="auto", help="auto, none, mini, a hub id or a folder (default: %(default)s)")


def _say(stage: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{stage}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
