"""L1-unstructured pruning with masks of our own.

torch.nn.utils.prune's reparametrisation renames weights, reorders parameters and keeps two tensors
per weight; here the model stays dense and plain, and a dict of masks says which weights stay zero.
Zeros alone save no bytes and no time: ``ferconv`` stores them sparse.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import prune

Masks = Mapping[str, Tensor]  # parameter name -> bool, True where the weight stays


def prunable(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights of all convolutions and linears by their state-dict name."""
    return {
        f"{name}.weight": module.weight
        for name, module in model.named_modules()
        if isinstance(module, (nn.Conv2d, nn.Linear))
    }


def compute_masks(model: nn.Module, *, sparsity: float) -> dict[str, Tensor]:
    """Return, per layer, the mask that zeroes its ``sparsity`` share of smallest weights.

    ``sparsity`` (0..1) is the target: pruning a pruned layer again does not go further.
    """
    method = prune.L1Unstructured(amount=sparsity)  # type: ignore[no-untyped-call]
    masks = {}
    for name, weight in prunable(model).items():
        values = weight.detach().cpu().contiguous()
        mask: Tensor = method.compute_mask(values, torch.ones_like(values))  # type: ignore[no-untyped-call]
        masks[name] = mask.bool()
    return masks


@torch.no_grad()
def apply_masks(model: nn.Module, masks: Masks) -> None:
    """Set every pruned weight to zero, in place."""
    for name, mask in masks.items():
        weight = model.get_parameter(name)
        # masked_fill, not multiplication: that would leave -0.0, and NaN for an infinite weight.
        weight.masked_fill_(~mask.to(weight.device), 0.0)


def trainable_dropped(model: nn.Module, masks: Masks) -> list[tuple[nn.Parameter, Tensor]]:
    """Return (weight, pruned positions) of the layers an optimiser step can refill."""
    pairs = ((model.get_parameter(name), mask) for name, mask in masks.items())
    return [(weight, ~mask.to(weight.device)) for weight, mask in pairs if weight.requires_grad]


def sparsity_table(model: nn.Module, masks: Masks) -> dict[str, Any]:
    """Return ``{"global": share of zeros, "layers": {name: share}}``; empty without masks."""
    if not masks:
        return {}
    weights = {name: model.get_parameter(name) for name in masks}
    zeros = {name: int((weight == 0).sum()) for name, weight in weights.items()}
    total = sum(weight.numel() for weight in weights.values())
    return {
        "global": sum(zeros.values()) / total,
        "layers": {name: zeros[name] / weights[name].numel() for name in weights},
    }
