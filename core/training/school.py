"""A model from nothing at school: lessons in batches, what its answers cost it, and transformers' Trainer around it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import IterableDataset, get_worker_info
from transformers import Trainer, TrainingArguments

from core.geometry import GRID
from core.magma import MagmaForCausalLM, MagmaProcessor
from core.magma.configuration import STRIDE
from core.magma.processing import IMAGE
from core.training.conversations import as_messages
from core.training.curve import LossCurve
from core.training.lessons import Layers, Lesson, SpotHead, Turn, cell_of, spot_targets
from core.training.optimizer import MuonWithAdamW
from core.training.work import last_checkpoint, steps_of

Source = Callable[[np.random.Generator], Iterator[Lesson]]
"""Lessons without end."""

BLUR = 1.5
"""Spread of the label of a coordinate over its neighbours, in grid cells: near misses are nearly right."""

GAZE_LAYER, GAZE_HEADS = 2, 2
"""Of Llama: these heads are taught where on the picture a number is read; finding that out alone takes long."""

SPOTS_SHARE, GAZE_SHARE = 0.2, 0.3
"""Of the loss, beside the words."""


@dataclass(frozen=True)
class Stage:
    """``steps`` batches of ``batch`` lessons, the sources by turns; the rate goes straight from ``rate`` to
    ``final_rate``. Without ``turns`` the vision tower learns its spots alone."""

    name: str
    steps: int
    batch: int
    rate: float
    final_rate: float
    sources: tuple[Source, ...]
    turns: bool = True


def number_ids(processor: MagmaProcessor) -> torch.Tensor:
    """The tokens of 0..255."""
    return torch.tensor(processor.tokenizer.convert_tokens_to_ids([str(number) for number in range(GRID)]))


class Lessons(IterableDataset):
    """Batches of lessons, the sources in turn. Every worker has its own, by seed and number."""

    def __init__(self, processor: MagmaProcessor, stage: Stage, layers: Layers, seed: Sequence[int]) -> None:
        self._processor, self._stage, self._layers, self._seed = processor, stage, layers, seed
        self._cells = processor.image_processor.base_img_size // STRIDE
        self._numbers = number_ids(processor)
        self._image = processor.tokenizer.get_added_vocab()[IMAGE]

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        worker = get_worker_info()
        generator = np.random.default_rng([*self._seed, worker.id if worker else 0])
        streams = deque(source(generator) for source in self._stage.sources)
        # The workers' batches come in turn: so the sources still alternate.
        streams.rotate(worker.id if worker else 0)
        while True:
            for stream in streams:
                yield self._batch(list(islice(stream, self._stage.batch)), generator)

    def _batch(self, lessons: list[Lesson], generator: np.random.Generator) -> dict[str, torch.Tensor]:
        orders = [[lesson.turns[i] for i in generator.permutation(len(lesson.turns))] for lesson in lessons]
        conversations = [
            as_messages(
                [lesson.picture],
                [said for turn in turns for said in (("user", turn.question), ("assistant", turn.reply))],
            )
            for lesson, turns in zip(lessons, orders, strict=True)
        ]
        batch = dict(self._processor(conversations, add_generation_prompt=False, labels=True))
        batch["gaze"] = self._gaze(batch, orders)
        targets = [spot_targets(lesson.spots, self._layers, self._cells) for lesson in lessons]
        batch["names"], batch["places"] = (torch.from_numpy(np.stack(part)) for part in zip(*targets, strict=True))
        return batch

    def _gaze(self, batch: Mapping[str, torch.Tensor], orders: Sequence[Sequence[Turn]]) -> torch.Tensor:
        """[B, S]: for a label that is a number read off the picture, the place of its visual token, else -1."""
        cells = self._cells
        gaze = torch.full_like(batch["labels"], -1)
        numbers = torch.isin(batch["labels"], self._numbers)
        for row, turns in enumerate(orders):
            first = int((batch["input_ids"][row] == self._image).nonzero()[0])
            looks = [look for turn in turns for look in turn.looks]
            for place, look in zip(numbers[row].nonzero()[:, 0].tolist(), looks, strict=True):
                column, line = cell_of(look, cells)
                gaze[row, place] = first + line * (cells + 1) + column  # each line ends with a separator
        return gaze


class Pupil(nn.Module):
    """The model, the head that is thrown away, and the loss of a batch."""

    def __init__(self, model: MagmaForCausalLM, processor: MagmaProcessor, head: SpotHead, turns: bool) -> None:
        super().__init__()
        self.model, self.head, self._turns = model, head, turns
        model.language_model.set_attn_implementation("eager")  # which alone shows its attention
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

    def forward(
        self, names: torch.Tensor, places: torch.Tensor, labels: torch.Tensor, gaze: torch.Tensor, **inputs
    ) -> dict:
        seen: list[torch.Tensor] = []
        projector = self.model.multi_modal_projector
        if not self._turns:
            seen.append(projector(self.model.vision_tower(inputs["pixel_values"].flatten(0, 1))))
            return {"loss": self.head.loss(seen[0], names, places)}
        hook = projector.register_forward_hook(lambda module, given, features: seen.append(features))
        try:
            kept = labels.shape[1] - int((labels != -100).any(dim=0).nonzero()[0]) + 1
            outputs = self.model(**inputs, logits_to_keep=kept, use_cache=False, output_attentions=True)
        finally:
            hook.remove()
        wanted, before = labels[:, 1 - kept :], inputs["input_ids"][:, -kept:-1]
        logits = outputs.logits[:, :-1].float()
        learnt = wanted != -100
        said = self._said(logits[learnt], wanted[learnt], before[learnt])
        spots = self.head.loss(seen[0], names, places)
        looks = self._looks(outputs.attentions[GAZE_LAYER], gaze)
        return {"loss": said + SPOTS_SHARE * spots + GAZE_SHARE * looks}

    @staticmethod
    def _looks(attention: torch.Tensor, gaze: torch.Tensor) -> torch.Tensor:
        """How little of the attention [B, heads, S, S] of the gazing heads falls where the number is to be read."""
        row, place = (gaze >= 0).nonzero(as_tuple=True)
        seen = attention[row, :GAZE_HEADS, place - 1, gaze[row, place]].float()
        return -(seen + 1e-6).log().mean()

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
        super().__init__(**options, data_collator=_only)

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


def _only(batches: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    (batch,) = batches
    return batch


def teach(
    stage: Stage,
    model: MagmaForCausalLM,
    processor: MagmaProcessor,
    head: SpotHead,
    layers: Layers,
    work: Path,
    seed: int,
    on_gpu: bool,
) -> None:
    """Run the stage, from where it last saved in ``work`` if it was stopped; then with other lessons than before."""
    work.mkdir(parents=True, exist_ok=True)
    last = last_checkpoint(work)
    lessons = Lessons(processor, stage, layers, [seed, *stage.name.encode(), steps_of(last)])
    pupil = Pupil(model, processor, head, stage.turns)
    arguments = TrainingArguments(
        output_dir=str(work),
        max_steps=stage.steps,
        per_device_train_batch_size=1,  # batches come ready-made
        bf16=not on_gpu or torch.cuda.is_bf16_supported(),
        use_cpu=not on_gpu,
        logging_steps=25,
        save_steps=250,
        save_total_limit=2,
        dataloader_num_workers=8 if on_gpu else 1,
        dataloader_prefetch_factor=3,
        remove_unused_columns=False,
        ignore_data_skip=True,  # lessons are drawn anew: there is nothing to skip
        report_to=[],
        seed=seed,
        disable_tqdm=True,
        accelerator_config={"dispatch_batches": False, "split_batches": False},
    )
    trainer = StageTrainer(stage, model=pupil, args=arguments, train_dataset=lessons, callbacks=[LossCurve(work)])
    trainer.train(resume_from_checkpoint=last and str(last))
