"""Trains the icon classifier from nothing: ``python -m core.training.icons``.

Fetches the icon sets, draws crops of made-up screens, trains on one core, measures on shapes and sets it never saw,
and writes weights, labels and numbers to ``assets/icons``. Needs npm and core/training/requirements.txt.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional

from core.screen.icons import ASSETS, NO_ICON, OTHER, SIDE, channels, network
from core.training.icon_pictures import Scenes, Texts, write_texts
from core.training.icon_sets import (
    Concept,
    Shape,
    fetch,
    fingerprint,
    hold_out,
    meanings_of_files,
    read_concepts,
    read_sets,
    read_shapes,
)

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "ui-icons"
FONTS = (
    (
        "inter",
        "latin",
        "sha512-RofMylZmjlJEfELXeNHFWBRcSs75rGU/6bV2S2jfnvv/3rPXPGe0LgUJTklcHZ9lM4OZmAVFhcJPnACfb91A3g==",
    ),
    (
        "roboto",
        "latin",
        "sha512-BapRJOWYP+LZ21zp+wBQjfpPYKRoxc4LspJ/RLuI+HSMBD5u/X4O+ESDrSvEqDSy0rAl7GwBJ+09mdc16cVQ1Q==",
    ),
    (
        "open-sans",
        "cyrillic",
        "sha512-V1bdMlGNyZrJwzrdusshMOw2YR0aqYDL7kOo9dkxUEKl8dFv66A9HLckOOXl572sG/7ohhDQrCrTFGSn9LZcSw==",
    ),
    (
        "merriweather",
        "latin",
        "sha512-9LpPsNTYzRALj468Uj1K9Usl5eXk991L/kKmcpdWbTF1na9NfMyAXMgUABlMReViU1MYBz9kJ8jEzEOtX9qGDg==",
    ),
    (
        "source-code-pro",
        "latin",
        "sha512-JxaCODU69HDS3mVra9u96nyBF911La6IvtGLgpQD+PZLxJ1i9IxooNfLR6Y37kx06IFjVGkvoUmg3WPwh/8gBg==",
    ),
    (
        "noto-sans-arabic",
        "arabic",
        "sha512-i3t6GR0LOReyJVEk+YfYCnxv53wuIelg7Y9NGNvOq4Diq/EP0YszaGXkQwfQNigLjfO4POrLaPGM0sNliGYk7A==",
    ),
    (
        "kosugi",
        "japanese",
        "sha512-yi/8P8uKJAhEsZYA+drrv+jFrhjrRsOyjYI88eTmarn/Ac3P94WkJP2IkvjD3Pb5AyPKoc98sa7z57Nfb0CFtg==",
    ),
)
"""Fonts of the text that is no icon: npm's @fontsource packages of version 5.3.0, script and hash."""

NOTHING_SHARE, OTHER_SHARE = 0.15, 0.07
COLOURED_SHARE = 0.25
"""How often a concept is drawn from an icon with colours of its own, where there is one: most sets have none."""
BATCH = 128


@dataclass
class Data:
    """Shapes by use ("train", "validation", "test", "unseen"), the drawings of logos, and the concepts."""

    concepts: list[Concept]
    shapes: dict[str, list[Shape]]
    logos: list[np.ndarray]
    texts: Texts


def gather(cache: Path, seed: int) -> Data:
    """Fetches and draws everything there is to learn from and to measure on."""
    concepts = read_concepts()
    meanings = meanings_of_files(concepts)
    seen, unseen, logos = [], [], []
    for icon_set in read_sets():
        source = icon_set.source or f"@iconify-json/{icon_set.name}@{icon_set.version}"
        folder = fetch(source, icon_set.integrity, cache)
        if icon_set.use == "logo":
            logos += read_shapes(icon_set, folder, {}, 1500)
            continue
        shapes = read_shapes(icon_set, folder, meanings, 150)
        (seen if icon_set.use == "train" else unseen).extend(shapes)
        print(
            f"{icon_set.name}: {len(shapes)} shapes, {len({shape.concept for shape in shapes}) - 1} concepts",
            flush=True,
        )
    return assemble(concepts, seen, unseen, logos, cache, seed)


def assemble(
    concepts: list[Concept], seen: list[Shape], unseen: list[Shape], logos: list[Shape], cache: Path, seed: int
) -> Data:
    """Splits the shapes, drops logos that look like an icon, and writes the texts."""
    rng = np.random.default_rng(seed)
    prints = np.stack([fingerprint(shape.drawing) for shape in seen if shape.concept != OTHER])
    strange = [shape.drawing for shape in logos if (prints @ fingerprint(shape.drawing)).max() < 0.8]
    files = [
        (path, script)
        for name, script, integrity in FONTS
        for path in sorted(
            (fetch(f"@fontsource/{name}@5.3.0", integrity, cache) / "package/files").glob(
                f"{name}-{script}-[47]00-normal.woff2"
            )
        )
    ]
    words = sorted({word for concept in concepts for word in concept.name.split()})
    return Data(concepts, {**hold_out(seen, rng), "unseen": unseen}, strange, write_texts(files, words, rng))


class Sampler:
    """Draws labelled pictures: a concept at random, coloured or not, a group of such shapes, a shape, a scene."""

    def __init__(self, shapes: list[Shape], labels: list[str], scenes: Scenes, seed: int) -> None:
        self.scenes, self.rng = scenes, np.random.default_rng(seed)
        self.number = {label: index for index, label in enumerate(labels)}
        groups: dict[tuple[str, bool], dict[str, list[Shape]]] = defaultdict(lambda: defaultdict(list))
        for shape in shapes:
            groups[shape.concept, shape.coloured][shape.group].append(shape)
        self.groups = {key: list(members.values()) for key, members in groups.items()}
        self.concepts = sorted({concept for concept, _ in self.groups} - {OTHER})

    def _one(self) -> tuple[np.ndarray, int]:
        choice = self.rng.random()
        if choice < NOTHING_SHARE:
            return self.scenes.nothing(), self.number[NO_ICON]
        unnamed = choice < NOTHING_SHARE + OTHER_SHARE
        concept = OTHER if unnamed else self.concepts[self.rng.integers(len(self.concepts))]
        coloured = self.rng.random() < COLOURED_SHARE
        groups = self.groups.get((concept, coloured)) or self.groups[concept, not coloured]
        group = groups[self.rng.integers(len(groups))]
        return self.scenes.icon(group[self.rng.integers(len(group))].drawing), self.number[concept]

    def batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        pictures, numbers = zip(*(self._one() for _ in range(BATCH)), strict=True)
        return torch.from_numpy(np.stack(pictures)), torch.tensor(numbers)


def train(sampler: Sampler, classes: int, steps: int) -> torch.nn.Module:
    """AdamW under a one-cycle schedule, in bfloat16 where the processor has it."""
    model = network(classes).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps, pct_start=0.15)
    began, shown = time.monotonic(), 0.0
    for step in range(steps):
        pictures, numbers = sampler.batch()
        inputs = channels(pictures)
        # the first half sees smaller pictures, which is as good for learning the rough shapes and twice as fast
        if step < steps // 2:
            inputs = functional.interpolate(inputs, size=SIDE * 2 // 3, mode="area")
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(inputs.contiguous(memory_format=torch.channels_last))
        loss = functional.cross_entropy(logits.float(), numbers, label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        shown = loss.item() if step == 0 else 0.98 * shown + 0.02 * loss.item()
        if step % 250 == 0 or step == steps - 1:
            print(f"step {step} loss {shown:.3f} {(time.monotonic() - began) / 60:.1f} min", flush=True)
    return model.eval()


def predict(model: torch.nn.Module, pictures: np.ndarray) -> torch.Tensor:
    """Logits, float [n, classes]."""
    with torch.inference_mode():
        return torch.cat([model(channels(part)).float() for part in torch.from_numpy(pictures).split(256)])


def draw(shapes: list[Shape], scenes: Scenes, most: int) -> tuple[list[Shape], np.ndarray]:
    """One picture of each shape, of at most so many of them."""
    chosen = np.random.default_rng(1).permutation(len(shapes))[:most]
    picked = [shapes[index] for index in sorted(chosen)]
    return picked, np.stack([scenes.icon(shape.drawing) for shape in picked])


def measure(model: torch.nn.Module, data: Data, labels: list[str], temperature: float) -> dict[str, dict]:
    """Accuracy on shapes and sets never trained on, and how often nothing is taken for an icon and the reverse."""
    number = {label: index for index, label in enumerate(labels)}
    unnamed = [number[NO_ICON], number[OTHER]]
    named = {use: [shape for shape in shapes if shape.concept != OTHER] for use, shapes in data.shapes.items()}
    neighbours = [shape.drawing for shape in named["train"]]
    scenes = Scenes(data.texts, neighbours, data.logos, seed=1234)
    report: dict[str, dict] = {}
    by_set = defaultdict(list)
    for shape in named["unseen"]:
        by_set[shape.icon_set].append(shape)
    for name, shapes in {
        "held-out shapes": [shape for shape in named["test"] if not shape.coloured],
        "held-out coloured shapes": [shape for shape in named["test"] if shape.coloured],
        **{f"set {key}": value for key, value in by_set.items()},
    }.items():
        picked, pictures = draw(shapes, scenes, 4000)
        probabilities = (predict(model, pictures) / temperature).softmax(1)
        empty = probabilities[:, number[NO_ICON]] > 0.5
        probabilities[:, unnamed] = -1
        truth = torch.tensor([number[shape.concept] for shape in picked])
        top = probabilities.topk(5, dim=1).indices
        right = (top == truth[:, None]) & ~empty[:, None]
        first = right[:, 0].float()
        per_concept = [first[truth == concept].mean().item() for concept in truth.unique()]
        report[name] = {
            "pictures": len(picked),
            "shapes": len({shape.group for shape in picked}),
            "concepts": len(per_concept),
            "top1": first.mean().item(),
            "top5": right.any(1).float().mean().item(),
            "top1_mean_of_concepts": float(np.mean(per_concept)),
            "taken_for_nothing": empty.float().mean().item(),
            "confidence": probabilities.amax(1)[~empty].mean().item(),
        }
    probabilities = (predict(model, np.stack([scenes.nothing() for _ in range(4000)])) / temperature).softmax(1)
    taken = probabilities[:, number[NO_ICON]] <= 0.5
    probabilities[:, unnamed] = -1
    report["no icon"] = {
        "pictures": 4000,
        "taken_for_an_icon": taken.float().mean().item(),
        "taken_with_probability_over_half": (taken & (probabilities.amax(1) > 0.5)).float().mean().item(),
    }
    return report


def calibrate(logits: torch.Tensor, truth: torch.Tensor) -> float:
    """The temperature under which the truth is likeliest (temperature scaling, Guo et al. 2017)."""
    candidates = torch.linspace(0.4, 3.0, 131)
    losses = torch.stack([functional.cross_entropy(logits / temperature, truth) for temperature in candidates])
    return round(float(candidates[losses.argmin()]), 3)


def favour_common(model: torch.nn.Module, shapes: list[Shape], labels: list[str], temperature: float) -> None:
    """Training draws every concept equally often, a screen does not: what few icon sets draw is rare on screens too.
    The number of sets goes into the last bias as the prior of a concept."""
    sets: dict[str, set[str]] = defaultdict(set)
    for shape in shapes:
        sets[shape.concept].add(shape.icon_set)
    usual = float(np.median([len(sets[label]) for label in labels if label not in (OTHER, NO_ICON)]))
    weights = [1.0 if label in (OTHER, NO_ICON) else max(len(sets[label]), 1) / usual for label in labels]
    with torch.no_grad():
        model[-1].bias += temperature * torch.tensor(weights).log()


def table(report: dict[str, dict]) -> str:
    """The numbers as the model card shows them, in Markdown."""
    lines = [
        "| measured on | pictures | shapes | concepts | top-1 | top-5 | top-1, mean of concepts | taken for nothing |"
    ]
    lines.append("|---|---|---|---|---|---|---|---|")
    for name, row in report.items():
        if "top1" in row:
            shares = (row[key] for key in ("top1", "top5", "top1_mean_of_concepts", "taken_for_nothing"))
            counts = (row[key] for key in ("pictures", "shapes", "concepts"))
            lines.append(
                f"| {name} | {' | '.join(map(str, counts))} | {' | '.join(f'{share:.1%}' for share in shares)} |"
            )
    unseen = [row for name, row in report.items() if name.startswith("set ")]
    pictures = sum(row["pictures"] for row in unseen)
    first, five = (sum(row[key] * row["pictures"] for row in unseen) / pictures for key in ("top1", "top5"))
    nothing, training = report["no icon"], report["training"]
    lines += [
        "",
        f"All {pictures} pictures of unseen sets together: top-1 {first:.1%}, top-5 {five:.1%}.",
        "",
        f"Of {nothing['pictures']} pictures of no icon, {nothing['taken_for_an_icon']:.1%} got a guess, "
        f"{nothing['taken_with_probability_over_half']:.1%} one of probability over 0.5.",
        "",
        f"Trained in {training['minutes']} minutes on one core: {training['steps']} steps of {training['batch']} "
        f"pictures from {training['shapes']['train']} drawings, seed {training['seed']}, "
        f"{training['parameters']} parameters, Python {training['python']}, torch {training['torch']}.",
    ]
    return "\n".join(lines)


def write_numbers(report: dict[str, dict], folder: Path) -> None:
    """Writes numbers.json, and the table into the model card where there is one."""
    (folder / "numbers.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    card = folder / "MODEL_CARD.md"
    if card.is_file():
        before, rest = card.read_text(encoding="utf-8").split("<!-- numbers -->\n", 1)
        _, after = rest.split("<!-- end of numbers -->", 1)
        marked = f"<!-- numbers -->\n{table(report)}\n<!-- end of numbers -->"
        card.write_text(before + marked + after, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ASSETS)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--steps", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    began = time.monotonic()
    data = gather(arguments.cache, arguments.seed)
    trained = data.shapes["train"]
    named = [concept for concept in data.concepts if concept.name != "-"]
    labels = [*(concept.name for concept in named), OTHER, NO_ICON]
    neighbours = [shape.drawing for shape in trained]
    print(
        {use: len(shapes) for use, shapes in data.shapes.items()},
        f"{(time.monotonic() - began) / 60:.1f} min",
        flush=True,
    )

    scenes = Scenes(data.texts, neighbours, data.logos, arguments.seed + 1)
    training_began = time.monotonic()
    model = train(Sampler(trained, labels, scenes, arguments.seed + 2), len(labels), arguments.steps)
    minutes = (time.monotonic() - training_began) / 60

    checker = Sampler(data.shapes["validation"], labels, Scenes(data.texts, neighbours, data.logos, 77), 78)
    pictures, truth = zip(*(checker.batch() for _ in range(24)), strict=True)
    temperature = calibrate(predict(model, torch.cat(pictures).numpy()), torch.cat(truth))
    favour_common(model, trained, labels, temperature)
    report = measure(model, data, labels, temperature)
    report["training"] = {
        "steps": arguments.steps,
        "batch": BATCH,
        "seed": arguments.seed,
        "minutes": round(minutes, 1),
        "shapes": {use: len(shapes) for use, shapes in data.shapes.items()},
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    state = {name: value.half() if value.is_floating_point() else value for name, value in model.state_dict().items()}
    save_file({name: value.contiguous() for name, value in state.items()}, arguments.out / "icons.safetensors")
    described = [{"name": concept.name, "also": concept.also} for concept in named]
    described += [{"name": OTHER, "also": ()}, {"name": NO_ICON, "also": ()}]
    text = json.dumps({"temperature": temperature, "labels": described}, ensure_ascii=False, indent=1)
    (arguments.out / "labels.json").write_text(text + "\n", encoding="utf-8")
    write_numbers(report, arguments.out)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
