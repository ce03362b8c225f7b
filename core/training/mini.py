"""Makes the small checkpoint from nothing: ``python -m core.training.mini --out assets/magma-mini``.

The same classes, prompts and reply formats as Magma-8B, on pictures that our own code draws: boards of the game and
simulated tabletops. This recipe alone sees both sides, the model and the apps whose lessons it learns.

1. Spots: the vision tower and projector learn what stands in each cell of the feature map (thrown-away linear head).
2. Turns: the whole model learns the replies, and the spots stay in the loss, so that nothing is forgotten.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import IterableDataset, get_worker_info
from transformers import Trainer, TrainerCallback, TrainingArguments, set_seed

import apps.gaming_agent.lessons as game
import apps.robot_planner.lessons as tabletop
from core.conversation import SYSTEM
from core.geometry import GRID
from core.magma import MagmaConfig, MagmaForCausalLM, MagmaImageProcessor, MagmaProcessor, Message
from core.training.lessons import Lesson, SpotHead, spot_targets
from core.training.optimizer import MuonWithAdamW
from core.training.tokenizer import train_tokenizer

LAYERS = game.LAYERS | tabletop.LAYERS
SOURCES: tuple[Callable[[np.random.Generator], Iterator[Lesson]], ...] = (game.lessons, tabletop.lessons)

IMAGE_SIDE = 320
"""Pixels: a cell of the feature map is one field of the 10 x 10 board."""

VISION = {"img_size": IMAGE_SIDE, "max_num_crops": 1, "depths": (1, 1, 2, 2), "widths": (32, 64, 160, 320)}
TEXT = {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 4}
WORDS = 1024
SKILLS = ("locate", "move", "trace")

BLUR = 1.5
"""Spread of the label of a coordinate over its neighbours, in grid cells: near misses are nearly right."""


@dataclass(frozen=True)
class Stage:
    name: str
    steps: int
    batch: int
    rate: float
    final_rate: float
    turns: bool


STAGES = (
    Stage("spots", 1400, 32, 1e-3, 3e-4, turns=False),
    Stage("turns", 2400, 16, 1e-3, 1e-3, turns=True),
    Stage("settle", 800, 16, 1e-3, 2e-5, turns=True),
)


def make_processor(seed: int) -> MagmaProcessor:
    """The tokenizer learns from the lessons' own words."""
    generator = np.random.default_rng(seed)
    texts = [SYSTEM, "system", "user", "assistant"]
    for source in SOURCES:
        for lesson in islice(source(generator), 300):
            texts += [part for turn in lesson.turns for part in turn]
    tokenizer = train_tokenizer(texts, WORDS)
    image_processor = MagmaImageProcessor(base_img_size=IMAGE_SIDE, num_crops=VISION["max_num_crops"])
    return MagmaProcessor(image_processor, tokenizer)


def make_model(processor: MagmaProcessor, seed: int) -> MagmaForCausalLM:
    set_seed(seed)
    tokenizer = processor.tokenizer
    control = tokenizer.get_added_vocab()
    text = TEXT | {
        "vocab_size": len(tokenizer),
        "num_key_value_heads": TEXT["num_attention_heads"],
        "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = MagmaConfig(
        vision_config=VISION | {"projection_dim": 32},
        text_config=text,
        image_token_index=control["<image>"],
        tokenizer_vocab_size=min(control.values()),
        skills=list(SKILLS),
    )
    model = MagmaForCausalLM(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("gamma"):
                parameter.fill_(0.5)  # a shallow trunk needs no caution
        # Numbers that are near look alike from the start: waves of many lengths, as in positional encodings.
        ids = number_ids(processor)
        lengths = torch.logspace(0.5, 2.7, TEXT["hidden_size"] // 2)
        angles = torch.arange(GRID)[:, None] / lengths[None] * 2 * torch.pi
        waves = torch.cat([angles.sin(), angles.cos()], dim=1) * 0.02 * 2**0.5
        for weight in (model.get_input_embeddings().weight, model.get_output_embeddings().weight):
            weight[ids] = waves + 0.1 * weight[ids]
    return model


def number_ids(processor: MagmaProcessor) -> torch.Tensor:
    """The tokens of 0..255."""
    return torch.tensor(processor.tokenizer.convert_tokens_to_ids([str(number) for number in range(GRID)]))


class Lessons(IterableDataset):
    """Batches of lessons, the sources in turn. Every worker has its own, by seed and number."""

    def __init__(self, processor: MagmaProcessor, stage: Stage, seed: int) -> None:
        self._processor, self._stage, self._seed = processor, stage, seed

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        worker = get_worker_info()
        torch.set_num_threads(1)
        generator = np.random.default_rng([self._seed, worker.id if worker else 0])
        streams = [source(generator) for source in SOURCES]
        while True:
            for stream in streams:
                yield self._batch(list(islice(stream, self._stage.batch)), generator)

    def _batch(self, lessons: list[Lesson], generator: np.random.Generator) -> dict[str, torch.Tensor]:
        conversations = [lesson_messages(lesson, generator, self._stage.turns) for lesson in lessons]
        batch = dict(self._processor(conversations, add_generation_prompt=False, labels=True))
        targets = [spot_targets(lesson.spots, LAYERS, IMAGE_SIDE // 32) for lesson in lessons]
        batch["names"], batch["places"] = (torch.from_numpy(np.stack(part)) for part in zip(*targets, strict=True))
        return batch


def lesson_messages(lesson: Lesson, generator: np.random.Generator, turns: bool) -> list[Message]:
    messages = [Message("system", SYSTEM)]
    order = generator.permutation(len(lesson.turns)) if turns else [0]
    for place, index in enumerate(order):
        question, reply = lesson.turns[index]
        messages.append(Message("user", question, () if place else (lesson.picture,)))
        messages.append(Message("assistant", reply))
    return messages


class Pupil(nn.Module):
    """The model, the head that is thrown away, and the loss of a batch."""

    def __init__(self, model: MagmaForCausalLM, processor: MagmaProcessor, head: SpotHead, turns: bool) -> None:
        super().__init__()
        self.model, self.head, self._turns = model, head, turns
        vocabulary = processor.tokenizer.convert_ids_to_tokens(range(len(processor.tokenizer)))
        opens = torch.tensor([token.endswith(("[", ",")) for token in vocabulary])
        self.register_buffer("opens", opens, persistent=False)
        ids = number_ids(processor)
        self.register_buffer("numbers", ids, persistent=False)
        value = torch.full((len(vocabulary),), -1)
        value[ids] = torch.arange(GRID)
        self.register_buffer("value", value, persistent=False)
        off = torch.arange(GRID)[:, None] - torch.arange(GRID)[None]
        self.register_buffer("blurred", torch.softmax(-(off**2) / (2 * BLUR**2), dim=1), persistent=False)

    def forward(self, names: torch.Tensor, places: torch.Tensor, labels: torch.Tensor, **inputs) -> dict:
        seen: list[torch.Tensor] = []
        projector = self.model.multi_modal_projector
        if not self._turns:
            seen.append(projector(self.model.vision_tower(inputs["pixel_values"].flatten(0, 1))))
            return {"loss": self.head.loss(seen[0], names, places)}
        hook = projector.register_forward_hook(lambda module, given, features: seen.append(features))
        try:
            kept = labels.shape[1] - int((labels != -100).any(dim=0).nonzero()[0]) + 1
            logits = self.model(**inputs, logits_to_keep=kept, use_cache=False).logits[:, :-1].float()
        finally:
            hook.remove()
        wanted, before = labels[:, 1 - kept :], inputs["input_ids"][:, -kept:-1]
        learnt = wanted != -100
        said = self._said(logits[learnt], wanted[learnt], before[learnt])
        spots = self.head.loss(seen[0], names, places)
        return {"loss": said + 0.1 * spots, "said": said.detach(), "spots": spots.detach()}

    def _said(self, logits: torch.Tensor, wanted: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
        """Cross-entropy, with the labels of coordinates blurred."""
        likelihood = functional.log_softmax(logits, dim=-1)
        coordinate = self.opens[before] & (self.value[wanted] >= 0)
        plain = -likelihood[~coordinate].gather(1, wanted[~coordinate, None]).sum()
        blurred = self.blurred[self.value[wanted[coordinate]]]
        near = -(blurred * likelihood[coordinate][:, self.numbers]).sum()
        return (plain + near) / len(wanted)


class StageTrainer(Trainer):
    """transformers' Trainer with our optimizer, a linear way between two rates, and batches that come ready-made."""

    def __init__(self, stage: Stage, **options) -> None:
        self._stage = stage
        super().__init__(**options, data_collator=lambda batches: batches[0])

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        if self.optimizer is None:
            self.optimizer = MuonWithAdamW(self.model, self._stage.rate, decay=0.05)
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None):
        ratio = self._stage.final_rate / self._stage.rate

        def factor(step: int) -> float:
            return min(1.0, (step + 1) / 100) * (1 + (ratio - 1) * step / num_training_steps)

        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer or self.optimizer, factor)
        return self.lr_scheduler


class Progress(TrainerCallback):
    def __init__(self, path: Path) -> None:
        self._path, self._began = path, time.time()

    def on_log(self, args, state, control, logs=None, **kwargs):
        line = {"step": state.global_step, "seconds": round(time.time() - self._began), **(logs or {})}
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")


def train(
    stage: Stage,
    model: MagmaForCausalLM,
    processor: MagmaProcessor,
    head: SpotHead,
    work: Path,
    seed: int,
    minutes: float | None = None,
) -> None:
    folder = work / stage.name
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=stage.steps,
        per_device_train_batch_size=1,
        bf16=True,
        use_cpu=not torch.cuda.is_available(),
        logging_steps=25,
        save_steps=250,
        save_total_limit=2,
        dataloader_num_workers=1,
        dataloader_prefetch_factor=3,
        remove_unused_columns=False,
        ignore_data_skip=True,
        max_grad_norm=1.0,
        report_to=[],
        seed=seed,
        disable_tqdm=True,
        accelerator_config={"dispatch_batches": False, "split_batches": False},
    )
    last = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))[-1:]
    begun = int(last[0].name.split("-")[1]) if last else 0
    pupil = Pupil(model, processor, head, stage.turns)
    trainer = StageTrainer(
        stage,
        model=pupil,
        args=arguments,
        train_dataset=Lessons(processor, stage, seed + 1000 * begun + len(stage.name)),
        callbacks=[Progress(work / "log.jsonl")],
    )
    trainer.train(resume_from_checkpoint=str(last[0]) if last else None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stages", default=",".join(stage.name for stage in STAGES))
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    processor = make_processor(options.seed)
    model = make_model(processor, options.seed)
    head = SpotHead(TEXT["hidden_size"], LAYERS)
    model.vision_tower.compile()
    print(sum(parameter.numel() for parameter in model.parameters()) / 1e6, "M parameters", flush=True)
    for stage in STAGES:
        done = options.work / f"{stage.name}.pt"
        if done.exists():
            state = torch.load(done, weights_only=True)
            model.load_state_dict(state["model"])
            head.load_state_dict(state["head"])
            continue
        if stage.name not in options.stages.split(","):
            continue
        train(stage, model, processor, head, options.work, options.seed)
        torch.save({"model": model.state_dict(), "head": head.state_dict()}, done)
    model.save_pretrained(options.out)
    processor.save_pretrained(options.out)


if __name__ == "__main__":
    main()
