"""OmniParser's captions of icons: Florence-2, as OmniParser fine-tuned it, on transformers' own classes.

What is known, and from where: microsoft/OmniParser (util/utils.py) crops each icon, scales the crop to 64 x 64 with
OpenCV's bilinear filter, asks ``<CAPTION>`` and decodes greedily, 20 tokens at most; on a GPU the crop enters the
network at 64 x 64, and so it does here. Florence-2's processor turns ``<CAPTION>`` into the question below, puts the
image's tokens before it, and normalises with ImageNet's mean and deviation. The weights keep the names of Florence-2's
original code; transformers' conversion script states what each is called in its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import BartConfig, Florence2Config, Florence2ForConditionalGeneration, GenerationConfig
from transformers.models.florence2.configuration_florence2 import Florence2VisionConfig

from core.errors import UserError
from core.geometry import Box
from core.screen.elements import IconGuess
from core.screen.weights import DOWNLOAD

SIDE = 64
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
QUESTION = "What does the image describe?"
NEW_TOKENS = 20

TEXT_DIMENSIONS = (
    "vocab_size d_model max_position_embeddings activation_function scale_embedding encoder_layers encoder_ffn_dim"
    " encoder_attention_heads decoder_layers decoder_ffn_dim decoder_attention_heads pad_token_id bos_token_id"
    " eos_token_id decoder_start_token_id"
).split()
VISION_DIMENSIONS = (
    "depths patch_size patch_stride patch_padding patch_prenorm num_heads num_groups window_size projection_dim"
).split()
# Original name -> transformers' name, applied in order.
RENAMES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (r"^language_model\.model\.", "model.language_model."),
        (r"^language_model\.lm_head\.", "lm_head."),
        (r"^vision_tower\.", "model.vision_tower."),
        (r"(convs\.\d+)\.proj\.", r"\1.conv."),
        (r"(conv[12])\.fn\.dw\.", r"\1."),
        (r"(window|channel)_attn\.norm\.", "norm1."),
        (r"(window|channel)_attn\.fn\.", r"\1_attn."),
        (r"ffn\.norm\.", "norm2."),
        (r"ffn\.fn\.net\.", "ffn."),
        (r"^image_projection$", "model.multi_modal_projector.image_projection.weight"),
        (r"^(image_proj_norm|visual_temporal_embed)\.", r"model.multi_modal_projector.\1."),
        (r"^image_pos_embed\.", "model.multi_modal_projector.image_position_embed."),
    ]
]
TIED = "model.language_model.shared.weight"
TIES = (
    "model.language_model.encoder.embed_tokens.weight",
    "model.language_model.decoder.embed_tokens.weight",
    "lm_head.weight",
)


class IconCaptioner:
    """``batch`` is how many icons to caption at once: what a GPU takes, or about a second on one core."""

    def __init__(self, model: Florence2ForConditionalGeneration, tokenizer: Tokenizer, generation: GenerationConfig):
        self.model = model
        self.tokenizer = tokenizer
        self.generation = generation
        self.batch = 64 if model.device.type == "cuda" else 4
        vision = model.config.vision_config
        cells = SIDE
        for kernel, stride, padding in zip(vision.patch_size, vision.patch_stride, vision.patch_padding, strict=True):
            cells = (cells + 2 * padding - kernel) // stride + 1
        image_tokens = cells * cells + 1  # one per cell, and their mean in front
        self.prompt = [model.config.image_token_id] * image_tokens + tokenizer.encode(QUESTION).ids

    @classmethod
    def load(cls, config: Path, weights: Path, tokenizer: Path, device: torch.device) -> IconCaptioner:
        """Raises UserError where a file is not what it should be: safetensors in Florence-2's original names."""
        try:
            described = json.loads(config.read_text(encoding="utf-8"))
            words = Tokenizer.from_file(str(tokenizer))
            # The placeholder's own embedding is overwritten by the image's, so a token that no prompt has will do.
            native = native_config(described, placeholder=words.token_to_id("<mask>"))
            with torch.device("meta"):
                model = Florence2ForConditionalGeneration(native)
            missing, unexpected = model.load_state_dict(native_state(load_file(weights)), strict=False, assign=True)
            if wrong := [*(set(missing) - set(TIES)), *unexpected]:
                raise ValueError(f"{len(wrong)} tensors are missing or unknown, among them {min(wrong)}")
            model.tie_weights()
            model.to(device, torch.float16 if device.type == "cuda" else torch.float32).eval()
            captioner = cls(model, words, generation_config(described["text_config"]))
            captioner._generate(np.zeros((1, SIDE, SIDE, 3), np.uint8))
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # the libraries that read these files share no narrower type
            raise UserError(
                f"{weights.parent} does not hold OmniParser's caption model ({type(error).__name__}: {error})."
                f" Download it again: {DOWNLOAD}"
            ) from error
        return captioner

    def caption(self, image: Image.Image, boxes: Sequence[Box]) -> list[IconGuess | None]:
        """What each box of an RGB picture shows, in the order of the boxes; None where it holds no pixel or no words.

        The probability is the geometric mean of those of the caption's tokens.
        """
        crops = [crop(image, box) for box in boxes]
        seen = [index for index, pixels in enumerate(crops) if pixels is not None]
        guesses: list[IconGuess | None] = [None] * len(crops)
        if seen:
            for index, guess in zip(seen, self._generate(np.stack([crops[index] for index in seen])), strict=True):
                guesses[index] = guess
        return guesses

    @torch.inference_mode()
    def _generate(self, crops: np.ndarray) -> list[IconGuess | None]:
        """``crops``: [N, 64, 64, 3] of 0..255."""
        device = self.model.device
        mean, deviation = torch.tensor(MEAN, device=device), torch.tensor(DEVIATION, device=device)
        pixels = (torch.from_numpy(crops).to(device).float() / 255 - mean) / deviation
        prompt = torch.tensor([self.prompt] * len(crops), device=device)
        output = self.model.generate(
            input_ids=prompt,
            attention_mask=torch.ones_like(prompt),
            pixel_values=pixels.permute(0, 3, 1, 2).to(self.model.dtype),
            generation_config=self.generation,
        )
        tokens = output.sequences[:, 1:]
        # The raw logits: in the processed ones forced tokens are certain.
        logits = torch.stack(output.logits, dim=1).float().log_softmax(dim=-1)
        chosen = logits.gather(-1, tokens[..., None])[..., 0].tolist()
        guesses: list[IconGuess | None] = []
        special = {self.generation.bos_token_id, self.generation.pad_token_id, self.generation.eos_token_id}
        for ids, logarithms in zip(tokens.tolist(), chosen, strict=True):
            spoken = [value for token, value in zip(ids, logarithms, strict=True) if token not in special]
            text = self.tokenizer.decode(ids).strip()
            guesses.append(IconGuess(text, float(np.exp(np.mean(spoken)))) if text and spoken else None)
        return guesses


def crop(image: Image.Image, box: Box) -> np.ndarray | None:
    """[64, 64, 3] of 0..255, or None where the box holds no pixel of the picture."""
    left, top, right, bottom = box.clamp(image.size).as_ints()
    if right <= left or bottom <= top:
        return None
    return cv2.resize(np.asarray(image.crop((left, top, right, bottom))), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)


def native_config(original: dict, placeholder: int) -> Florence2Config:
    """transformers' configuration from that of Florence-2's original code."""
    vision, text = original["vision_config"], original["text_config"]
    return Florence2Config(
        vision_config=Florence2VisionConfig(
            embed_dim=vision["dim_embed"],
            max_temporal_embeddings=vision["visual_temporal_embedding"]["max_temporal_embeddings"],
            max_position_embeddings=vision["image_pos_embed"]["max_pos_embeddings"],
            **{name: vision[name] for name in VISION_DIMENSIONS},
        ),
        text_config=BartConfig(**{name: text[name] for name in TEXT_DIMENSIONS}),
        image_token_id=placeholder,
    )


def native_state(original: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """transformers' names for the tensors of Florence-2's original code."""
    state = {}
    for name, tensor in original.items():
        if name == "language_model.final_logits_bias":  # zeros, which transformers leaves out
            continue
        if name == "image_projection":  # a bare matrix there, a linear layer here
            tensor = tensor.T.contiguous()
        for pattern, replacement in RENAMES:
            name = pattern.sub(replacement, name)
        state[name] = tensor
    # One matrix under four names; a file may hold any of them.
    shared = next((state[name] for name in (TIED, *TIES) if name in state), None)
    if shared is not None:
        state[TIED] = shared
    return {name: tensor for name, tensor in state.items() if name not in TIES}


def generation_config(text: dict) -> GenerationConfig:
    """Greedy, with the rules of the checkpoint's own configuration that the original applies too."""
    rules = ("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id")
    optional = ("forced_bos_token_id", "forced_eos_token_id", "no_repeat_ngram_size")
    return GenerationConfig(
        max_new_tokens=NEW_TOKENS,
        num_beams=1,
        do_sample=False,
        return_dict_in_generate=True,
        output_logits=True,
        **{name: text[name] for name in rules},
        **{name: text[name] for name in optional if text.get(name) is not None},
    )
