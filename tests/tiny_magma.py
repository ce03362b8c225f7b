"""Tiny random checkpoints in exactly the released layout, for tests that need a model but not its knowledge.

The tokenizer is Llama-3's in small: byte-level BPE whose base vocabulary ends with the 256 action tokens, then the
control tokens, then Magma's five. The remote code that the files name ends the test run if anything imports it.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors

from core.magma import MagmaConfig, MagmaForCausalLM

BASE_VOCABULARY = 768
"""256 bytes, 256 short words, 256 action tokens (ids 512 to 767, the last of the base vocabulary)."""

CONTROL = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<pad>",
    "<image>",
    "<action>",
    "<image_start>",
    "<image_end>",
)
ID = {token: BASE_VOCABULARY + place for place, token in enumerate(CONTROL)}

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'"
    " + message['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
WORD_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+"
)


def make_checkpoint(
    folder: Path, seed: int = 0, strategy: str = "crop", shard_size: str = "400KB", layers: int = 2
) -> Path:
    """Write a whole checkpoint (weights, configuration, tokenizer, image processor) into ``folder``."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    model = make_model(seed, strategy, layers)
    model.save_pretrained(folder, max_shard_size=shard_size)
    _write(folder / "config.json", released_config(model.config))
    _write(folder / "generation_config.json", {"bos_token_id": ID["<|begin_of_text|>"], **_ends()})
    _write(folder / "preprocessor_config.json", _preprocessor_config(strategy))
    make_tokenizer().save(str(folder / "tokenizer.json"))
    _write(folder / "tokenizer_config.json", _tokenizer_config())
    _write(
        folder / "special_tokens_map.json", {"bos_token": CONTROL[0], "eos_token": "<|eot_id|>", "pad_token": "<pad>"}
    )
    for module in ("configuration_magma", "modeling_magma", "image_processing_magma", "processing_magma"):
        (folder / f"{module}.py").write_text("raise SystemExit('remote code was executed')\n", encoding="utf-8")
    return folder


def make_model(seed: int = 0, strategy: str = "crop", layers: int = 2) -> MagmaForCausalLM:
    """Random weights, large enough that the logits differ and every picture shows in them."""
    text = {
        "vocab_size": BASE_VOCABULARY + len(CONTROL),
        "hidden_size": 64,
        "intermediate_size": 160,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0},
        "bos_token_id": ID["<|begin_of_text|>"],
        **_ends(),
    }
    vision = {
        "img_size": 64,
        "img_anyres_strategy": strategy,
        "depths": (1, 1, 2, 1),
        "widths": (16, 32, 64, 128),
        "projection_dim": 32,
    }
    config = MagmaConfig(
        vision_config=vision, text_config=text, image_token_index=ID["<image>"], tokenizer_vocab_size=BASE_VOCABULARY
    )
    config.text_config.dtype = config.dtype = torch.float32
    model = MagmaForCausalLM(config).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            spread = torch.randn(parameter.shape, generator=generator)
            if name.endswith("gamma"):
                parameter.copy_(0.7 + 0.3 * spread)
            elif parameter.dim() == 1:  # norms stay near one, biases near nought
                parameter.copy_(float("norm" in name and name.endswith("weight")) + 0.1 * spread)
            else:
                parameter.copy_(spread / parameter[0].numel() ** 0.5 if parameter.dim() < 3 else 0.3 * spread)
    return model


def make_tokenizer() -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: place for place, letter in enumerate(alphabet)}
    merges: list[tuple[str, str]] = []
    for first in "etaoinsrhl":  # pairs of common letters, with and without a leading space
        for second in "etaoinsrhldumc":
            for pair in ((first, second), ("Ġ", first)) if second == "e" else ((first, second),):
                if "".join(pair) not in vocabulary:
                    vocabulary["".join(pair)] = len(vocabulary)
                    merges.append(pair)
    for number in range(BASE_VOCABULARY - 256 - len(vocabulary)):
        vocabulary[f"Ġword{number}"] = len(vocabulary)
    for number in range(256):
        vocabulary[f"Ġнет{number}"] = len(vocabulary)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORD_PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in CONTROL])
    begin = CONTROL[0]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A", pair=f"{begin} $A {begin} $B", special_tokens=[(begin, ID[begin])]
    )
    return tokenizer


def released_config(config: MagmaConfig) -> dict:
    """The configuration as the original writes it: Llama's values twice, and names of remote code."""
    written = config.to_dict()
    text = {key: value for key, value in written["text_config"].items() if key != "rope_parameters"}
    text |= {"rope_theta": 500000.0, "rope_scaling": None, "torch_dtype": text.pop("dtype")}
    vision = written["vision_config"] | {"mm_use_im_start_end": False, "proj_vis_to_txt_tokens": False}
    auto_map = {
        "AutoConfig": "configuration_magma.MagmaConfig",
        "AutoModelForCausalLM": "modeling_magma.MagmaForCausalLM",
    }
    own = {
        "architectures": ["MagmaForCausalLM"],
        "auto_map": auto_map,
        "image_token_index": config.image_token_index,
        "mm_use_image_start_end": True,
        "mm_use_trace_speed": True,
        "model_type": "magma",
        "spatial_quant_size": 256,
        "tokenizer_vocab_size": config.tokenizer_vocab_size,
        "transformers_version": "4.49.0",
    }
    return text | own | {"text_config": text, "vision_config": vision}


def _ends() -> dict[str, int]:
    return {"eos_token_id": ID["<|eot_id|>"], "pad_token_id": ID["<pad>"]}


def _preprocessor_config(strategy: str) -> dict:
    return {
        "anyres_strategy": strategy,
        "auto_map": {
            "AutoImageProcessor": "image_processing_magma.MagmaImageProcessor",
            "AutoProcessor": "processing_magma.MagmaProcessor",
        },
        "base_img_size": 64,
        "do_convert_rgb": True,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_processor_type": "MagmaImageProcessor",
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "num_crops": 4,
        "processor_class": "MagmaProcessor",
    }


def _tokenizer_config() -> dict:
    return {
        "added_tokens_decoder": {
            str(ID[token]): {"content": token, "lstrip": False, "normalized": False, "rstrip": False}
            | {"single_word": False, "special": True}
            for token in CONTROL
        },
        "bos_token": CONTROL[0],
        "chat_template": CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": True,
        "eos_token": "<|eot_id|>",
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": 8192,
        "pad_token": "<pad>",
        "processor_class": "MagmaProcessor",
        "tokenizer_class": "PreTrainedTokenizerFast",
    }


def _write(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")
