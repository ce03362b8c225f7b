"""The small checkpoint's recipe: lessons say what their pictures show, and a run from nothing ends in a checkpoint."""

from __future__ import annotations

import pickle
import re
from copy import deepcopy
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

import apps.gaming_agent.lessons as game
import apps.robot_planner.lessons as tabletop
from core.conversation import Conversation
from core.engine import Engine
from core.geometry import GRID, to_grid
from core.magma import MagmaForCausalLM, MagmaProcessor
from core.skills import Refusal, parse_traces
from core.training import mini
from core.training.lessons import SpotHead, cell_of
from core.training.optimizer import MuonWithAdamW
from core.training.school import Lessons, Pupil, Stage


@pytest.fixture(scope="module")
def processor() -> MagmaProcessor:
    return mini.make_processor(0)


def test_boards_are_answered_by_the_mark_that_is_nearest_to_the_block():
    for lesson in islice(game.lessons(np.random.default_rng(0)), 150):
        at = {spot.layer: spot.point for spot in lesson.spots}
        marks = {int(layer[5:]): point for layer, point in at.items() if layer.startswith("mark ")}
        distance = {mark: point.distance(at["block"]) for mark, point in marks.items()}
        move, where = lesson.turns[:2]
        assert distance[int(move.reply)] == pytest.approx(min(distance.values()), abs=0.01)
        assert at["closest"] == marks[int(move.reply)] == move.looks[0]
        assert where.reply == "[{},{}]".format(*to_grid(at["block"], (1, 1)))
        assert all(0 < v < 1 for point in at.values() for v in (point.x, point.y))
        assert lesson.picture.size == (320, 320)


def test_blocks_are_green_where_lessons_say_they_are():
    seen = 0
    for lesson in islice(game.lessons(np.random.default_rng(1)), 80):
        points = {spot.layer: spot.point for spot in lesson.spots}
        if points["closest"] == points["block"]:
            continue  # a numeral stands on it
        red, green, blue = lesson.picture.getpixel(tuple(int(v * 320) for v in (points["block"].x, points["block"].y)))
        assert green > red and green > blue
        seen += 1
    assert seen > 40


def test_tabletops_of_odd_seeds_are_kept_for_measuring(monkeypatch):
    seeds = []

    def make_scene(seed, size):
        seeds.append(seed)
        return made(seed, size)

    made = tabletop.make_scene
    monkeypatch.setattr(tabletop, "make_scene", make_scene)
    lessons = list(islice(tabletop.lessons(np.random.default_rng(0)), 20))
    assert len(set(seeds)) == 20 and not any(seed % 2 for seed in seeds)
    for lesson in lessons:
        marks = {int(spot.name) for spot in lesson.spots if spot.layer.startswith("mark ")}
        traces = parse_traces(lesson.turns[0].reply, marks)
        assert not isinstance(traces, Refusal)
        numbers = len(re.findall(r"\d+", lesson.turns[0].reply))
        assert len(lesson.turns[0].looks) == numbers


@pytest.mark.parametrize("source", [game.lessons, tabletop.lessons])
def test_heads_are_shown_the_visual_token_where_the_number_stands(processor, source):
    lessons = list(islice(source(np.random.default_rng(2)), 4))
    batches = Lessons(processor, Stage("test", 1, 4, 1e-3, 1e-3, (lambda generator: iter(lessons),)), mini.LAYERS, [0])
    batch = next(iter(batches))
    image = processor.tokenizer.get_added_vocab()["<image>"]
    cells = mini.IMAGE_SIDE // 32
    for row, lesson in enumerate(lessons):
        first = int((batch["input_ids"][row] == image).nonzero()[0])
        shown = batch["gaze"][row]
        seen = {((place - first) % (cells + 1), (place - first) // (cells + 1)) for place in shown[shown >= 0].tolist()}
        assert seen == {cell_of(look, cells) for turn in lesson.turns for look in turn.looks}
        labels = batch["labels"][row]
        said = processor.tokenizer.decode(labels[labels != -100]).split("<|eot_id|>")[:-1]
        assert sorted(said) == sorted(turn.reply.strip() for turn in lesson.turns)


def test_a_coordinate_that_is_nearly_right_costs_less_than_one_far_off(processor):
    pupil = Pupil(mini.make_model(processor, 0), processor, SpotHead(mini.TEXT["hidden_size"], mini.LAYERS), True)
    numbers = pupil.numbers
    opens = int(pupil.opens.nonzero()[0])

    def cost(said: int) -> float:
        logits = torch.full((1, len(processor.tokenizer)), -20.0)
        logits[0, numbers[said]] = 0.0
        return float(pupil._said(logits, numbers[100:101], torch.tensor([opens])))

    assert cost(100) < cost(101) < cost(103) < cost(GRID - 1)


def test_batches_can_be_made_in_other_processes(processor):
    """Where these are not forked, everything goes there pickled."""
    lessons = Lessons(processor, mini.STAGES[2], mini.LAYERS, [0])
    batch = next(iter(pickle.loads(pickle.dumps(lessons))))
    assert torch.equal(batch["input_ids"], next(iter(lessons))["input_ids"])


def test_the_optimizer_goes_on_where_it_was_saved():
    def steps(model, optimizer, schedule, count):
        for step in range(count):
            optimizer.zero_grad()
            model(torch.full((2, 4), 1.0 + step)).square().sum().backward()
            optimizer.step()
            schedule.step()

    def made():
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.LayerNorm(3))
        optimizer = MuonWithAdamW(model, 1e-2, decay=0.1)
        return model, optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))

    first, second = made(), made()
    steps(*first, 3)
    for part, before in zip(second, first, strict=True):
        part.load_state_dict(deepcopy(before.state_dict()))
    for run in (first, second):
        steps(*run, 2)
        assert [group["lr"] for group in run[1].param_groups] == pytest.approx([1e-2 / 6] * 3)
    assert all(torch.equal(a, b) for a, b in zip(first[0].parameters(), second[0].parameters(), strict=True))


def test_a_run_from_nothing_ends_in_a_checkpoint_and_goes_on_where_it_was_stopped(tmp_path, monkeypatch, processor):
    monkeypatch.setattr(mini, "STAGES", tuple(replace(stage, steps=3, batch=2) for stage in mini.STAGES))
    monkeypatch.setattr(mini.shutil, "which", lambda name: None)  # compiling takes longer than three batches
    taught = []
    teach = mini.teach

    def stopped_after_two(stage, *rest):
        if len(taught) == 2:
            taught.append("stopped")
            raise KeyboardInterrupt
        taught.append(stage.name)
        teach(stage, *rest)

    monkeypatch.setattr(mini, "teach", stopped_after_two)
    command = ["--out", str(tmp_path / "out")]
    with pytest.raises(KeyboardInterrupt):
        mini.main(command)
    assert not (tmp_path / "out").exists()
    assert mini.main([*command, "--seed", "1"]) == 2  # another run's folder
    assert mini.main(command) == 0
    assert taught == ["spots", "grounding", "stopped", "traces"]
    engine = Engine.load(str(tmp_path / "out"))
    lesson = next(game.lessons(np.random.default_rng(3)))
    assert engine.generate(Conversation(lesson.turns[0].question, (lesson.picture,), max_new_tokens=4)).text
    assert engine.skills == {"locate", "move", "trace"}
    taught_model = MagmaForCausalLM.from_pretrained(tmp_path / "out", dtype=torch.float32)
    untaught = mini.make_model(processor, 0).state_dict()
    # Three batches at the start of a warm-up change weights little: compare what is stored, bfloat16.
    changed = [
        name
        for name, weight in taught_model.state_dict().items()
        if (weight != untaught[name].bfloat16().float()).any()
    ]
    assert mini.main(command) == 2  # what is there is not written over
    assert any("vision_tower" in name for name in changed) and any("language_model" in name for name in changed)
