"""Magma: ConvNeXt features, projected and spliced where ``<image>`` stands, then transformers' own Llama."""

from __future__ import annotations

import os

import torch
from torch import nn
from transformers import GenerationMixin, LlamaForCausalLM, PreTrainedModel, initialization
from transformers.modeling_outputs import CausalLMOutputWithPast

from core.magma import checkpoint
from core.magma.configuration import MagmaConfig
from core.magma.vision import ConvNextBlock, Projector, VisionTower, tile

LAYER_SCALE = 1e-6
"""What ``gamma`` starts from in a model that is trained from nothing."""


class MagmaForCausalLM(PreTrainedModel, GenerationMixin):
    """Named as the released checkpoint's ``architectures`` says; it has the released parameter names, and no others.

    Generation, caches, static cache and compiled decoding are transformers' own. The pictures take part in the first
    step only, so a decode step is Llama's and has no branch on data.
    """

    config_class = MagmaConfig
    base_model_prefix = "language_model"
    main_input_name = "input_ids"
    input_modalities = ("image", "text")
    supports_gradient_checkpointing = True
    _no_split_modules = ("LlamaDecoderLayer", "ConvNextBlock")
    _skip_keys_device_placement = ("past_key_values",)
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True

    def __init__(self, config: MagmaConfig) -> None:
        super().__init__(config)
        if config.vision_config.depths is None:
            raise ValueError(
                f"vision_config names a trunk of width {config.vision_config.mm_hidden_size} but neither depths nor "
                "widths; give them, or load a checkpoint, whose tensors show them"
            )
        self.vision_tower = VisionTower(config.vision_config)
        self.multi_modal_projector = Projector(config.vision_config, config.text_config.hidden_size)
        self.language_model = LlamaForCausalLM(config.text_config)
        self.post_init()

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | os.PathLike[str], *model_args, config=None, **kwargs
    ) -> MagmaForCausalLM:
        """Load a folder or a hub id, safetensors only, without remote code.

        Every tensor's name and shape is compared with the configuration first, because a tensor that is missing
        would otherwise be filled with uninitialised memory. Raises OSError for files that are missing or damaged and
        ValueError for tensors or configuration values that do not fit.
        """
        folder = checkpoint.locate(pretrained_model_name_or_path, kwargs)
        if not isinstance(config, MagmaConfig):
            config = MagmaConfig.from_pretrained(folder if config is None else config)
        layout = checkpoint.read_layout(folder)
        if config.vision_config.depths is None:
            config.vision_config.set_trunk(*checkpoint.trunk_size(layout))
        quantized = getattr(config, "quantization_config", None) is not None
        if not quantized:  # packed weights have shapes of their own
            with torch.device("meta"):
                expected = {name: tuple(tensor.shape) for name, tensor in cls(config).state_dict().items()}
            checkpoint.require(layout, expected, folder)
        other_spelling = any(checkpoint.OTHER_GAMMA.fullmatch(name) for name in layout.names)
        if other_spelling:
            kwargs["key_mapping"] = {checkpoint.OTHER_GAMMA.pattern: r"\1.gamma"}
        kwargs.update(use_safetensors=True, trust_remote_code=False)
        loaded = super().from_pretrained(folder, *model_args, config=config, **kwargs)
        if other_spelling:  # saving would turn the spelling back: the released one is the only one we write
            model = loaded[0] if isinstance(loaded, tuple) else loaded
            model._weight_conversions = None
        return loaded

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, ConvNextBlock):
            initialization.constant_(module.gamma, LAYER_SCALE)
        elif isinstance(module, Projector):
            initialization.normal_(module.row_seperator, std=self.config.text_config.initializer_range)

    def get_input_embeddings(self) -> nn.Module:
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        return self.language_model.get_output_embeddings()

    def set_output_embeddings(self, new_embeddings: nn.Module) -> None:
        self.language_model.set_output_embeddings(new_embeddings)

    def image_features(self, pixel_values: torch.Tensor, image_sizes: torch.Tensor) -> list[torch.Tensor]:
        """The visual tokens [rows f (cols f + 1), H] of each picture, in the order of the prompt, f = base / 32.

        ``pixel_values`` [B, N, 3, base, base] holds each row's crops one picture after the other, zeros at the end;
        ``image_sizes`` [B, M, 2] their grids (rows, cols) of crops, zeros at the end.
        """
        grids = [[(rows, cols) for rows, cols in row if rows] for row in image_sizes.tolist()]
        counts = [sum(rows * cols for rows, cols in row) for row in grids]
        if len(grids) != len(pixel_values) or any(count > pixel_values.shape[1] for count in counts):
            raise ValueError(f"image_sizes {grids} do not fit pixel_values of shape {tuple(pixel_values.shape)}")
        crops = torch.cat([row[:count] for row, count in zip(pixel_values, counts, strict=True)])
        flat = [grid for row in grids for grid in row]
        per_picture = crops.split([rows * cols for rows, cols in flat])
        if self.config.vision_config.img_anyres_strategy == "crop":
            features = self.multi_modal_projector(self.vision_tower(crops)).split([len(part) for part in per_picture])
            pictures = [tile(part, rows, cols) for part, (rows, cols) in zip(features, flat, strict=True)]
        else:
            whole = [
                tile(part.permute(0, 2, 3, 1), rows, cols).permute(2, 0, 1)[None]
                for part, (rows, cols) in zip(per_picture, flat, strict=True)
            ]
            pictures = [self.multi_modal_projector(self.vision_tower(picture))[0] for picture in whole]
        return [self.multi_modal_projector.close_rows(picture) for picture in pictures]

    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        pixel_values: torch.Tensor | None = None,
        image_sizes: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.LongTensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        **kwargs,
    ) -> CausalLMOutputWithPast:
        """Llama's outputs; see ``image_features`` for the pictures.

        ``input_ids`` [B, S] hold the image id once per visual token. Everything else (``past_key_values``,
        ``labels``, ``logits_to_keep``, ``use_cache``) goes to transformers' ``LlamaForCausalLM`` as it is.
        """
        if inputs_embeds is None:
            inputs_embeds = self.get_input_embeddings()(input_ids)
        if pixel_values is not None:
            features = torch.cat(self.image_features(pixel_values, image_sizes)).to(inputs_embeds)
            places = input_ids == self.config.image_token_index
            if int(places.sum()) != len(features):
                raise ValueError(f"{int(places.sum())} image tokens in the prompt for {len(features)} visual tokens")
            inputs_embeds = inputs_embeds.masked_scatter(places.unsqueeze(-1), features)
        if position_ids is None and attention_mask is not None and attention_mask.dim() == 2:
            # Padding on the left takes no positions.
            positions = (attention_mask.long().cumsum(-1) - 1).clamp(min=0)
            position_ids = positions[:, -inputs_embeds.shape[1] :]
        return self.language_model(
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            logits_to_keep=logits_to_keep,
            **kwargs,
        )


MagmaForConditionalGeneration = MagmaForCausalLM
