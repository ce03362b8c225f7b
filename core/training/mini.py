"""Makes the small checkpoint from nothing: ``python -m core.training.mini --out FOLDER``.

The same classes, prompts and reply formats as Magma-8B, on pictures that our own code draws: boards of the game and
simulated tabletops. This recipe alone sees both sides, the model and the apps whose lessons it learns.

1. Spots: vision tower and projector learn what stands in each cell of the feature map, read by a linear head that is
   thrown away in the end.
2. Grounding: the whole model learns to say where things are, which marks they bear, and which mark is closer; two
   attention heads are shown where to look.
3. Traces: the same, and the traces of tasks on the tabletop.

What was learnt before stays in the lessons and in the loss. A run that is stopped goes on where it last saved when the
same command is given again. Needs core/training/requirements.txt; with a C++ compiler it is faster.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from transformers import set_seed

import apps.gaming_agent.lessons as game
import apps.robot_planner.lessons as tabletop
from core.conversation import SYSTEM
from core.errors import UserError
from core.files import whole_file, whole_folder
from core.geometry import GRID
from core.magma import MagmaConfig, MagmaForCausalLM, MagmaImageProcessor, MagmaProcessor
from core.training.lessons import MARK_LAYERS, SpotHead
from core.training.school import Source, Stage, number_ids, teach
from core.training.tokenizer import train_tokenizer
from core.training.work import on_gpu, seed_number, work_folder

LAYERS = MARK_LAYERS | game.LAYERS | tabletop.LAYERS
GROUNDING: tuple[Source, ...] = (game.lessons, partial(tabletop.lessons, traces=False))
ALL: tuple[Source, ...] = (game.lessons, tabletop.lessons)

IMAGE_SIDE = 320
"""Pixels: a cell of the feature map is one field of the 10 x 10 board."""

VISION = {"img_size": IMAGE_SIDE, "max_num_crops": 1, "depths": (1, 1, 2, 2), "widths": (32, 64, 160, 320)}
TEXT = {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 4}
WORDS = 1024
SKILLS = ("locate", "move", "trace")

STAGES = (
    Stage("spots", 1000, 32, 1e-3, 5e-4, GROUNDING, turns=False),
    Stage("grounding", 1250, 16, 1e-3, 1e-3, GROUNDING),
    Stage("traces", 5870, 16, 1e-3, 1e-5, ALL),
)


def make_processor(seed: int) -> MagmaProcessor:
    """The tokenizer learns from the lessons' own words."""
    generator = np.random.default_rng(seed)
    texts = [SYSTEM, "system", "user", "assistant"]
    for source in ALL:
        for lesson in islice(source(generator), 300):
            texts += [part for turn in lesson.turns for part in (turn.question, turn.reply)]
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
        "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0},
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


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m core.training.mini", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="new folder for the checkpoint")
    parser.add_argument("--seed", type=seed_number, default=0)
    options = parser.parse_args(arguments)
    try:
        make(options.out, options.seed)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def make(out: Path, seed: int) -> None:
    """Run the stages that are not done, then write the checkpoint. Raises UserError where ``out`` is of no use."""
    recipe = [[stage.name, stage.steps, stage.batch, stage.rate, stage.final_rate] for stage in STAGES]
    work = work_folder(out, {"seed": seed, "stages": recipe})
    gpu = on_gpu("auto")
    words = work / "processor"  # made once: another draw of lessons might cut words differently
    if not words.exists():
        with whole_folder(words) as part:
            make_processor(seed).save_pretrained(part)
    processor = MagmaProcessor.from_pretrained(words)
    model = make_model(processor, seed)
    head = SpotHead(TEXT["hidden_size"], LAYERS)
    if shutil.which("g++"):
        model.vision_tower.compile()
    for stage in STAGES:
        done = work / f"{stage.name}.pt"
        if not done.exists():
            teach(stage, model, processor, head, LAYERS, work / stage.name, seed, gpu)
            with whole_file(done) as part:
                torch.save({"model": model.state_dict(), "head": head.state_dict()}, part)
        state = torch.load(done, map_location="cpu", weights_only=True)
        model.load_state_dict(state["model"])
        head.load_state_dict(state["head"])
    with whole_folder(out) as part:
        model.to(torch.bfloat16).save_pretrained(part)
        processor.save_pretrained(part)


if __name__ == "__main__":
    sys.exit(main())
