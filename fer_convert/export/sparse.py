"""Store the zeros of a pruned network as a bit mask: the values stay, the bytes go."""

from __future__ import annotations

from typing import Any, Literal

from fer_convert.source.model import Source

Storage = Literal["dense", "sparse"]


StorageChoice = Literal["auto", "dense", "sparse"]


#: A bit per weight pays for itself from 1/16 zeros in fp16 (1/32 in fp32); below this share the
#: gain is not worth a decompression at load time.
_WORTHWHILE_ZERO_SHARE = 0.10


#: Tensors smaller than this save less than their own bookkeeping.
_SMALLEST_TENSOR = 1024


def choose_storage(source: Source, choice: StorageChoice) -> Storage:
    """Decide how ML Programs store their weights; ``auto`` asks whether it pays."""
    if choice != "auto":
        return choice
    return "sparse" if source.zero_share > _WORTHWHILE_ZERO_SHARE else "dense"


def store_sparse(model: Any) -> Any:
    """Return an ML Program whose weights with enough zeros are ``constexpr_sparse_to_dense``.

    A plain conversion stores zeros like any other value, and coremltools' own defaults would start
    at 50 % zeros. No value changes: the threshold is 0, and nothing is smaller.
    """
    import coremltools.optimize.coreml as cto

    settings = cto.OpThresholdPrunerConfig(
        threshold=0.0,
        minimum_sparsity_percentile=_WORTHWHILE_ZERO_SHARE,
        weight_threshold=_SMALLEST_TENSOR,
    )
    return cto.prune_weights(model, cto.OptimizationConfig(global_config=settings))
