"""Padding, convolution and pooling over sliding windows.

Padding is written ``[(before, after), …]``, one pair per spatial dimension, first dimension first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from fer_convert.coreml_runtime.limits import check_size, check_steps

Pads = Sequence[tuple[int, int]]


def same_pads(
    sizes: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    *,
    heavy: Literal["after", "before"],
) -> Pads:
    """Padding that makes ``out = ceil(in / stride)``; an odd row goes to the ``heavy`` side."""
    pads = []
    for size, k, s, d in zip(sizes, kernel, strides, dilations, strict=True):
        window = (k - 1) * d + 1
        total = max(0, (-(-size // s) - 1) * s + window - size)
        small, large = total // 2, total - total // 2
        pads.append((small, large) if heavy == "after" else (large, small))
    return pads


def pad(x: Tensor, pads: Pads, value: float = 0.0) -> Tensor:
    """Pad the trailing ``len(pads)`` dimensions of ``x`` with ``value``."""
    if not any(amount for pair in pads for amount in pair):
        return x
    _check_padded(x, pads)
    # torch lists the last dimension first.
    return F.pad(x, [amount for pair in reversed(pads) for amount in pair], value=value)


def _check_padded(x: Tensor, pads: Pads) -> None:
    kept = x.dim() - len(pads)
    check_size(
        (*x.shape[:kept], *(s + b + a for s, (b, a) in zip(x.shape[kept:], pads, strict=True)))
    )


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    pads: Pads,
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int,
) -> Tensor:
    """Cross-correlate ``x [N, C, *D]`` with ``weight [O, C / groups, *K]``, zero padding."""
    function = (F.conv1d, F.conv2d, F.conv3d)[weight.dim() - 3]
    check_steps(*strides, *dilations)
    if all(before == after for before, after in pads):
        _check_padded(x, pads)  # torch pads by itself
        padding = [before for before, _ in pads]
    else:
        x, padding = pad(x, pads), [0] * len(pads)
    result: Tensor = function(x, weight, bias, list(strides), padding, list(dilations), groups)
    return result


def transposed_sizes(
    x: Tensor,
    weight: Tensor,
    *,
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int,
) -> list[int]:
    """The uncut spatial size of a transposed convolution, once it is known to fit in memory.

    Raises:
        ValueError: it does not, or a stride or dilation is impossible.
    """
    check_steps(*strides, *dilations)
    full = [
        (size - 1) * s + (k - 1) * d + 1
        for size, s, k, d in zip(x.shape[2:], strides, weight.shape[2:], dilations, strict=True)
    ]
    check_size((x.shape[0], weight.shape[1] * groups, *full))
    return full


def require_elements(sizes: Sequence[int]) -> None:
    """Refuse images of no elements, to pool over or left by cropping.

    Raises:
        ValueError: a size below 1.
    """
    if any(size < 1 for size in sizes):
        raise ValueError(f"no elements: a size of {list(sizes)}")


def convolve_transposed(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int,
    crops: Pads | None,
    output: Sequence[int] = (),
    heavy: Literal["after", "before"] = "after",
) -> Tensor:
    """Transposed convolution of ``x [N, C, *D]`` with ``weight [C, O / groups, *K]``.

    ``crops`` are cut off the full result; None cuts it down to ``D * strides``, an odd row going to
    the ``heavy`` side. ``output`` is another spatial size to reach instead: the start stays where
    ``crops`` puts it, and what lies beyond the last window is zero (and the bias).
    """
    rank = weight.dim() - 2
    if bias is not None and bias.shape != (weight.shape[1] * groups,):
        raise ValueError(f"{list(bias.shape)} biases of {weight.shape[1] * groups} channels")
    full = transposed_sizes(x, weight, strides=strides, dilations=dilations, groups=groups)
    if crops is None:
        wanted = list(output) or [n * s for n, s in zip(x.shape[2:], strides, strict=True)]
        surplus = [max(0, size - n) for size, n in zip(full, wanted, strict=True)]
        starts = [(total + (heavy == "before")) // 2 for total in surplus]
    else:
        starts = [before for before, _ in crops]
        left = [size - before - after for size, (before, after) in zip(full, crops, strict=True)]
        wanted = list(output) or left
    require_elements(wanted)
    function = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[rank - 1]
    result = function(x, weight, None, list(strides), 0, 0, groups, list(dilations))
    # Negative padding cuts.
    ends = [start + n - size for start, n, size in zip(starts, wanted, full, strict=True)]
    placed = pad(result, [(-start, end) for start, end in zip(starts, ends, strict=True)])
    return placed if bias is None else placed + bias.reshape(-1, *(1,) * rank)


def pool(
    x: Tensor,
    *,
    kind: Literal["max", "average", "l2"],
    kernel: Sequence[int],
    strides: Sequence[int],
    pads: Pads,
    ceil_mode: bool,
    exclude_padding: bool,
) -> Tensor:
    """Pool ``x [N, C, *D]``.

    With ``ceil_mode`` the last window may hang over the padded edge, but must start inside it. An
    average counts padding unless ``exclude_padding``, and for Core ML what hangs over is padding
    (which PyTorch never counts): docs/coreml-differences.md.

    Raises:
        ValueError: a window is larger than the padded image.
    """
    rank = len(kernel)
    overhang = [
        (0, _overhang(size + sum(p), p[0] + size, k, s) if ceil_mode else 0)
        for size, p, k, s in zip(x.shape[-rank:], pads, kernel, strides, strict=True)
    ]
    edge = [(b, a + extra) for (b, a), (_, extra) in zip(pads, overhang, strict=True)]
    for size, pair, k in zip(x.shape[-rank:], edge, kernel, strict=True):
        if k > size + sum(pair):  # torch would take the lower half of its bits
            raise ValueError(f"a window of {k} on {size + sum(pair)} elements")
    if kind == "max":
        maximum = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[rank - 1]
        result: Tensor = maximum(pad(x, edge, value=float("-inf")), list(kernel), list(strides))
        return result
    if kind == "l2":
        squares = pad(x.square(), edge)
        flat = squares if rank == 2 else squares.unsqueeze(-2)  # torch sums over two
        one = [1] * (2 - rank)
        sums = F.avg_pool2d(flat, [*one, *kernel], [*one, *strides], divisor_override=1)
        return sums.sqrt().reshape(*x.shape[:-rank], *sums.shape[4 - rank :])
    average = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[rank - 1]
    mean: Tensor = average(pad(x, edge), list(kernel), list(strides))
    if not exclude_padding or not any(amount for pair in edge for amount in pair):
        return mean
    # The share of each window that counts: average of a mask with the same windows.
    mask = pad(torch.ones((1, 1, *x.shape[-rank:])), edge)
    return mean / average(mask, list(kernel), list(strides))


def _overhang(padded: int, last_start: int, kernel: int, stride: int) -> int:
    """How far the last window of ceil mode reaches over the padded edge (0: not at all).

    Args:
        padded: size with padding. last_start: a window must start before this position.
    """
    windows = -(-(padded - kernel) // stride) + 1
    if (windows - 1) * stride >= last_start:
        windows -= 1
    return max(0, (windows - 1) * stride + kernel - padded)
