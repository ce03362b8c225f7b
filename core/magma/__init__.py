"""Magma on stock transformers: importing this package registers it with transformers' Auto classes."""

from __future__ import annotations

from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor

# Without torchvision, older transformers export a stand-in at their top level that refuses to be used.
from transformers.models.auto.image_processing_auto import AutoImageProcessor

from core.magma.configuration import MagmaConfig, MagmaVisionConfig
from core.magma.image_processing import MagmaImageProcessor
from core.magma.modeling import MagmaForCausalLM, MagmaForConditionalGeneration
from core.magma.processing import MagmaProcessor, Message

AutoConfig.register("magma", MagmaConfig, exist_ok=True)
AutoImageProcessor.register(MagmaConfig, slow_image_processor_class=MagmaImageProcessor, exist_ok=True)
AutoProcessor.register(MagmaConfig, MagmaProcessor, exist_ok=True)
AutoModelForCausalLM.register(MagmaConfig, MagmaForCausalLM, exist_ok=True)
AutoModelForImageTextToText.register(MagmaConfig, MagmaForCausalLM, exist_ok=True)

__all__ = [
    "MagmaConfig",
    "MagmaForCausalLM",
    "MagmaForConditionalGeneration",
    "MagmaImageProcessor",
    "MagmaProcessor",
    "MagmaVisionConfig",
    "Message",
]
