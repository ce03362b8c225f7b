"""The sentence encoder: unit vectors, the changes learnt for user interfaces, and the trainer that learns them."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
import torch
from peft import get_peft_model

from core.errors import UserError
from core.screen import sentences
from core.training import sentences as trainer


def test_vectors_have_length_one_and_the_order_of_the_texts() -> None:
    vectors = sentences.embed(["Sign in", "", "Sign in", "注册 🎉"])
    assert vectors.shape == (4, sentences.DIMENSIONS)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert (vectors[0] == vectors[2]).all()
    assert sentences.embed([]).shape == (0, sentences.DIMENSIONS)


def margin(vectors: np.ndarray) -> float:
    """How much nearer the first text is to the second than to any other."""
    likeness = vectors[1:] @ vectors[0]
    return float(likeness[0] - likeness[1:].max())


def test_what_was_learnt_brings_a_request_nearer_to_its_label() -> None:
    texts = ["when does the bus leave?", "Timetable", "Bus company", "Leave feedback", "Does it fit?"]
    assert margin(sentences.embed(texts)) > margin(sentences.embed(texts, adapted=False))
    assert margin(sentences.embed(texts)) > margin(sentences.embed(texts, adapted=False))  # from memory, not mixed up


def test_the_changes_are_those_of_the_trained_model() -> None:
    base, tokenizer = sentences.load(adapted=False)
    torch.manual_seed(0)
    model = get_peft_model(base, trainer.LORA)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if ".lora_B" in name:
                weight.normal_(std=0.02)
    changes = trainer.changes(model)
    other, _ = sentences.load(adapted=False)
    sentences._adapt(other, changes)
    with torch.inference_mode():
        expected = sentences.encode(model.eval(), tokenizer, ["Sign in", "Show the map"])
        assert torch.allclose(
            sentences.encode(other.eval(), tokenizer, ["Sign in", "Show the map"]), expected, atol=2e-3
        )
        plain = sentences.encode(sentences.load(adapted=False)[0], tokenizer, ["Sign in", "Show the map"])
        assert not torch.allclose(plain, expected, atol=2e-2)


def test_a_few_steps_lower_the_loss() -> None:
    base, tokenizer = sentences.load(adapted=False)
    torch.manual_seed(0)
    model = get_peft_model(base, trainer.LORA).eval()
    screens = trainer.read_screens()[:2]
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=2e-3)
    losses = []
    for _ in range(6):
        loss = trainer.batch_loss(model, tokenizer, screens, random.Random(0))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_the_screens_to_learn_from_are_of_the_form() -> None:
    screens = trainer.read_screens()
    assert len(screens) > 300 and sum(map(len, screens)) > 5000
    card = (sentences.ADAPTER.parent / "README.md").read_text(encoding="utf-8")
    numbers = json.loads((sentences.ADAPTER.parent / "numbers.json").read_text(encoding="utf-8"))
    assert (numbers["screens"], numbers["labels"]) == (len(screens), sum(map(len, screens)))
    for figure in (numbers["before"], numbers["after"]):
        assert f"{100 * figure['top-1']:.1f} %" in card and f"{100 * figure['top-5']:.1f} %" in card
    for screen in screens:
        assert len(screen) > 9 and len({asked.label for asked in screen}) == len(screen)


@pytest.mark.parametrize("line", ["Sign in", "Sign in | ", "| log me in", "no screen yet | what"])
def test_a_line_of_another_form_is_refused(tmp_path, line: str) -> None:
    path = tmp_path / "paraphrases.txt"
    path.write_text(line if line.startswith("no") else f"# A page\n{line}\n")
    with pytest.raises(UserError, match=r"line \d"):
        trainer.read_screens(path)
