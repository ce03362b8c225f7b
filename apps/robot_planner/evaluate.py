"""How well planners foretell the motion of simulated scenes that nobody trained on.

python -m apps.robot_planner.evaluate [--scenes N] [--planners model,model-free] [--model mini] [--json FILE]

Scenes have the odd seeds 1, 3, 5, ...; training uses even ones. A planner sees the first frame with its marks, and the
task; it is told no speed. Errors are means over the marks that truly move, in cells of the 256 grid: a mark that a plan
leaves out, and every mark where there is no plan, is taken to stay. Intervals are 95 %, bootstrapped over scenes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from apps.robot_planner.agent import RobotPlanner
from apps.robot_planner.observation import Observation
from apps.robot_planner.step import Options
from apps.robot_planner.tabletop import STEPS, Scene, make_scene
from core.errors import UserError
from core.files import write_text
from core.generators import finish
from core.geometry import GRID
from core.traces import stay, straight_line, trace_errors

Foretold = dict[int, np.ndarray] | None
"""Mark -> [STEPS, 2] on the 256 grid for each mark that moves; None where there is no plan."""


@dataclass(frozen=True)
class Outcome:
    """One scene's result. ``right_marks``: the marks that move are exactly the right ones."""

    planned: bool
    right_marks: bool
    ade: float
    fde: float


def evaluate(foretell: Callable[[Scene], Foretold], scenes: Sequence[Scene], name: str) -> list[Outcome]:
    """With a progress bar on a terminal."""
    return [score(foretell(scene), scene) for scene in tqdm(scenes, desc=name, unit="scene", disable=None)]


def score(foretold: Foretold, scene: Scene) -> Outcome:
    scale = np.array([GRID / scene.size[0], GRID / scene.size[1]])
    errors = []
    for mark in scene.moving:
        truth = scene.motion[mark] * scale
        path = (foretold or {}).get(mark, stay(truth[0], STEPS))
        errors.append(trace_errors(path, truth[1:]))
    ade, fde = (float(np.mean([getattr(error, name) for error in errors])) for name in ("ade", "fde"))
    return Outcome(foretold is not None, foretold is not None and set(foretold) == set(scene.moving), ade, fde)


def by_planner(planner: RobotPlanner, which: str) -> Callable[[Scene], Foretold]:
    options = Options(steps=STEPS, planner=which)

    def foretell(scene: Scene) -> Foretold:
        observation = Observation(scene.frame(0), "simulated tabletop", scene=scene)
        step = finish(planner.plan(observation, scene.task, scene.marks, options))
        if not step.paths:
            return None
        scale = np.array([GRID / scene.size[0], GRID / scene.size[1]])
        paths = {
            mark: np.array([(point.x, point.y) for point in path[1:]]) * scale for mark, path in step.paths.items()
        }
        # A shorter path stays where it ends.
        return {mark: path[np.minimum(np.arange(STEPS), len(path) - 1)] for mark, path in paths.items()}

    return foretell


def staying(scene: Scene) -> Foretold:
    return {}


def to_the_middle(scene: Scene) -> Foretold:
    """The straight line of somebody who knows which marks move, but not where to: to the middle of the picture."""
    scale = np.array([GRID / scene.size[0], GRID / scene.size[1]])
    return {mark: straight_line(scene.motion[mark][0] * scale, np.full(2, GRID / 2), STEPS) for mark in scene.moving}


def summary(outcomes: Sequence[Outcome], seed: int = 0) -> dict[str, float | list[float]]:
    """Shares in percent, errors with their intervals."""
    generator = np.random.default_rng(seed)
    drawn = generator.integers(len(outcomes), size=(2000, len(outcomes)))
    lines: dict[str, float | list[float]] = {"scenes": len(outcomes)}
    for name in ("planned", "right_marks", "ade", "fde"):
        values = np.array([float(getattr(outcome, name)) for outcome in outcomes])
        values = values * 100 if name in ("planned", "right_marks") else values
        lines[name] = round(float(values.mean()), 2)
        lines[f"{name}_interval"] = [round(float(v), 2) for v in np.percentile(values[drawn].mean(axis=1), (2.5, 97.5))]
    return lines


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m apps.robot_planner.evaluate", description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--planners", default="model,model-free", help="which, with commas between")
    parser.add_argument("--model", default="mini")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    try:
        results = run(options)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{'planner':<28}{'a plan, %':>10}{'right marks, %':>16}{'ADE':>22}{'FDE':>22}")
    for name, line in results.items():
        errors = "".join(
            f"{line[e]:>8.1f} ({line[f'{e}_interval'][0]:.1f} to {line[f'{e}_interval'][1]:.1f})".rjust(22)
            for e in ("ade", "fde")
        )
        print(f"{name:<28}{line['planned']:>10.1f}{line['right_marks']:>16.1f}{errors}")
    return 0


def run(options: argparse.Namespace) -> dict[str, dict]:
    if options.scenes < 1:
        raise UserError("There must be a scene to plan in.")
    scenes = [make_scene(2 * number + 1) for number in range(options.scenes)]
    planner = RobotPlanner(options.model)
    ways: dict[str, Callable[[Scene], Foretold]] = {"stay": staying, "straight line to the middle": to_the_middle}
    for which in options.planners.split(","):
        ways[f"{options.model} ({which})" if which == "model" else which] = by_planner(planner, which)
    outcomes = {name: evaluate(way, scenes, name) for name, way in ways.items()}
    results = {name: summary(lines) for name, lines in outcomes.items()}
    if options.json:
        each = {name: [asdict(outcome) for outcome in lines] for name, lines in outcomes.items()}
        write_text(options.json, json.dumps({"summary": results, "scenes": each}, indent=1))
    return results


if __name__ == "__main__":
    sys.exit(main())
