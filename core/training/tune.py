"""Fine-tunes a Magma checkpoint: ``python -m core.training.tune --model M --data D.json --images FOLDER --out OUT``.

The data are LLaVA-style conversations (core/training/conversations.py); only the replies are learnt. ``--lora RANK``
trains small factors beside Llama's matrices, which is what a single GPU has room for with the 8B, and merges them at
the end: OUT is always a whole checkpoint that ``Engine.load`` takes, with the ``skills`` that the model declared.
Needs core/training/requirements.txt.

A run that is stopped goes on where it last saved when the same command is given again.
"""

from __future__ import annotations

import argparse
import math
import shutil
import sys
from pathlib import Path

import torch
from transformers import Trainer, TrainingArguments

from core.engine import load_checkpoint
from core.errors import UserError
from core.files import whole_folder
from core.magma import MagmaForCausalLM
from core.selection import select
from core.training.conversations import Collator, read_examples
from core.training.curve import LossCurve
from core.training.work import last_checkpoint, on_gpu, positive, seed_number, work_folder

LORA_TARGETS = r"language_model\.model\.layers\.\d+\.(self_attn|mlp)\.\w+_proj"
"""Llama's matrices; the vision tower and the projector stay as they are."""


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        tune(options)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def tune(options: argparse.Namespace) -> None:
    """Train, then write the whole checkpoint to ``options.out``. Raises UserError for data or a model of no use."""
    settings = {name: value if isinstance(value, int | float) else str(value) for name, value in vars(options).items()}
    work = work_folder(options.out, settings)
    examples = read_examples(options.data, options.images or options.data.parent)
    gpu = on_gpu(options.device)
    if gpu and not torch.cuda.is_bf16_supported():
        raise UserError("This GPU does not compute in bfloat16: give --device cpu.")
    selection = select(options.model, options.device, "bfloat16" if gpu and options.lora else "float32", "none")
    try:
        model, processor = load_checkpoint(selection)
    except (OSError, ValueError) as error:
        raise UserError(f"{selection.name} cannot be loaded: {error}") from error
    if gpu:
        model.gradient_checkpointing_enable()
    tuned = _with_lora(model, options.lora) if options.lora else model
    trainer = Trainer(
        model=tuned,
        args=_training_arguments(options, work, gpu),
        train_dataset=examples,
        data_collator=Collator(processor, model.config.text_config.max_position_embeddings),
        callbacks=[LossCurve(work)],
    )
    last = last_checkpoint(work)
    try:
        trainer.train(resume_from_checkpoint=last and str(last))
    except torch.OutOfMemoryError as error:
        raise UserError(f"The GPU has too little memory: give --lora or a smaller --batch. ({error})") from error
    with whole_folder(options.out) as part:
        (tuned.merge_and_unload() if options.lora else tuned).save_pretrained(part)
        processor.save_pretrained(part)
        shutil.copy(work / "losses.png", part)
    shutil.rmtree(work)


def _with_lora(model: MagmaForCausalLM, rank: int) -> torch.nn.Module:
    from peft import LoraConfig, get_peft_model

    model.enable_input_require_grads()
    return get_peft_model(model, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=LORA_TARGETS))


def _training_arguments(options: argparse.Namespace, work: Path, gpu: bool) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(work),
        num_train_epochs=options.epochs,
        max_steps=options.steps or -1,
        per_device_train_batch_size=options.batch,
        gradient_accumulation_steps=options.accumulate,
        learning_rate=options.rate,
        lr_scheduler_type="cosine",
        warmup_steps=options.warmup,
        bf16=gpu,
        use_cpu=not gpu,
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
    parser.add_argument("--lora", type=positive, metavar="RANK", help="train factors of this rank, not all weights")
    parser.add_argument("--epochs", type=_above_zero, default=1.0)
    parser.add_argument("--steps", type=positive, help="optimizer steps, instead of epochs")
    parser.add_argument("--batch", type=positive, default=4)
    parser.add_argument("--accumulate", type=positive, default=1, help="batches an optimizer step")
    parser.add_argument("--rate", type=_above_zero, default=1e-4)
    parser.add_argument("--warmup", type=positive, default=20, help="steps until the full rate")
    parser.add_argument("--save-every", type=positive, default=200, metavar="STEPS")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--seed", type=seed_number, default=0)
    return parser


def _above_zero(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not above zero")
    return value


if __name__ == "__main__":
    sys.exit(main())
