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

from fer_train.config.options import PruneScope

Masks = Mapping[str, Tensor]  # parameter name -> bool, True where the weight stays


def prunable(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights of all convolutions and linears by their state-dict name."""
    return {
        f"{name}.weight": module.weight
        for name, module in model.named_modules()
        if isinstance(module, (nn.Conv2d, nn.Linear))
    }


def compute_masks(
    model: nn.Module, *, sparsity: float, scope: PruneScope = "layer"
) -> dict[str, Tensor]:
    """Return masks that zero the ``sparsity`` share of smallest weights, of each layer or of all.

    ``sparsity`` (0..1) is the target: pruning a pruned network again does not go further.
    """
    weights = {n: w.detach().cpu().contiguous() for n, w in prunable(model).items()}
    if scope == "layer":
        return {name: _keep_largest(values, sparsity) for name, values in weights.items()}
    everything = torch.cat([values.flatten() for values in weights.values()])
    kept = _keep_largest(everything, sparsity)
    parts = torch.split(kept, [values.numel() for values in weights.values()])
    return {
        name: part.view_as(values)
        for (name, values), part in zip(weights.items(), parts, strict=True)
    }


@torch.no_grad()
def apply_masks(model: nn.Module, masks: Masks) -> None:
    """Set every pruned weight to zero, in place."""
    for name, mask in masks.items():
        weight = model.get_parameter(name)
        # masked_fill, not multiplication: that would leave -0.0, and NaN for an infinite weight.
        weight.masked_fill_(~mask.to(weight.device), 0.0)


def pruned_positions(tensors: Mapping[str, Tensor], masks: Masks) -> list[tuple[Tensor, Tensor]]:
    """Return (weight, positions to keep at zero) of the ``tensors`` that have a mask.

    Given the trainable parameters or their averages: what an optimiser step can refill.
    """
    return [(t, ~masks[name].to(t.device)) for name, t in tensors.items() if name in masks]


def sparsity_table(model: nn.Module, masks: Masks) -> dict[str, Any]:
    """Return ``{"global": share of zeros, "layers": {name: share}}``; empty without masks."""
    if not masks:
        return {}
    rows = sparsity_rows(model, masks)
    return {
        "global": sum(zeros for _, _, zeros in rows) / sum(weights for _, weights, _ in rows),
        "layers": {name: zeros / weights for name, weights, zeros in rows},
    }


def sparsity_rows(model: nn.Module, masks: Masks) -> list[tuple[str, int, int]]:
    """Return (layer, weights, zeros) of every pruned layer."""
    weights = {name: model.get_parameter(name) for name in masks}
    return [(name, w.numel(), int((w == 0).sum())) for name, w in weights.items()]


def saved_when(epoch: int, pruning: Mapping[str, Any] | None) -> str:
    """Say when best.pt was saved; right after the last pruning no epoch had followed.

    Args:
        epoch: of best.pt's figures.
        pruning: the run's record of its prunings, if it had any.
    """
    steps = (pruning or {}).get("steps", [])
    if steps and steps[-1]["after_epoch"] == epoch:
        return f"right after pruning, epoch {epoch}" if epoch else "right after pruning"
    return f"epoch {epoch}"


def _keep_largest(values: Tensor, sparsity: float) -> Tensor:
    method = prune.L1Unstructured(amount=sparsity)  # type: ignore[no-untyped-call]
    mask: Tensor = method.compute_mask(values, torch.ones_like(values))  # type: ignore[no-untyped-call]
    return mask.bool()
