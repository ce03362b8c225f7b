"""Fine-tuning on small checkpoints of the released layout: data, labels, LoRA, resuming."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tiny_magma import make_checkpoint

from core.conversation import Conversation
from core.engine import Engine
from core.errors import UserError
from core.magma import MagmaForCausalLM, MagmaProcessor
from core.training import tune
from core.training.conversations import Collator, read_examples
from core.training.work import last_checkpoint

QUESTION = "Which mark is closer to green block? Answer with a single number."


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two pictures with opposite replies."""
    for name, colour in (("red.png", "red"), ("blue.png", "blue")):
        Image.new("RGB", (64, 64), colour).save(tmp_path / name)
    _write(tmp_path, [_row("red.png", "1"), _row(["blue.png"], "4")])
    return tmp_path


def _row(image, reply: str, question: str = f"<image>\n{QUESTION}") -> dict:
    return {"image": image, "conversations": [{"from": "human", "value": question}, {"from": "gpt", "value": reply}]}


def _write(folder: Path, rows: object) -> Path:
    path = folder / "data.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def test_only_replies_are_learnt(data, tmp_path):
    processor = MagmaProcessor.from_pretrained(make_checkpoint(tmp_path / "model"))
    longer = _row("red.png", "1")
    longer["conversations"] += _row("red.png", "It is the first of them.", "Why?")["conversations"]
    _write(data, [longer, _row(["blue.png"], "4")])
    batch = Collator(processor, 4096)(read_examples(data / "data.json", data))
    for row, replies in enumerate((("1", "It is the first of them."), ("4",))):
        learnt = batch["labels"][row]
        text = processor.tokenizer.decode(learnt[learnt != -100])
        assert text == "".join(f"{reply}<|eot_id|>" for reply in replies)
    prompt = processor.tokenizer.decode(batch["input_ids"][0])
    assert prompt.count("<image_start>") == 1 and QUESTION in prompt


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ({}, "no list of examples"),
        ([], "no list of examples"),
        (["text"], "example 0: it is no object"),
        ([_row("red.png", "1"), _row("missing.png", "1")], "example 1: the picture missing.png is not there"),
        ([_row("../secret.png", "1")], "lies outside"),
        ([_row("/etc/hostname", "1")], "lies outside"),
        ([_row(3, "1")], "neither a name nor a list"),
        ([{"image": "red.png", "conversations": [{"from": "human", "value": "?"}]}], "no list of questions"),
        ([_row("n" * 300, "1")], "example 0"),
        ([_row("red.png", " ")], "turn 1 is no text by gpt"),
        ([_row([], "1")], "speaks of a picture, and there is none"),
        ([{"image": "red.png", "conversations": [{"from": "gpt", "value": "?"}] * 2}], "turn 0 is no text by human"),
    ],
)
def test_data_that_are_not_of_the_form_are_refused_with_their_place(data, rows, reason):
    with pytest.raises(UserError, match=reason):
        read_examples(_write(data, rows), data)


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
        lambda part: (
            st.lists(part, max_size=3)
            | st.dictionaries(st.sampled_from(["image", "conversations", "from", "value"]), part, max_size=4)
        ),
    )
)
def test_any_json_gives_examples_or_a_reason(tmp_path_factory, rows):
    folder = tmp_path_factory.getbasetemp()
    with pytest.raises(UserError):  # random rows never name a picture that is there
        read_examples(_write(folder, rows), folder)


@settings(deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {"from": st.sampled_from(["human", "gpt"]), "value": st.text(max_size=5) | st.sampled_from([7, "?", "1"])}
        ),
        max_size=4,
    )
)
def test_questions_and_replies_by_turns_are_an_example_and_nothing_else_is(tmp_path_factory, turns):
    folder = tmp_path_factory.getbasetemp()
    path = _write(folder, [{"conversations": turns}])
    by_turns = all(turn["from"] == ("human", "gpt")[place % 2] for place, turn in enumerate(turns))
    said = all(isinstance(turn["value"], str) and turn["value"].strip() for turn in turns)
    if turns and len(turns) % 2 == 0 and by_turns and said:
        (example,) = read_examples(path, folder)
        assert [text for _, text in example.turns][1::2] == [turn["value"] for turn in turns][1::2]
    else:
        with pytest.raises(UserError, match="example 0"):
            read_examples(path, folder)


def _tune(data: Path, model: Path, out: Path, *more: str) -> int:
    files = ["--model", str(model), "--data", str(data / "data.json"), "--out", str(out)]
    return tune.main([*files, "--device", "cpu", "--rate", "3e-3", "--warmup", "2", "--batch", "2", *more])


def _replies(folder: Path, data: Path) -> list[str]:
    engine = Engine.load(str(folder), device="cpu")
    pictures = (Image.open(data / name).convert("RGB") for name in ("red.png", "blue.png"))
    return [engine.generate(Conversation(QUESTION, (picture,), max_new_tokens=4)).text for picture in pictures]


def test_fine_tuning_teaches_the_replies_and_writes_a_checkpoint_that_loads(data, tmp_path):
    model = make_checkpoint(tmp_path / "model")
    assert _replies(model, data) != ["1", "4"]
    assert _tune(data, model, tmp_path / "tuned", "--steps", "30") == 0
    assert _replies(tmp_path / "tuned", data) == ["1", "4"]
    assert Image.open(tmp_path / "tuned" / "losses.png").size[0] > 300


def test_lora_changes_llamas_matrices_alone(data, tmp_path):
    model = make_checkpoint(tmp_path / "model")
    assert _tune(data, model, tmp_path / "tuned", "--steps", "40", "--lora", "8", "--rate", "1e-2") == 0
    before = MagmaForCausalLM.from_pretrained(model).state_dict()
    after = MagmaForCausalLM.from_pretrained(tmp_path / "tuned").state_dict()
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all("_proj.weight" in name and "layers" in name for name in changed)
    assert _replies(tmp_path / "tuned", data) == ["1", "4"]


def test_a_stopped_run_goes_on_and_ends_as_if_never_stopped(data, tmp_path, monkeypatch):
    model = make_checkpoint(tmp_path / "model")
    whole = ("--steps", "6", "--save-every", "3")
    assert _tune(data, model, tmp_path / "whole", *whole) == 0

    class Stop(Exception):
        pass

    def stop(self, args, state, control, **kwargs):
        if state.global_step == 4:
            raise Stop

    with monkeypatch.context() as patch, pytest.raises(Stop):
        patch.setattr(tune.LossCurve, "on_step_end", stop, raising=False)
        _tune(data, model, tmp_path / "parts", *whole)
    assert not (tmp_path / "parts").exists()
    assert _tune(data, model, tmp_path / "parts", *whole) == 0
    first, second = (MagmaForCausalLM.from_pretrained(tmp_path / name).state_dict() for name in ("whole", "parts"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_of_few_steps_has_its_curve_too(data, tmp_path):
    assert _tune(data, make_checkpoint(tmp_path / "model"), tmp_path / "out", "--steps", "2") == 0
    assert (tmp_path / "out" / "losses.png").exists() and not (tmp_path / "out.work").exists()


def test_a_stopped_run_goes_on_with_its_own_settings_only(data, tmp_path, capsys):
    out, model = tmp_path / "out", make_checkpoint(tmp_path / "model")
    assert _tune(data, tmp_path / "nowhere", out) == 2  # leaves its folder, as a stopped run does
    assert _tune(data, model, out) == 2
    assert "other settings (model)" in capsys.readouterr().err


def test_a_half_saved_checkpoint_is_passed_over(tmp_path):
    for steps, whole in ((5, True), (20, True), (100, False)):
        (tmp_path / f"checkpoint-{steps}").mkdir()
        if whole:
            (tmp_path / f"checkpoint-{steps}" / "trainer_state.json").touch()
    assert last_checkpoint(tmp_path).name == "checkpoint-20"


def test_what_is_there_is_not_written_over(data, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    for out in (tmp_path / "out", tmp_path / "out" / "thesis.txt", Path("/")):
        assert _tune(data, tmp_path / "model", out) == 2
        assert "is taken" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option",
    [("--lora", "0"), ("--steps", "-1"), ("--batch", "0"), ("--rate", "nan"), ("--seed", "-1"), ("--device", "mps")],
)
def test_numbers_that_make_no_sense_are_refused(data, tmp_path, capsys, option):
    with pytest.raises(SystemExit, match="2"):
        _tune(data, tmp_path / "model", tmp_path / "out", *option)
    assert option[0] in capsys.readouterr().err and not (tmp_path / "out.work").exists()


def test_conversations_longer_than_the_model_takes_are_refused(data, tmp_path):
    processor = MagmaProcessor.from_pretrained(make_checkpoint(tmp_path / "model"))
    examples = read_examples(data / "data.json", data)
    with pytest.raises(UserError, match="shorten it"):
        Collator(processor, 20)(examples)


def test_a_model_that_is_not_there_is_the_users_error(data, tmp_path, capsys):
    assert _tune(data, tmp_path / "nowhere", tmp_path / "out") == 2
    assert "nowhere" in capsys.readouterr().err
