"""Any number of leading dimensions, treated as one batch."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor


def over_batches(kernel: Callable[..., Tensor], rank: int) -> Callable[..., Tensor]:
    """``kernel``, written for ``[N, *D]`` with ``rank`` dimensions D, for ``[*, *D]``."""

    def run(x: Tensor, *others: Tensor) -> Tensor:
        if x.dim() < rank:
            raise ValueError(f"its input has rank {x.dim()}, {rank} or more is needed")
        leading = x.shape[: x.dim() - rank]
        y = kernel(x.reshape(leading.numel(), *x.shape[x.dim() - rank :]), *others)
        return y.reshape(*leading, *y.shape[1:])

    return run
