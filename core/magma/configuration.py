"""The Magma configuration, read from the released ``config.json`` and refused where it says something unknown."""

from __future__ import annotations

import re
from typing import ClassVar

from transformers import LlamaConfig, PreTrainedConfig

XXLARGE_DEPTHS = (3, 4, 30, 3)
XXLARGE_WIDTHS = (384, 768, 1536, 3072)
XXLARGE_PROJECTION = 1024

STRIDE = 32
"""Pixels of a crop per visual token: the stem divides each side by 4, then three stages by 2."""

PROJECTOR_TYPE = re.compile(r"mlp([1-9]\d*)x_gelu(_segtokv\d+)?")


class MagmaVisionConfig(PreTrainedConfig):
    """CLIP's ConvNeXt trunk and the projector behind it.

    ``depths``, ``widths`` and ``projection_dim`` are not in the released file: there they are ConvNeXt-XXL's. Where
    ``mm_hidden_size`` names another width and they are absent, they stay None and are read from the checkpoint's
    tensors when it is loaded.
    """

    model_type: ClassVar[str] = "magma_vision"
    base_config_key: ClassVar[str] = "vision_config"

    vision_backbone: str = "convnextxxlarge"
    img_anyres_strategy: str = "crop"
    img_size: int = 512
    max_num_crops: int = 4
    mm_projector_type: str = "mlp2x_gelu"
    vision_feature_layer: str = "clip_vis_dense"
    mm_hidden_size: int | None = None
    depths: tuple[int, ...] | None = None
    widths: tuple[int, ...] | None = None
    projection_dim: int | None = None

    def __post_init__(self, **kwargs) -> None:
        super().__post_init__(**kwargs)
        _one_of("vision_backbone", self.vision_backbone, ("convnextxxlarge",))
        _one_of("img_anyres_strategy", self.img_anyres_strategy, ("crop", "global"))
        _one_of("vision_feature_layer", self.vision_feature_layer, ("clip_vis_dense",))
        if not PROJECTOR_TYPE.fullmatch(str(self.mm_projector_type)):
            raise ValueError(f"mm_projector_type is {self.mm_projector_type!r}; known are mlp1x_gelu, mlp2x_gelu, ...")
        if self.img_size < STRIDE or self.img_size % STRIDE:
            raise ValueError(f"img_size is {self.img_size}; it must be a multiple of {STRIDE}")
        if self.max_num_crops < 1:
            raise ValueError(f"max_num_crops is {self.max_num_crops}; it must be at least 1")
        if self.depths is None and self.widths is None and self.mm_hidden_size in (None, XXLARGE_WIDTHS[-1]):
            self.set_trunk(XXLARGE_DEPTHS, XXLARGE_WIDTHS, XXLARGE_PROJECTION)
        elif self.depths is not None and self.widths is not None:
            self.set_trunk(self.depths, self.widths, self.projection_dim or XXLARGE_PROJECTION)

    def set_trunk(self, depths: tuple[int, ...], widths: tuple[int, ...], projection_dim: int) -> None:
        """Fix the size of the trunk: blocks and channels of each stage, and the width of CLIP's unused head."""
        if len(depths) != len(widths) or self.mm_hidden_size not in (None, widths[-1]):
            raise ValueError(
                f"depths {depths}, widths {widths} and mm_hidden_size {self.mm_hidden_size} contradict each other"
            )
        self.depths, self.widths, self.projection_dim = tuple(depths), tuple(widths), projection_dim
        self.mm_hidden_size = widths[-1]

    @property
    def projector_layers(self) -> int:
        """How many linear layers the projector has."""
        return int(PROJECTOR_TYPE.fullmatch(self.mm_projector_type).group(1))


class MagmaConfig(PreTrainedConfig):
    """Vision and text configuration with the ids that join them.

    The released file repeats every Llama value at its top level; only those under ``text_config`` count.
    """

    model_type: ClassVar[str] = "magma"
    attribute_map: ClassVar[dict[str, str]] = {"image_token_id": "image_token_index"}
    sub_configs: ClassVar[dict[str, type]] = {"vision_config": MagmaVisionConfig, "text_config": LlamaConfig}
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["past_key_values"]

    vision_config: dict | PreTrainedConfig | None = None
    text_config: dict | PreTrainedConfig | None = None
    image_token_index: int = 128257
    mm_use_image_start_end: bool = True
    tokenizer_vocab_size: int = 128000
    spatial_quant_size: int = 256
    tie_word_embeddings: bool = False

    def __post_init__(self, **kwargs) -> None:
        if not isinstance(self.vision_config, MagmaVisionConfig):
            self.vision_config = MagmaVisionConfig(**(self.vision_config or {}))
        if self.text_config is None:
            self.text_config = _llama3_8b()
        elif isinstance(self.text_config, dict):
            _one_of("text_config.model_type", self.text_config.get("model_type", "llama"), ("llama",))
            self.text_config = LlamaConfig(**self.text_config)
        if not 0 <= self.image_token_index < self.text_config.vocab_size:
            raise ValueError(
                f"image_token_index {self.image_token_index} is outside the vocabulary of {self.text_config.vocab_size}"
            )
        repeated = self.text_config.to_dict().keys() | {"rope_theta", "rope_scaling", "pretraining_tp"}
        dropped = repeated | {"auto_map"}  # names remote code, which is never run and does not travel on
        super().__post_init__(**{key: value for key, value in kwargs.items() if key not in dropped})


def _llama3_8b() -> LlamaConfig:
    return LlamaConfig(
        vocab_size=128261,
        hidden_size=4096,
        intermediate_size=14336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        max_position_embeddings=8192,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 500000.0},
        bos_token_id=128000,
        eos_token_id=128009,
        pad_token_id=128256,
    )


def _one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} is {value!r}; known here: {', '.join(known)}")
