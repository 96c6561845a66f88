"""The zeros of a pruned model that trains on: which options keep them, and what becomes of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from fer_train.config import PruneScope, TrainConfig
from fer_train.contract.architectures import build_model
from fer_train.contract.checkpoint import Checkpoint
from fer_train.plan import build_plan
from fer_train.pruning import prunable

#: A share of zeros that is nobody's pruning, and a difference that rounding explains.
_NEGLIGIBLE = 0.001


class _Layer(NamedTuple):
    name: str
    weights: int
    zeros: int


def require_zeros_kept(config: TrainConfig, checkpoint: Checkpoint) -> None:
    """Refuse a pruning before the first epoch that would hold fewer zeros than there are.

    Masks hold only the share they are made for: the other zeros would be trained like any weight,
    and the sparsity first shown would not last.

    Raises:
        ValueError: zeros of ``checkpoint`` would be lost.
    """
    layers = _layers(checkpoint)
    target = build_plan(config).prunings[0].sparsity
    losing = _losing(layers, target, config.prune_scope)
    if not losing:
        return
    held = f"--prune {config.prune:g} --prune-scope {config.prune_scope}"
    if config.prune_steps > 1:
        held += f" in {config.prune_steps} steps (first {target:.1%})"
    share = _share(layers)
    of_all = share > target + _NEGLIGIBLE
    worst = max(losing, key=lambda layer: layer.zeros / layer.weights)
    where = "" if of_all else f", {worst.zeros / worst.weights:.1%} in {worst.name}"
    raise ValueError(
        f"{config.from_checkpoint} has {share:.1%} zeros already{where}; {held} would hold fewer, "
        f"and the others would be filled again. Allowed: {_keeping(layers, checkpoint)} or more"
        f"{', or fewer --prune-steps' if config.prune_steps > 1 else ''}."
    )


def describe_zeros(config: TrainConfig, checkpoint: Checkpoint) -> str | None:
    """Return a line on what becomes of a checkpoint's zeros, or None if it has none or all stay."""
    layers = _layers(checkpoint)
    share = _share(layers)
    held = config.prune > 0 and config.prune_epoch == 0
    if share < _NEGLIGIBLE or held:
        return None
    everywhere = any(phase.trains == "all" for phase in config.resolved_phases)
    filled = "training fills them" if everywhere else "training fills those of the head"
    again = f", until --prune {config.prune:g} prunes anew after epoch {config.prune_epoch}"
    return (
        f"{share:.1%} of its weights are zero, and {filled}{again if config.prune > 0 else ''}. "
        f"{_keeping(layers, checkpoint)} --prune-at 0 keeps them zero"
    )


def _layers(checkpoint: Checkpoint) -> list[_Layer]:
    # Counted, not read from the record: a run that did not prune records nothing of zeros that its
    # frozen backbone still has.
    names = prunable(
        build_model(checkpoint.arch, num_classes=len(checkpoint.labels), device="meta")
    )
    weights = ((name, checkpoint.model[name]) for name in names)
    return [_Layer(name, w.numel(), int((w == 0).sum())) for name, w in weights]


def _share(layers: Sequence[_Layer]) -> float:
    return sum(layer.zeros for layer in layers) / sum(layer.weights for layer in layers)


def _losing(layers: Sequence[_Layer], target: float, scope: PruneScope) -> list[_Layer]:
    """Return the layers (or the whole, as one) with more zeros than masks of ``target`` hold."""
    if scope == "global":
        whole = _Layer("all layers", sum(x.weights for x in layers), sum(x.zeros for x in layers))
        layers = [whole]
    return [x for x in layers if x.zeros > target * x.weights + max(1, _NEGLIGIBLE * x.weights)]


def _keeping(layers: Sequence[_Layer], checkpoint: Checkpoint) -> str:
    """Return the options whose masks hold every zero."""
    share = float(checkpoint.config.get("prune", 0.0))
    scope: PruneScope = checkpoint.config.get("prune_scope", "layer")
    if _losing(layers, share, scope):
        share, scope = math.ceil(_share(layers) * 1000) / 1000, "global"
    return f"--prune-scope {scope} --prune {share:g}"
