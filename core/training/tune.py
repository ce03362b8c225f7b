"""Fine-tunes a Magma checkpoint: ``python -m core.training.tune --model M --data D.json --images FOLDER --out OUT``.

The data are LLaVA-style conversations (core/training/conversations.py); only the replies are learnt. ``--lora RANK``
trains small factors beside Llama's matrices, which is what a single GPU has room for with the 8B, and merges them at
the end: OUT is always a whole checkpoint that ``Engine.load`` takes. Needs core/training/requirements.txt.

A run that is stopped goes on where it last saved when the same command is given again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from transformers import Trainer, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from core.errors import UserError
from core.magma import MagmaForCausalLM, MagmaProcessor
from core.selection import find_device, select
from core.training.conversations import Collator, Examples, read_examples
from core.training.curve import LossCurve

LORA_TARGETS = r"language_model\.model\.layers\.\d+\.(self_attn|mlp)\.\w+_proj"
"""Llama's matrices; the vision tower and the projector stay as they are."""


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        tune(options)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def tune(options: argparse.Namespace) -> None:
    """Train, then write the whole checkpoint to ``options.out``. Raises UserError for data or a model of no use."""
    examples = read_examples(options.data, options.images or options.data.parent)
    on_gpu = find_device(options.device).type == "cuda"
    selection = select(options.model, options.device, "bfloat16" if on_gpu and options.lora else "float32", "none")
    processor = MagmaProcessor.from_pretrained(selection.folder)
    model = MagmaForCausalLM.from_pretrained(selection.folder, dtype=selection.dtype, attn_implementation="sdpa")
    if on_gpu:
        model.gradient_checkpointing_enable()
    if options.lora:
        model = _with_lora(model, options.lora)
    work = options.out.with_name(options.out.name + ".work")
    work.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(
        model=model,
        args=_training_arguments(options, work, on_gpu),
        train_dataset=Examples(examples),
        data_collator=Collator(processor),
        callbacks=[LossCurve(work)],
    )
    trainer.train(resume_from_checkpoint=get_last_checkpoint(str(work)))
    if options.lora:
        model = model.merge_and_unload()
    model.save_pretrained(options.out)
    processor.save_pretrained(options.out)
    (work / "losses.png").replace(options.out / "losses.png")


def _with_lora(model: MagmaForCausalLM, rank: int) -> torch.nn.Module:
    from peft import LoraConfig, get_peft_model

    model.enable_input_require_grads()
    return get_peft_model(model, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=LORA_TARGETS))


def _training_arguments(options: argparse.Namespace, work: Path, on_gpu: bool) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(work),
        num_train_epochs=options.epochs,
        max_steps=options.steps or -1,
        per_device_train_batch_size=options.batch,
        gradient_accumulation_steps=options.accumulate,
        learning_rate=options.rate,
        lr_scheduler_type="cosine",
        warmup_steps=options.warmup,
        bf16=on_gpu,
        use_cpu=not on_gpu,
        logging_steps=max(1, options.save_every // 10),
        save_steps=options.save_every,
        save_total_limit=1,
        remove_unused_columns=False,
        report_to=[],
        seed=options.seed,
        disable_tqdm=not sys.stderr.isatty(),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m core.training.tune", description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="mini", help="mini, a folder or a hub id")
    parser.add_argument("--data", type=Path, required=True, help="LLaVA-style JSON")
    parser.add_argument("--images", type=Path, help="folder of the pictures (default: the JSON's)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the new checkpoint")
    parser.add_argument("--lora", type=int, metavar="RANK", help="train factors of this rank instead of all weights")
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--steps", type=int, help="optimizer steps, instead of epochs")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--accumulate", type=int, default=1, help="batches an optimizer step")
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--warmup", type=int, default=20, help="steps until the full rate")
    parser.add_argument("--save-every", type=int, default=200, metavar="STEPS")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    sys.exit(main())
