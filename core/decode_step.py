"""One decode step of Magma's Llama, written for what it costs: memory traffic.

It computes what transformers' forward computes, over the same weights, but

- linear layers that share their input are one product (their weights become views of one tensor),
- the query heads of a key/value head are the rows of one product, so that keys and values are read once,
- choosing the next token happens on the device, inside the step, and the step moves its own position on,
- everything it reads and writes stays at its address, so that a GPU can replay the recorded step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional
from transformers import LlamaForCausalLM
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb


@dataclass(eq=False)
class Buffers:
    """What a step reads and writes, at fixed addresses, for ``batch`` rows of up to ``length`` tokens.

    ``slot`` [1] is where the next key goes, the same for all rows as these are left-padded; ``positions`` [B] the
    rotary position there; ``first`` [B] the slot of each row's first token; ``sharpness`` [1] is 1 / temperature;
    ``banned`` and ``noise`` are [B, vocabulary]; ``keys`` and ``values`` for each layer [B, key/value heads,
    length, D].
    """

    tokens: torch.Tensor
    slot: torch.Tensor
    positions: torch.Tensor
    first: torch.Tensor
    sharpness: torch.Tensor
    banned: torch.Tensor
    noise: torch.Tensor
    keys: list[torch.Tensor]
    values: list[torch.Tensor]
    used: int = 0
    """``slot`` as the host knows it."""
    replay: Callable[[], None] | None = None
    """The recorded step, where there is one."""
    landing: list[torch.Tensor] = field(default_factory=list)
    """Pinned memory on the host, by turns for one step's tokens and the next's."""


class _Joined(nn.Module):
    """Linear layers of one input as one product. Layers that are no plain ones (4-bit) stay as they are."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers  # a tuple: they belong to the model
        self.weight = None
        if all(type(layer) is nn.Linear and layer.bias is None for layer in layers):
            self.weight = torch.cat([layer.weight.detach() for layer in layers])
            self.sizes = [layer.out_features for layer in layers]
            for layer, rows in zip(layers, self.weight.split(self.sizes), strict=True):
                layer.weight.data = rows

    def forward(self, inputs: torch.Tensor) -> Sequence[torch.Tensor]:
        if self.weight is None:
            return [layer(inputs) for layer in self.layers]
        return functional.linear(inputs, self.weight).split(self.sizes, dim=-1)


class Step(nn.Module):
    """One token for each row: read ``tokens`` at ``slot``, leave the next ones in their place, advance."""

    def __init__(self, llama: LlamaForCausalLM) -> None:
        super().__init__()
        self.llama = llama
        layers = llama.model.layers
        self.projections = nn.ModuleList(
            _Joined(layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj) for layer in layers
        )
        self.gates = nn.ModuleList(_Joined(layer.mlp.gate_proj, layer.mlp.up_proj) for layer in layers)

    def forward(self, buffers: Buffers, keys: Sequence[torch.Tensor], values: Sequence[torch.Tensor]) -> None:
        """``keys`` and ``values``: the buffers' own, or what of them is in use, [B, key/value heads, length, D]."""
        model, slot = self.llama.model, buffers.slot
        places = torch.arange(keys[0].shape[2], device=slot.device)
        hidden_places = ((places < buffers.first[:, None]) | (places > slot))[:, None, None]
        hidden = model.embed_tokens(buffers.tokens)[:, None]
        cos, sin = model.rotary_emb(hidden, buffers.positions[:, None])
        for number, layer in enumerate(model.layers):
            attention, mlp = layer.self_attn, layer.mlp
            heads = (len(hidden), 1, -1, attention.head_dim)
            projected = self.projections[number](layer.input_layernorm(hidden))
            query, key, value = (part.view(heads).transpose(1, 2) for part in projected)
            query, key = apply_rotary_pos_emb(query, key, cos, sin)
            keys[number][:, :, slot] = key
            values[number][:, :, slot] = value
            query = query.view(len(hidden), -1, attention.num_key_value_groups, attention.head_dim)
            scores = query @ keys[number].transpose(2, 3) * attention.scaling
            weights = scores.masked_fill(hidden_places, -torch.inf).softmax(-1, dtype=torch.float32).to(query.dtype)
            attended = (weights @ values[number]).view(len(hidden), 1, -1)
            hidden = hidden + attention.o_proj(attended)
            gate, up = self.gates[number](layer.post_attention_layernorm(hidden))
            hidden = hidden + mlp.down_proj(mlp.act_fn(gate) * up)
        choose(buffers, self.llama.lm_head(model.norm(hidden))[:, 0])
        slot.add_(1)
        buffers.positions.add_(1)


def choose(buffers: Buffers, logits: torch.Tensor) -> None:
    """Put the next token of each row into ``buffers.tokens``, from logits [B, vocabulary].

    Sampling is the Gumbel-max trick: the argmax of logits over temperature plus noise. Without noise it is greedy.
    """
    allowed = logits.float().masked_fill(buffers.banned, -torch.inf)
    buffers.tokens.copy_((allowed * buffers.sharpness + buffers.noise).argmax(-1))


def renew_noise(noise: torch.Tensor, generators: Sequence[torch.Generator]) -> None:
    """Fresh Gumbel noise for the rows that sample: minus the logarithm of exponential noise."""
    for row, generator in zip(noise, generators, strict=False):
        row.exponential_(generator=generator).clamp_(min=torch.finfo(row.dtype).tiny).log_().neg_()
