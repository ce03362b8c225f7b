"""Small models with exactly the input and output form of OmniParser's, laid out in folders as on the hub."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import Florence2ForConditionalGeneration

from core.screen.captions import native_config

TEXT_CONFIG = {
    "vocab_size": 40,
    "d_model": 32,
    "max_position_embeddings": 64,
    "activation_function": "gelu",
    "scale_embedding": False,
    "encoder_layers": 2,
    "encoder_ffn_dim": 64,
    "encoder_attention_heads": 2,
    "decoder_layers": 2,
    "decoder_ffn_dim": 64,
    "decoder_attention_heads": 2,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "decoder_start_token_id": 2,
    "forced_bos_token_id": 0,
    "forced_eos_token_id": 2,
    "no_repeat_ngram_size": 3,
    "model_type": "florence2_language",
    "add_final_layer_norm": False,
    "max_length": 20,
}
CONFIG = {
    "model_type": "florence2",
    "auto_map": {"AutoModelForCausalLM": "microsoft/Florence-2-base-ft--modeling_florence2.Florence2"},
    "vision_config": {
        "model_type": "davit",
        "depths": [1, 1, 1, 1],
        "dim_embed": [8, 16, 24, 32],
        "num_heads": [1, 2, 2, 4],
        "num_groups": [1, 2, 2, 4],
        "patch_size": [7, 3, 3, 3],
        "patch_stride": [4, 2, 2, 2],
        "patch_padding": [3, 1, 1, 1],
        "patch_prenorm": [False, True, True, True],
        "window_size": 4,
        "projection_dim": 32,
        "image_pos_embed": {"type": "learned_abs_2d", "max_pos_embeddings": 50},
        "visual_temporal_embedding": {"type": "COSINE", "max_temporal_embeddings": 100},
        "image_feature_source": ["spatial_avg_pool", "temporal_avg_pool"],
    },
    "text_config": TEXT_CONFIG,
}


class BrightRectangles(torch.nn.Module):
    """Finds bright rectangles on a dark picture; the brighter, the surer: 0.9 of white gives 0.5, white gives 0.98.

    Saturated colours are bright too, so that a rectangle may bear blue writing.
    Returns what YOLOv9 does: per stride the class logits and the distances of each cell's centre to the four edges.
    """

    def extent(self, bright: torch.Tensor, dim: int) -> torch.Tensor:
        """Bright pixels in a row up to and including each one, along ``dim`` of [H, W]."""
        length = bright.shape[dim]
        place = torch.arange(length, device=bright.device)
        place = place[:, None] if dim == 0 else place[None, :]
        dark = torch.where(bright, torch.full_like(place, -1), place)
        return place - dark.cummax(dim=dim).values

    def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        value = pixels[0].amax(dim=0)
        bright = value > 0.6
        left = self.extent(bright, 1)
        top = self.extent(bright, 0)
        right = self.extent(bright.flip(1), 1).flip(1)
        bottom = self.extent(bright.flip(0), 0).flip(0)
        edges = torch.stack((left, top, right, bottom)).float()
        outputs: list[torch.Tensor] = []
        for stride in (8, 16, 32):
            # The cell's centre is the left top corner of this pixel.
            half = stride // 2
            logits = torch.where(bright, (value - 0.9) * 40, torch.full_like(value, -20.0))[half::stride, half::stride]
            distances = edges[:, half::stride, half::stride]
            inset = torch.tensor([1.0, 1.0, 0.0, 0.0], device=pixels.device)[:, None, None]
            outputs.append(logits[None, None])
            outputs.append(((distances - inset).clamp(min=0) / stride)[None])
        return outputs


def save_detector(path: Path, model: torch.nn.Module | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.jit.save(torch.jit.script(model or BrightRectangles()), str(path))


def save_tokenizer(path: Path) -> None:
    words = "What does the image describe ? a search gear arrow left right up down home close menu star".split()
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *words]
    tokens += [f"w{index}" for index in range(TEXT_CONFIG["vocab_size"] - len(tokens) - 1)] + ["<mask>"]
    tokenizer = Tokenizer(models.WordLevel({token: index for index, token in enumerate(tokens)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    tokenizer.save(str(path))


def florence(seed: int = 0) -> Florence2ForConditionalGeneration:
    """Random, but with large weights, so that different pictures get different captions."""
    torch.manual_seed(seed)
    model = Florence2ForConditionalGeneration(native_config(CONFIG, placeholder=TEXT_CONFIG["vocab_size"] - 1)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" not in name and parameter.dim() > 1:
                parameter.normal_(std=0.35)
    return model


def original_names(model: Florence2ForConditionalGeneration) -> dict[str, torch.Tensor]:
    """The tensors under the names of Florence-2's original code."""
    native = model.state_dict()
    original = {}

    def move(new: str, old: str) -> None:
        for kind in ("weight", "bias"):
            if f"{new}.{kind}" in native:
                original[f"{old}.{kind}"] = native[f"{new}.{kind}"].clone()

    for stage, depth in enumerate(model.config.vision_config.depths):
        move(f"model.vision_tower.convs.{stage}.conv", f"vision_tower.convs.{stage}.proj")
        move(f"model.vision_tower.convs.{stage}.norm", f"vision_tower.convs.{stage}.norm")
        attentions = {"spatial_block": "window_attn", "channel_block": "channel_attn"}
        for index, (block, attention) in itertools.product(range(depth), attentions.items()):
            old = f"vision_tower.blocks.{stage}.{index}.{block}"
            new = f"model.{old}"
            move(f"{new}.conv1", f"{old}.conv1.fn.dw")
            move(f"{new}.norm1", f"{old}.{attention}.norm")
            move(f"{new}.{attention}.qkv", f"{old}.{attention}.fn.qkv")
            move(f"{new}.{attention}.proj", f"{old}.{attention}.fn.proj")
            move(f"{new}.conv2", f"{old}.conv2.fn.dw")
            move(f"{new}.norm2", f"{old}.ffn.norm")
            move(f"{new}.ffn.fc1", f"{old}.ffn.fn.net.fc1")
            move(f"{new}.ffn.fc2", f"{old}.ffn.fn.net.fc2")
    projector = "model.multi_modal_projector"
    original["image_projection"] = native[f"{projector}.image_projection.weight"].T.contiguous()
    move(f"{projector}.image_proj_norm", "image_proj_norm")
    move(f"{projector}.image_position_embed.row_embeddings", "image_pos_embed.row_embeddings")
    move(f"{projector}.image_position_embed.column_embeddings", "image_pos_embed.column_embeddings")
    embedding = "visual_temporal_embed.pos_idx_to_embed"
    original[embedding] = native[f"{projector}.{embedding}"].clone()
    for name, tensor in native.items():
        if name.startswith("model.language_model.") and not name.endswith("embed_tokens.weight"):
            original[name.replace("model.language_model.", "language_model.model.")] = tensor.clone()
    original["language_model.lm_head.weight"] = native["lm_head.weight"].clone()
    original["language_model.final_logits_bias"] = torch.zeros(1, model.config.text_config.vocab_size)
    return original


def save_captioner(folder: Path, seed: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    save_file(original_names(florence(seed)), folder / "model.safetensors")
    save_tokenizer(folder / "tokenizer.json")


def save_omniparser(folder: Path) -> Path:
    save_detector(folder / "icon_detect_v3" / "model.pt")
    save_captioner(folder / "icon_caption")
    return folder
