"""The gaming agent from Python and on the command line, with stand-ins for a model and with a tiny checkpoint."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from apps.gaming_agent import play
from apps.gaming_agent.agent import QUESTION, Episode, GameSettings, GamingAgent
from apps.gaming_agent.drawing import draw_board
from apps.gaming_agent.film import HOLD, film
from apps.gaming_agent.game import best_directions, neighbours
from apps.gaming_agent.recording import from_json, recording_of, replay, to_json
from apps.gaming_agent.scores import play_seeds, read_seeds, score_of
from core.conversation import Conversation, Reply
from core.engine import Engine
from core.errors import UserError
from core.generators import finish
from core.skills import DIRECTIONS, Move, format_move

seeds = st.integers(0, 2**32 - 1)
games = st.builds(
    GameSettings,
    seed=seeds,
    size=st.integers(4, 12),
    blocks=st.integers(1, 4),
    obstacles=st.integers(0, 6),
    steps=st.integers(5, 30),
    permute_marks=st.booleans(),
    looks=st.sampled_from(["default", "training", "held-out"]),
)


class Scripted:
    """An engine that says what it is told to, and keeps what it was asked."""

    name = "scripted"

    def __init__(self, say) -> None:
        self.say, self.asked = say, []

    def generate(self, conversation: Conversation) -> Reply:
        self.asked.append(conversation)
        return Reply(self.say(), (), {})


def best_mark(episode: Episode) -> str:
    return format_move(Move(best_directions(episode.view.board)[0]), episode.view.marks)


def played(game: GameSettings, policy: str, agent: GamingAgent | None = None) -> Episode:
    episode = Episode(game, policy)
    for _ in (agent or GamingAgent("there is no such model")).play(episode):
        pass
    return episode


@given(games)
@settings(max_examples=25, deadline=None)
def test_a_model_sees_the_marked_picture_and_goes_where_its_mark_is(game):
    episode = Episode(game, "model")
    engine = Scripted(lambda: best_mark(episode))
    for step in GamingAgent(engine).play(episode):
        (conversation,), engine.asked = engine.asked, []
        assert conversation.text == QUESTION == step.record()["prompt"]
        cells = neighbours(step.view.board)
        drawn = {mark: cells[way] for mark, way in step.view.marks.items() if way in cells}
        assert conversation.images[0].tobytes() == draw_board(step.view.board, game.look(), drawn).tobytes()
        assert step.direction == best_directions(step.view.board)[0] and step.reason == ""
    assert episode.score == episode.shortest and episode.refusals == 0 and episode.over
    assert episode.model == "scripted"


def test_permuted_marks_are_numbered_anew_and_fixed_ones_are_not():
    permuted = [GameSettings(permute_marks=True).marks(number) for number in range(1, 60)]
    assert all(set(marks) == set(DIRECTIONS) for marks in permuted)
    assert all(sorted(marks.values()) == sorted(DIRECTIONS.values()) for marks in permuted)
    assert len({tuple(marks.values()) for marks in permuted}) > 15
    for mark, direction in DIRECTIONS.items():  # no place that a numeral keeps
        assert 5 < sum(marks[mark] == direction for marks in permuted) < 30
    assert {tuple(GameSettings().marks(number).values()) for number in range(1, 60)} == {tuple(DIRECTIONS.values())}


@pytest.mark.parametrize("reply", ["", "I see no green block.", "5", "0", "1 or 2", "up", "\ud800", "<b>1</b>2"])
def test_what_cannot_be_read_is_a_counted_refusal_and_the_robot_stays(reply):
    episode = Episode(GameSettings(steps=5), "model")
    agent = GamingAgent(Scripted(lambda: reply))
    before = episode.view.board
    for number, step in enumerate(agent.play(episode), 1):
        assert (step.outcome, step.direction, step.reply) == ("refused", None, reply)
        assert step.reason and episode.refusals == number and episode.view.board == before
    assert episode.over and episode.score == 0


def test_a_reply_that_leads_into_a_wall_is_no_refusal():
    episode = Episode(GameSettings(size=2), "person")
    outcomes = {GamingAgent("none").step(episode, "1").outcome for _ in range(3)}
    assert outcomes == {"blocked"} or outcomes == {"moved", "blocked"} or "collected" in outcomes
    last = episode.steps[-1]
    assert last.outcome == "blocked" and last.direction == "up" and episode.refusals == 0
    assert last.view.board == episode.view.board


def test_random_moves_follow_from_the_seed_and_only_the_random_policy_makes_them():
    first, again = (played(GameSettings(seed=3), "random") for _ in range(2))
    assert [step.reply for step in first.steps] == [step.reply for step in again.steps]
    other = played(GameSettings(seed=4), "random")
    assert [step.reply for step in first.steps] != [step.reply for step in other.steps]
    assert {step.outcome for step in first.steps} <= {"moved", "collected"}
    for step in played(GameSettings(seed=3), "shortest").steps:
        assert step.direction in best_directions(step.view.board)


@given(games)
@settings(max_examples=25, deadline=None)
def test_the_shortest_path_is_its_own_measure(game):
    episode = played(game, "shortest")
    assert [step.score for step in episode.steps] == [step.shortest for step in episode.steps]


def test_after_the_end_there_is_no_step():
    episode = played(GameSettings(steps=2), "shortest")
    with pytest.raises(UserError, match="over"):
        GamingAgent("none").step(episode)
    assert len(episode.steps) == 2


@pytest.mark.parametrize(
    "bad",
    [
        {"seed": -1},
        {"seed": 2**32},
        {"seed": True},
        {"seed": 1.0},
        {"seed": "1"},
        {"size": None},
        {"permute_marks": 1},
        {"looks": "shiny"},
        {"looks": None},
        {"steps": 10**9},
        {"size": 10**9},
        {"blocks": 101},
    ],
)
def test_settings_that_cannot_be_played_are_refused(bad):
    with pytest.raises(UserError):
        Episode(GameSettings(**bad), "random")


# ---- the model ------------------------------------------------------------------------------------------------------


def test_the_model_is_loaded_at_its_first_move_and_once(monkeypatch):
    loads = []

    def load(name):
        loads.append(name)
        return SimpleNamespace(name="ours", note="why", skills={"move"}, generate=Scripted(lambda: "1").generate)

    monkeypatch.setattr(Engine, "load", load)
    agent = GamingAgent("mini")
    played(GameSettings(steps=3), "shortest", agent)
    assert loads == [] and "mini" in agent.note
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda seed: played(GameSettings(seed, steps=3), "model", agent), range(8)))
    assert loads == ["mini"] and agent.note == "Model: ours. why"


def test_where_there_is_no_model_it_is_told_and_the_others_play_on(tmp_path):
    agent = GamingAgent(str(tmp_path))
    episode = Episode(GameSettings(steps=3), "model")
    with pytest.raises(UserError, match="no checkpoint"):
        agent.step(episode)
    assert "Model: none" in agent.note and "no checkpoint" in agent.note
    assert episode.steps == [] and episode.model == ""
    assert played(GameSettings(steps=3), "random", agent).over


def test_a_model_that_was_not_taught_to_play_is_refused(monkeypatch):
    monkeypatch.setattr(Engine, "load", lambda name: SimpleNamespace(name="clicker", skills={"click"}))
    with pytest.raises(UserError, match="clicker"):
        GamingAgent("auto").load()


def test_a_checkpoint_of_the_family_plays(tmp_path):
    from tests.tiny_magma import make_checkpoint

    agent = GamingAgent(str(make_checkpoint(tmp_path / "tiny")))
    episode = played(GameSettings(steps=3), "model", agent)
    assert episode.model == "tiny" and len(episode.steps) == 3
    assert all(step.seconds > 0 for step in episode.steps)
    again = played(GameSettings(steps=3), "model", agent)
    assert [step.reply for step in again.steps] == [step.reply for step in episode.steps]


def test_threads_that_share_a_game_take_turns():
    episode = Episode(GameSettings(steps=80), "shortest")
    agent, go = GamingAgent("none"), threading.Barrier(8)

    def play_ten(_) -> None:
        go.wait()
        for _ in range(10):
            agent.step(episode)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(play_ten, range(8)))
    assert [step.view.number for step in episode.steps] == list(range(1, 81))
    assert to_json(recording_of(from_json(to_json(recording_of(episode))))) == to_json(recording_of(episode))


# ---- recordings -----------------------------------------------------------------------------------------------------


@given(
    games, st.lists(st.sampled_from(["1", "2", "3", "4", "none", "", "\ud800 7"]) | st.text(max_size=9), max_size=20)
)
@settings(max_examples=40, deadline=None)
def test_a_recording_plays_the_same_game_again(game, replies):
    episode = Episode(replace(game, steps=30), "person")
    for number, reply in enumerate(replies):
        episode.take(reply, number / 7)
    text = to_json(recording_of(episode))
    again = from_json(text)
    assert to_json(recording_of(again)) == text
    assert again.steps == episode.steps
    assert again.view == episode.view and again.shortest == episode.shortest
    assert all(
        ours.view.picture().tobytes() == theirs.view.picture().tobytes()
        for ours, theirs in zip(episode.steps[::7], again.steps[::7], strict=True)
    )


def test_a_films_frames_follow_from_the_recording():
    def frames(episode: Episode) -> list[bytes]:
        return [frame.tobytes() for frame in film(episode)]

    episode = played(GameSettings(seed=5, steps=12, looks="training"), "random")
    shown = frames(episode)
    assert len(shown) == 12 + HOLD and len(set(map(len, shown))) == 1 and len(set(shown)) == 13
    assert frames(from_json(to_json(recording_of(episode)))) == shown
    assert frames(played(GameSettings(seed=6, steps=12, looks="training"), "random")) != shown


def test_an_unfinished_recording_goes_on():
    whole = played(GameSettings(seed=2, blocks=2, permute_marks=True, steps=40), "random")
    half = recording_of(whole) | {"replies": recording_of(whole)["replies"][:20]}
    half |= {"seconds": recording_of(whole)["seconds"][:20], "score": whole.steps[19].score}
    resumed = replay(half)
    for _ in GamingAgent("none").play(resumed):
        pass
    assert [step.reply for step in resumed.steps] == [step.reply for step in whole.steps]
    assert resumed.score == whole.score


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"score": 99}, "score"),
        ({"score": None}, "score"),
        ({"version": 2}, "version"),
        ({"seed": 1}, "score"),
        ({"seed": -1}, "seed"),
        ({"seed": "0"}, "seed"),
        ({"policy": "magic"}, "Who plays"),
        ({"policy": ["random"]}, "none"),
        ({"model": 7}, "none"),
        ({"model": "m" * 201}, "none"),
        ({"replies": "1234"}, "none"),
        ({"replies": [1, 2]}, "none"),
        ({"replies": ["1"]}, "none"),
        ({"replies": ["1" * 1001], "seconds": [0]}, "none"),
        ({"replies": ["1"] * 50, "seconds": [0.0] * 50}, "over"),
        ({"seconds": [float("nan")] * 40}, "none"),
        ({"seconds": [-1] * 40}, "none"),
        ({"seconds": [True] * 40}, "none"),
        ({"steps": 10**9}, "steps"),
        ({"size": 10**6}, "cells"),
        ({"extra": 1}, "keys"),
        ({"looks": {}}, "looks"),
    ],
)
def test_what_is_no_recording_is_refused(changes, reason):
    recording = recording_of(played(GameSettings(steps=40), "shortest"))
    assert replay(dict(recording)).score == recording["score"] > 0
    with pytest.raises(UserError, match=reason):
        replay(recording | changes)


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", "{", "1e999", "[" * 100_000, '{"version": 1}', "\0"])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(UserError, match="no recording"):
        from_json(text)


def test_another_model_does_not_go_on_with_a_game():
    episode = Episode(GameSettings(), "model")
    GamingAgent(Scripted(lambda: "1")).step(episode)
    other = Scripted(lambda: "1")
    other.name = "other"
    with pytest.raises(UserError, match="scripted began"):
        GamingAgent(other).step(from_json(to_json(recording_of(episode))))


# ---- scores and the command line ------------------------------------------------------------------------------------


def test_scores_of_several_games():
    several = [GameSettings(seed) for seed in range(6)]
    episodes, score = finish(play_seeds(GamingAgent("none"), several, "random"))
    scores = [episode.score for episode in episodes]
    assert score["mean"] == pytest.approx(np.mean(scores), abs=1e-3) and score["games"] == 6 and score["steps"] == 600
    assert min(scores) <= score["low"] <= score["mean"] <= score["high"] <= max(scores)
    assert score["percent"] == round(100 * sum(scores) / sum(episode.shortest for episode in episodes), 1) < 20
    assert finish(play_seeds(GamingAgent("none"), several, "shortest"))[1]["percent"] == 100.0


def test_the_interval_narrows_with_the_games_and_one_game_has_none():
    scores = np.random.default_rng(0).integers(0, 30, 40)
    episodes = [
        SimpleNamespace(score=int(score), shortest=30, refusals=0, steps=[], policy="random", model="")
        for score in scores
    ]
    one, few, many = (score_of(episodes[:count], 1.0) for count in (1, 6, 40))
    assert one["low"] == one["mean"] == one["high"]
    assert many["high"] - many["low"] < few["high"] - few["low"]
    # The mean of 40 games deviates by about its standard error, which the interval spans twice to either side.
    error = np.std(scores) / np.sqrt(40)
    assert many["high"] - many["low"] == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_refusals_are_counted_in_the_score():
    replies = iter(["1", "no", "2", "no"] * 2)
    agent = GamingAgent(Scripted(lambda: next(replies)))
    _, score = finish(play_seeds(agent, [GameSettings(seed, steps=4) for seed in (0, 1)], "model"))
    assert (score["refusals"], score["steps"], score["model"]) == (4, 8, "scripted")


@pytest.mark.parametrize(
    ("text", "named"), [("3", (3,)), ("0-3", (0, 1, 2, 3)), (" 7 , 1-2", (7, 1, 2)), ("4294967295", (2**32 - 1,))]
)
def test_seeds_are_read(text, named):
    assert read_seeds(text) == named


@pytest.mark.parametrize(
    "text", ["", "a", "3-1", "-1", "1,,2", "1-2-3", "0-10000", "0-5000,6000-12000", "1,1", "0-3,2", "1.5", "\u0663"]
)
def test_what_names_no_seeds_is_refused(text):
    with pytest.raises(UserError):
        read_seeds(text)


def run(*arguments: str) -> int:
    return play.main([*arguments])


def test_the_command_line_compares_policies_and_writes_what_replays(tmp_path, capsys):
    out, film_file = tmp_path / "out.json", tmp_path / "game.gif"
    command = ["--policy", "random,shortest", "--seeds", "3-5", "--steps", "14", "--permute-marks"]
    assert run(*command, "--json", str(out), "--record", str(film_file)) == 0
    printed = capsys.readouterr().out
    assert "| random | 3 |" in printed and "| shortest | 3 |" in printed and "100.0 %" in printed
    result = json.loads(out.read_text())
    assert [score["policy"] for score in result["scores"]] == ["random", "shortest"]
    assert [(game["policy"], game["seed"]) for game in result["games"]] == [
        (policy, seed) for policy in ("random", "shortest") for seed in (3, 4, 5)
    ]
    assert result["scores"][1]["mean"] == round(sum(game["score"] for game in result["games"][3:]) / 3, 3)
    assert Image.open(film_file).n_frames > 10

    recording, again = tmp_path / "game.json", tmp_path / "again.gif"
    recording.write_text(to_json(result["games"][0]))
    assert run("--replay", str(recording), "--record", str(again)) == 0
    assert again.read_bytes() == film_file.read_bytes()
    assert f"14 steps, {result['games'][0]['score']} blocks" in capsys.readouterr().out


def test_json_goes_to_standard_output_alone(capsys):
    assert run("--policy", "shortest", "--seeds", "0", "--steps", "5", "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["scores"][0]["steps"] == 5


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--policy", "magic"), "magic"),
        (("--policy", "person"), "person"),
        (("--policy", "random", "--seeds", "x"), "seeds"),
        (("--policy", "random", "--size", "99"), "cells"),
        (("--policy", "random", "--size", "3", "--blocks", "9"), "no room"),
        (("--policy", "random", "--steps", "0"), "steps"),
        (("--policy", "random", "--json", "no/such/folder/out.json"), "folder"),
        (("--policy", "random", "--record", "out.avi"), ".mp4 or .gif"),
        (("--policy", "model", "--model", "no/such/folder/here"), "no/such/folder/here"),
        (("--replay", "no-such-file.json"), "cannot be read"),
    ],
)
def test_mistakes_on_the_command_line(arguments, reason, capsys):
    assert run(*arguments) == 2
    said = capsys.readouterr()
    assert reason in said.err and said.out == ""
