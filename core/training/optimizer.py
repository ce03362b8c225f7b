"""Muon for the matrices, AdamW for everything else, as one optimizer."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.optim import AdamW, Muon, Optimizer


class MuonWithAdamW(Optimizer):
    """Muon (Jordan et al. 2024) takes the weights of linear layers, AdamW embeddings, output head, convolutions, norms
    and biases. Rates are those of AdamW: Muon's updates are scaled to the same size.
    """

    def __init__(self, model: nn.Module, rate: float, decay: float) -> None:
        matrices, others, plain = [], [], []
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            if parameter.dim() < 2:
                plain.append(parameter)
            elif parameter.dim() > 2 or "embed" in name or "lm_head" in name:
                others.append(parameter)
            else:
                matrices.append(parameter)
        self._muon = Muon(matrices, lr=rate, weight_decay=decay, momentum=0.95, adjust_lr_fn="match_rms_adamw")
        groups = [{"params": others, "weight_decay": decay}, {"params": plain, "weight_decay": 0.0}]
        self._adamw = AdamW(groups, lr=rate, betas=(0.9, 0.98), weight_decay=decay)
        super().__init__([*matrices, *others, *plain], {"lr": rate})
        # The same dictionaries, so that a scheduler that sets a rate here sets it there.
        self.param_groups = self._muon.param_groups + self._adamw.param_groups

    @torch.no_grad()
    def step(self, closure: Callable | None = None) -> None:
        self._muon.step()
        self._adamw.step()

    def state_dict(self) -> dict:
        return {"muon": self._muon.state_dict(), "adamw": self._adamw.state_dict()}

    def load_state_dict(self, state_dict: dict) -> None:
        self._muon.load_state_dict(state_dict["muon"])
        self._adamw.load_state_dict(state_dict["adamw"])
        self.param_groups = self._muon.param_groups + self._adamw.param_groups
