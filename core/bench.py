"""How fast the engine decodes here, beside transformers' own ``generate``.

    python -m core.bench --config 8b --random-weights

Speed does not depend on the weights' values, so random ones show it. Both sides run in one process on one model:
"plain" is ``generate`` with its dynamic cache, "engine" is core/decoding.py. They take turns; figures are medians.
The limit of decoding is memory: each token reads all of Llama's weights once, at best at the bandwidth of a copy.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

import torch
import transformers
from PIL import Image
from transformers import LlamaConfig, StoppingCriteria

from core.decoding import Decoder
from core.errors import UserError
from core.files import write_text
from core.magma import MagmaConfig, MagmaForCausalLM, MagmaImageProcessor
from core.selection import configured_shapes, find_device, free_bytes, needed_bytes, weight_bytes

MOVE_TOKENS, CLICK_TOKENS = 2, 32
"""Of a reply: a digit and the end; coordinates, a mark and the end."""
TEXT_TOKENS = 64
"""Of a prompt, beside its picture."""
BATCHES = (1, 4, 16)
CHECKED_LAYERS = 4
SHARE = "share of the bandwidth limit, batch 1, %"
COPY_BYTES = {"cuda": 1 << 31, "mps": 1 << 30, "cpu": 1 << 28}

Inputs = Mapping[str, torch.Tensor]


def configuration(name: str) -> MagmaConfig:
    """ "8b" is the released one, "small" takes seconds on a CPU, "tiny" is for tests."""
    if name == "8b":
        return MagmaConfig()
    hidden, layers, image_side = {"small": (512, 8, 256), "tiny": (64, 2, 64)}[name]
    text = LlamaConfig(
        vocab_size=4096,
        hidden_size=hidden,
        intermediate_size=hidden * 7 // 2,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 16,
        num_key_value_heads=hidden // 64,
        max_position_embeddings=8192,
    )
    vision = {"img_size": image_side, "depths": (1, 1, 3, 1), "widths": (48, 96, 192, 384), "projection_dim": 64}
    return MagmaConfig(vision_config=vision, text_config=text, image_token_index=4000, tokenizer_vocab_size=3900)


class _FirstToken(StoppingCriteria):
    """Never stops; notes when the first token is there."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now, self.at = now, None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs) -> torch.Tensor:
        self.at = self.at or self.now()
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


class Bench:
    """One model, and the two ways to decode with it: each gives the new tokens [B, limit] and when the first came."""

    def __init__(self, model: MagmaForCausalLM, tokens: int, repeats: int) -> None:
        self.model, self.tokens, self.repeats = model.eval().requires_grad_(False), tokens, repeats
        self.device = model.device
        base = model.config.vision_config.img_size
        self.processor = MagmaImageProcessor(base, model.config.vision_config.max_num_crops)
        # A full-HD screenshot and a game's board, where a crop has 512 pixels a side.
        self.four_crops = Image.effect_noise((base * 15 // 4, base * 135 // 64), 90).convert("RGB")
        self.one_crop = self.four_crops.crop((0, 0, base, base))
        self.decoder = Decoder(model, compile=self.device.type == "cuda")

    def plain(self, inputs: Inputs, limit: int) -> tuple[torch.Tensor, float]:
        """As transformers generates, greedily and with a dynamic cache."""
        first = _FirstToken(self.now)
        output = self.model.generate(
            **inputs,
            max_new_tokens=limit,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
            stopping_criteria=[first],
        )
        return output[:, inputs["input_ids"].shape[1] :], first.at

    def engine(self, inputs: Inputs, limit: int) -> tuple[torch.Tensor, float]:
        """From the engine's decoder, read by the host token by token."""
        vocabulary = self.model.config.text_config.vocab_size
        banned = torch.zeros(len(inputs["input_ids"]), vocabulary, dtype=torch.bool)
        tokens = self.decoder.tokens(inputs, banned, limit)
        read = [next(tokens)]
        first = time.perf_counter()
        read += tokens
        return torch.tensor(read, device=self.device).T, first

    def run(self) -> dict[str, dict[str, float]]:
        """Every figure for "plain" and "engine"; for "both" where they share the code."""
        found: dict[str, dict[str, float]] = {}
        for name, picture in (("1 crop", self.one_crop), ("4 crops", self.four_crops)):
            inputs = self.inputs(picture)
            tower = self.shared(self.model.image_features, inputs["pixel_values"], inputs["image_sizes"])
            found[f"image preprocessing, {name}, ms"] = self.shared(self.processor.preprocess, picture)
            found[f"vision tower, {name}, ms"] = tower
            found[f"vision tower and prefill, {name}, ms"] = self.compared(picture, 1, 1)["reply"]
        for name, picture, limit in (("move", self.one_crop, MOVE_TOKENS), ("click", self.four_crops, CLICK_TOKENS)):
            found[f'"{name}" reply from picture to {limit} tokens, ms'] = self.compared(picture, 1, limit)["whole"]
        for batch in BATCHES:
            decode = self.compared(self.one_crop, batch, 1 + self.tokens)["decode"]
            found[_speed(batch)] = {side: 1e3 * batch * self.tokens / taken for side, taken in decode.items()}
        found["peak memory, GB"] = self.peaks()
        bandwidth = self.copy_bandwidth()
        limit = bandwidth / self.bytes_per_token()
        found["copy bandwidth (read and written), GB/s"] = {"both": bandwidth / 1e9}
        found["weights read per token, GB"] = {"both": self.bytes_per_token() / 1e9}
        found["bandwidth limit of decode, batch 1, tokens/s"] = {"both": limit}
        found[SHARE] = {side: 100 * speed / limit for side, speed in found[_speed(1)].items()}
        return found

    def agreement(self) -> tuple[int, int]:
        """How many tokens of a move reply, a click reply and a batch are the same both ways, of how many."""
        equal = total = 0
        for picture, batch, limit in (
            (self.one_crop, 1, MOVE_TOKENS),
            (self.four_crops, 1, CLICK_TOKENS),
            (self.one_crop, 4, CLICK_TOKENS),
        ):
            inputs = self.inputs(picture, batch)
            same = self.plain(inputs, limit)[0] == self.engine(inputs, limit)[0]
            equal, total = equal + int(same.sum()), total + same.numel()
        return equal, total

    def inputs(self, picture: Image.Image, batch: int = 1) -> dict[str, torch.Tensor]:
        """Prompts of one picture and random text, on the device; the same texts for the same batch size."""
        config = self.model.config
        encoded = self.processor.preprocess(picture)
        visual = self.processor.visual_tokens(*encoded["image_sizes"][0].tolist())
        generator = torch.Generator().manual_seed(batch)
        text = torch.randint(config.tokenizer_vocab_size - 256, (batch, TEXT_TOKENS), generator=generator)
        image = torch.full((batch, visual), config.image_token_index)
        input_ids = torch.cat([text[:, : TEXT_TOKENS // 2], image, text[:, TEXT_TOKENS // 2 :]], dim=1)
        inputs = {
            "input_ids": input_ids,
            "attention_mask": torch.ones_like(input_ids),
            "pixel_values": encoded["pixel_values"].expand(batch, -1, -1, -1, -1),
            "image_sizes": encoded["image_sizes"].expand(batch, 1, 2),
        }
        return {name: tensor.to(self.device) for name, tensor in inputs.items()}

    def compared(self, picture: Image.Image, batch: int, limit: int) -> dict[str, dict[str, float]]:
        """Median milliseconds of both ways, by turns: "whole" from the picture on, "reply" from the inputs on, "decode"
        after the first token."""
        sides = {"plain": self.plain, "engine": self.engine}
        taken = {stage: {side: [] for side in sides} for stage in ("whole", "reply", "decode")}
        for _ in range(self.repeats + 1):
            for side, way in sides.items():
                began = self.now()
                inputs = self.inputs(picture, batch)
                ready = self.now()
                _, first = way(inputs, limit)
                ended = self.now()
                for stage, start in (("whole", began), ("reply", ready), ("decode", first)):
                    taken[stage][side].append(1e3 * (ended - start))
        # The first time warms up.
        return {
            stage: {side: median(times[1:]) for side, times in of_sides.items()} for stage, of_sides in taken.items()
        }

    @torch.no_grad()
    def shared(self, work: Callable[..., object], *arguments) -> dict[str, float]:
        """Median milliseconds of work that both ways have in common."""
        taken = []
        for _ in range(self.repeats + 1):
            began = self.now()
            work(*arguments)
            taken.append(1e3 * (self.now() - began))
        return {"both": median(taken[1:])}

    def now(self) -> float:
        """Seconds, once all that was started on the device is done."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def peaks(self) -> dict[str, float]:
        """The most memory that a click reply and the largest batch take; on a CPU, of the whole process so far."""
        if self.device.type != "cuda":
            return {"both": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9}
        found = {}
        for side in ("plain", "engine"):
            torch.cuda.reset_peak_memory_stats(self.device)
            getattr(self, side)(self.inputs(self.four_crops), CLICK_TOKENS)
            getattr(self, side)(self.inputs(self.one_crop, BATCHES[-1]), CLICK_TOKENS)
            found[side] = torch.cuda.max_memory_allocated(self.device) / 1e9
        return found

    def copy_bandwidth(self) -> float:
        """Bytes read and written per second by a copy within the device."""
        source = torch.ones(COPY_BYTES[self.device.type], dtype=torch.uint8, device=self.device)
        target = torch.empty_like(source)
        return 2 * source.numel() / (1e-3 * self.shared(target.copy_, source)["both"])

    def bytes_per_token(self) -> int:
        """Of Llama's weights; of the embedding a token needs one row."""
        llama = self.model.language_model
        embedding = llama.get_input_embeddings().weight
        return sum(weight.nbytes for weight in llama.parameters() if weight is not embedding)


def _speed(batch: int) -> str:
    return f"decode, batch {batch}, tokens/s"


def random_model(config: MagmaConfig, device: torch.device, dtype: torch.dtype) -> MagmaForCausalLM:
    torch.manual_seed(0)
    with torch.device(device):
        return MagmaForCausalLM._from_config(config, dtype=dtype, attn_implementation="sdpa")


def measure(name: str, device: torch.device, tokens: int, repeats: int) -> dict[str, object]:
    """All figures, with what they were measured on. Raises UserError where the memory does not suffice."""
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    needed = needed_bytes(weight_bytes(configured_shapes(configuration(name)), dtype.itemsize)[0])
    free = free_bytes(device)
    if free is not None and needed > free:
        raise UserError(
            f"The configuration {name} needs about {needed / 1e9:.0f} GB on {device}, of which {free / 1e9:.0f} GB are "
            "free: choose a smaller one."
        )
    bench = Bench(random_model(configuration(name), device, dtype), tokens, repeats)
    figures, rounded = bench.run(), bench.agreement()
    del bench
    # In float32 rounding does not decide between two likely tokens; some layers show what all would.
    shallow = configuration(name)
    shallow.text_config.num_hidden_layers = min(CHECKED_LAYERS, shallow.text_config.num_hidden_layers)
    exact = Bench(random_model(shallow, device, torch.float32), tokens, repeats).agreement()
    return {
        "config": name,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "CPU",
        "dtype": str(dtype).removeprefix("torch."),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "figures": figures,
        "equal_tokens": {f"float32, {shallow.text_config.num_hidden_layers} layers": exact, "as measured": rounded},
    }


def report(found: Mapping) -> str:
    """Markdown."""
    where = f"{found['config']}, random {found['dtype']} weights, {found['device']}"
    lines = [f"{where}, torch {found['torch']}, transformers {found['transformers']}", ""]
    lines += ["| | plain transformers | engine |", "| --- | ---: | ---: |"]
    for name, sides in found["figures"].items():
        plain, engine = (f"{sides.get(side, sides.get('both')):.4g}" for side in ("plain", "engine"))
        lines.append(f"| {name} | {plain} | {engine} |")
    lines.append("")
    for name, (equal, total) in found["equal_tokens"].items():
        lines.append(f"Equal greedy tokens ({name}): {equal} of {total}.")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m core.bench", description=__doc__.splitlines()[0])
    parser.add_argument("--config", choices=("8b", "small", "tiny"), default="8b")
    parser.add_argument("--random-weights", action="store_true", required=True, help="nothing is downloaded")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--tokens", type=int, default=64, help="decoded to measure the speed")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args(arguments)
    try:
        device = find_device(options.device)
        found = measure(options.config, device, options.tokens, options.repeats)
        print(report(found))
        if device.type != "cuda":
            print("No GPU was used: the figures for a GPU are open.")
        if options.json:
            write_text(options.json, json.dumps(found, indent=2))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
