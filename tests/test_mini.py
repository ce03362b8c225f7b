"""The small checkpoint that ships: of the family's layout, and it really looks at the picture."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from apps.gaming_agent.agent import Episode, GameSettings, GamingAgent
from apps.robot_planner.agent import marked_frame
from apps.robot_planner.tabletop import STEPS, make_scene
from core.conversation import Conversation, Reply
from core.engine import Engine
from core.magma import MagmaForCausalLM
from core.magma.checkpoint import read_layout
from core.selection import MINI
from core.skills import Refusal, parse_traces, trace_prompt
from core.training.mini import STAGES


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load("mini", device="cpu")


def test_it_is_small_and_of_the_familys_layout(engine):
    files = [path for path in MINI.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 40e6
    layout = read_layout(MINI)
    parameters = sum(int(np.prod(shape)) for shape in layout.shapes.values())
    assert 2e6 < parameters < 20e6
    model = MagmaForCausalLM.from_pretrained(MINI)
    assert layout.shapes.keys() == model.state_dict().keys()
    assert engine.skills == {"locate", "move", "trace"}
    assert not list(MINI.glob("*.py")) and not list(MINI.glob("*.bin"))


class Blindfolded:
    """The same engine with every picture's pixels in random order."""

    def __init__(self, engine: Engine) -> None:
        self.name = engine.name
        self._engine, self._generator = engine, np.random.default_rng(0)

    def generate(self, conversation: Conversation) -> Reply:
        (picture,) = conversation.images
        pixels = np.asarray(picture).reshape(-1, 3)
        shuffled = Image.fromarray(self._generator.permutation(pixels).reshape(*picture.size[::-1], 3))
        return self._engine.generate(Conversation(conversation.text, (shuffled,), max_new_tokens=8))


def _percent(player, **settings) -> float:
    """Of the shortest path's score, over three games."""
    episodes = [Episode(GameSettings(seed=seed, **settings), "model") for seed in (9001, 9002, 9003)]
    agent = GamingAgent(player)
    for episode in episodes:
        for _ in agent.play(episode):
            pass
    return 100 * sum(e.score for e in episodes) / sum(e.shortest for e in episodes)


def test_it_plays_nearly_as_well_as_the_shortest_path(engine):
    assert _percent(engine) >= 98


def test_it_reads_the_numerals(engine):
    assert _percent(engine, permute_marks=True) >= 90


def test_it_plays_in_looks_that_it_never_saw(engine):
    assert _percent(engine, looks="held-out") >= 90


def test_it_plays_by_what_it_sees(engine):
    assert _percent(Blindfolded(engine), steps=50) < 30


def test_its_traces_are_of_the_right_form_and_follow_the_picture(engine):
    """The same task on other pictures gives other traces."""
    scenes = (make_scene(seed) for seed in range(20001, 20999, 2))
    replies = []
    for scene in islice((scene for scene in scenes if "red block" in [thing.name for thing in scene.things]), 6):
        picture = marked_frame(scene.frame(0), scene.marks)
        reply = engine.generate(trace_prompt(picture, "pick up the red block", sorted(scene.marks), 8, STEPS)).text
        traces = parse_traces(reply, scene.marks)
        assert not isinstance(traces, Refusal), traces.reason
        replies.append(reply)
    assert len(set(replies)) == len(replies)


def test_the_card_says_what_it_is():
    card = (Path(MINI) / "README.md").read_text(encoding="utf-8")
    assert "simulated" in card and "python -m core.training.mini" in card
    parameters = sum(int(np.prod(shape)) for shape in read_layout(MINI).shapes.values())
    assert f"{parameters / 1e6:.1f} million parameters" in card
    assert f"{(MINI / 'model.safetensors').stat().st_size / 1e6:.1f} MB" in card
    assert all(f"{stage.steps:,} batches" in card for stage in STAGES)
