"""Teaches the sentence encoder what people call the things of a user interface: ``python -m core.training.sentences``.

``paraphrases.txt`` lists screens with their labels and, for each label, ways to ask for it without its words. Low-rank
changes of all-MiniLM-L6-v2 (LoRA, Hu et al. 2021, arXiv 2106.09685) are trained so that a way to ask lies nearer to
its own label than to the others (InfoNCE, van den Oord et al. 2018, arXiv 1807.03748), and phrases of one meaning of
the thesaurus near each other. Every tenth screen is only measured. Writes weights and figures to ``assets/sentences``.
Needs core/training/requirements.txt.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch.nn import functional

from core.errors import UserError
from core.files import write_text
from core.screen import sentences, thesaurus
from core.screen.described import gloss

PARAPHRASES = Path(__file__).with_name("paraphrases.txt")
HELD_OUT = 10
"""Every so many-th screen is not trained on."""
RANK = 16
# With alpha equal to the rank the changes are up @ down, not scaled.
LORA = LoraConfig(r=RANK, lora_alpha=RANK, lora_dropout=0.1, target_modules=["query", "key", "value", "dense"])
TEMPERATURE = 0.05
SCREENS = 6
"""Screens in a batch, one way to ask for each of their labels."""
MEANINGS = 64
"""Pairs of phrases in a batch, each from another meaning."""
OWN_SCREEN = 0.5
"""What it counts to tell a label from those of its own screen only, beside telling it from all in the batch."""
TO_ICON = 0.3
"""How often a phrase is paired with an icon's name rather than with another phrase."""
TOGETHER = 80
"""Texts that go through the network at once."""
EPOCHS, RATE = 8, 1e-3


@dataclass(frozen=True)
class Asked:
    """A label of a screen and ways to ask for it."""

    label: str
    ways: tuple[str, ...]


def read_screens(path: Path = PARAPHRASES) -> list[list[Asked]]:
    """Raises UserError where a line is not of the form "label | way | way ..."."""
    screens: list[list[Asked]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("# "):
            screens.append([])
        elif line.strip():
            label, *ways = (part.strip() for part in line.split("|"))
            if not screens or not label or not ways or not all(ways):
                raise UserError(f"{path}, line {number}, is not of the form: label | way to ask | way to ask ...")
            screens[-1].append(Asked(label, tuple(ways)))
    return screens


@torch.inference_mode()
def measure(model: torch.nn.Module, tokenizer: Tokenizer, screens: list[list[Asked]]) -> dict[str, float]:
    """How often a way to ask is nearest to its own label among its screen's, and among its five nearest, 0..1."""
    model.eval()
    first = five = count = 0
    for screen in screens:
        labels = sentences.encode(model, tokenizer, [asked.label for asked in screen])
        for i, asked in enumerate(screen):
            for row in sentences.encode(model, tokenizer, list(asked.ways)) @ labels.T:
                rank = int((row > row[i]).sum())
                first, five, count = first + (rank == 0), five + (rank < 5), count + 1
    return {"ways": count, "top-1": first / count, "top-5": five / count}


def phrase_pairs(dice: random.Random) -> list[tuple[str, str]]:
    """Two phrases of each of some meanings, or a phrase and what stands for one of its icons."""
    pairs = []
    told = [meaning for meaning in thesaurus.meanings() if len(meaning.phrases) > 1]
    for meaning in dice.sample(told, MEANINGS):
        one, other = dice.sample(meaning.phrases, 2)
        if meaning.icons and dice.random() < TO_ICON:
            other = gloss(dice.choice(meaning.icons[:2]))
        pairs.append((one, other))
    return pairs


def encode_sorted(model: torch.nn.Module, tokenizer: Tokenizer, texts: list[str]) -> torch.Tensor:
    """As ``sentences.encode``, in less than half the time: texts of like length go together, so that little is padded,
    and bfloat16 is enough (fast where the processor has it)."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    with torch.autocast("cpu", torch.bfloat16):
        vectors = [
            sentences.encode(model, tokenizer, [texts[i] for i in order[start : start + TOGETHER]])
            for start in range(0, len(order), TOGETHER)
        ]
    return torch.cat(vectors).float()[torch.tensor(order).argsort()]


def batch_loss(
    model: torch.nn.Module, tokenizer: Tokenizer, screens: list[list[Asked]], dice: random.Random
) -> torch.Tensor:
    """The scalar loss of some screens, one way to ask for each label, and of as many pairs of phrases as MEANINGS."""
    labels = [asked.label for screen in screens for asked in screen]
    ways = [dice.choice(asked.ways) for screen in screens for asked in screen]
    of = torch.tensor([i for i, screen in enumerate(screens) for _ in screen])
    names = [label.casefold() for label in labels]
    same = torch.tensor([[a == b for b in names] for a in names]) & ~torch.eye(len(names), dtype=torch.bool)
    pairs = phrase_pairs(dice)
    vectors = encode_sorted(
        model, tokenizer, [*ways, *labels, *(one for one, _ in pairs), *(other for _, other in pairs)]
    )
    asked, named, one, other = vectors.split([len(ways), len(labels), len(pairs), len(pairs)])
    truth = torch.arange(len(ways))
    near = (asked @ named.T / TEMPERATURE).masked_fill(same, -1e4)
    own = near.masked_fill(of[:, None] != of[None, :], -1e4)
    loss = functional.cross_entropy(near, truth) + OWN_SCREEN * functional.cross_entropy(own, truth)
    # A phrase may stand in several meanings; it is not told from itself.
    twice = torch.tensor([[phrase in pair for pair in pairs] for phrase, _ in pairs])
    twice &= ~torch.eye(len(pairs), dtype=torch.bool)
    alike = (one @ other.T / TEMPERATURE).masked_fill(twice, -1e4)
    return loss + functional.cross_entropy(alike, torch.arange(len(pairs)))


def train(epochs: int, rate: float, seed: int) -> tuple[dict[str, torch.Tensor], dict]:
    """(the changes of each weight as "<module>.down" [RANK, in] and "<module>.up" [out, RANK], the figures)."""
    torch.manual_seed(seed)
    dice = random.Random(seed)
    screens = read_screens()
    unseen = screens[::HELD_OUT]
    seen = [screen for i, screen in enumerate(screens) if i % HELD_OUT]
    base, tokenizer = sentences.load(adapted=False)
    before = measure(base, tokenizer, unseen)
    print(f"before: {before}", flush=True)
    model = get_peft_model(base, LORA)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=rate, weight_decay=0.01)
    steps = epochs * (len(seen) // SCREENS)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.1)
    begun = time.perf_counter()
    for epoch in range(epochs):
        order = dice.sample(seen, len(seen))
        losses = []
        for start in range(0, len(order) - SCREENS + 1, SCREENS):
            model.train()
            loss = batch_loss(model, tokenizer, order[start : start + SCREENS], dice)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        after = measure(model, tokenizer, unseen)
        print(f"epoch {epoch + 1}: loss {sum(losses) / len(losses):.3f}, unseen screens {after}", flush=True)
    figures = {
        "screens": len(screens),
        "labels": sum(map(len, screens)),
        "unseen screens": len(unseen),
        "before": before,
        "after": after,
        "minutes": (time.perf_counter() - begun) / 60,
    }
    return changes(model), figures


def changes(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The low-rank changes of a model with LoRA layers, float16, as core.screen.sentences adds them."""
    found = {}
    for name, weight in model.named_parameters():
        if ".lora_" in name:
            module, kind = name.removeprefix("base_model.model.").split(".lora_")
            found[f"{module}.{'down' if kind[0] == 'A' else 'up'}"] = weight.detach().half().contiguous()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=sentences.ADAPTER.parent, help="folder of the results")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.epochs < 1 or not 0 < arguments.rate < 1:
        parser.error("--epochs must be at least 1, --rate between 0 and 1")
    weights, figures = train(arguments.epochs, arguments.rate, arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    save_file(weights, arguments.out / sentences.ADAPTER.name)
    write_text(arguments.out / "numbers.json", json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
