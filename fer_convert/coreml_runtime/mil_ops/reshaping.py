"""Moving values without changing them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from fer_convert.coreml_runtime.limits import check_size
from fer_convert.coreml_runtime.mil_ops.table import MIL
from fer_convert.coreml_runtime.registry import Call, View
from fer_convert.coreml_runtime.selecting import integers_of


@MIL.operation("concat")
def concat(op: View) -> Call:
    """``values`` joined along ``axis``; ``interleave`` alternates their slices instead."""
    axis = op.option("axis", int)
    if op.option("interleave", bool, False):
        # One slice of each value after the other: the values become the inner of two axes.
        return op.call(
            lambda *values: torch.stack(values, axis + 1 if axis >= 0 else axis).flatten(
                *((axis, axis + 1) if axis >= 0 else (axis - 1, axis))
            ),
            "values",
            exact=True,
        )
    return op.call(lambda *values: torch.cat(values, axis), "values", exact=True)


@MIL.operation("reshape")
def reshape(op: View) -> Call:
    """``x`` in the given ``shape``: one -1 is inferred, a 0 keeps the dimension at its place."""

    def kernel(x: Tensor, shape: Tensor) -> Tensor:
        sizes = enumerate(integers_of(shape))
        return x.reshape([x.shape[i] if size == 0 else size for i, size in sizes])

    return op.call(kernel, "x", "shape", exact=True)


@MIL.operation("transpose")
def transpose(op: View) -> Call:
    """The axes in the order ``perm``."""
    axes = op.integers("perm")
    return op.call(lambda x: x.permute(axes), "x", exact=True)


@MIL.operation("expand_dims")
def expand_dims(op: View) -> Call:
    """New axes of size 1 at ``axes`` of the result."""
    axes = op.integers("axes")

    def kernel(x: Tensor) -> Tensor:
        rank = x.dim() + len(axes)
        for axis in sorted(axis % rank for axis in axes):
            x = x.unsqueeze(axis)
        return x

    return op.call(kernel, "x", exact=True)


@MIL.operation("squeeze")
def squeeze(op: View) -> Call:
    """``axes`` (all) of size 1 removed."""
    axes = op.integers("axes", ())

    def kernel(x: Tensor) -> Tensor:
        if any(x.shape[axis] != 1 for axis in axes):
            raise ValueError(f"axes {list(axes)} of {list(x.shape)} are not all 1")
        return x.squeeze(axes) if axes else x.squeeze()

    return op.call(kernel, "x", exact=True)


@MIL.operation("reverse")
def reverse(op: View) -> Call:
    """``x`` turned round along ``axes`` (all)."""
    axes = op.integers("axes", ())
    return op.call(lambda x: x.flip(axes or tuple(range(x.dim()))), "x", exact=True)


@MIL.operation("pad")
def pad(op: View) -> Call:
    """``x`` padded along its last ``len(pad) / 2`` axes, (before, after) of each.

    mode: constant (with constant_val, 0), reflect, replicate; reflect and replicate take at most
    the last three axes.
    """
    mode = op.option("mode", str, "constant")
    if mode not in {"constant", "reflect", "replicate"}:
        raise op.unsupported(f"mode '{mode}'")
    value = op.option("constant_val", float, 0.0)

    def kernel(x: Tensor, amounts: Tensor) -> Tensor:
        flat = integers_of(amounts)
        pairs = list(zip(flat[::2], flat[1::2], strict=True))
        if min(flat, default=0) < 0:
            raise op.refuse(f"padding {list(flat)}")
        kept = x.dim() - len(pairs)
        grown = [size + sum(pair) for size, pair in zip(x.shape[kept:], pairs, strict=True)]
        check_size((*x.shape[:kept], *grown))
        turned = [amount for pair in reversed(pairs) for amount in pair]
        if mode == "constant":
            return F.pad(x, turned, value=value)
        while turned and turned[-2:] == [0, 0]:  # torch takes no more axes than it pads
            turned = turned[:-2]
        axes = len(turned) // 2
        flattened = x.reshape(1, -1, *x.shape[x.dim() - axes :]) if axes else x
        padded = F.pad(flattened, turned, mode=mode) if axes else x
        return padded.reshape(*x.shape[: x.dim() - axes], *padded.shape[2:]) if axes else x

    # A padded constant may be no fp16 number.
    return op.call(kernel, "x", "pad", exact=mode != "constant")


@MIL.operation("depth_to_space")
def depth_to_space(op: View) -> Call:
    """``[N, C * b * b, H, W]`` as ``[N, C, H * b, W * b]``, block position slowest in channels.

    Argument: block_size b.
    """
    block = op.option("block_size", int)

    def kernel(x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        blocks = x.reshape(n, block, block, c // block**2, h, w).permute(0, 3, 4, 1, 5, 2)
        return blocks.reshape(n, c // block**2, h * block, w * block)

    return op.call(kernel, "x", exact=True)


@MIL.operation("space_to_depth")
def space_to_depth(op: View) -> Call:
    """The inverse of depth_to_space."""
    block = op.option("block_size", int)

    def kernel(x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        blocks = x.reshape(n, c, h // block, block, w // block, block).permute(0, 3, 5, 1, 2, 4)
        return blocks.reshape(n, c * block**2, h // block, w // block)

    return op.call(kernel, "x", exact=True)


@MIL.operation("pixel_shuffle")
def pixel_shuffle(op: View) -> Call:
    """``[N, C * r * r, H, W]`` as ``[N, C, H * r, W * r]``, block position fastest in channels.

    Argument: upscale_factor r.
    """
    factor = op.option("upscale_factor", int)
    return op.call(lambda x: F.pixel_shuffle(x, factor), "x", exact=True)


@MIL.operation("pixel_unshuffle")
def pixel_unshuffle(op: View) -> Call:
    """The inverse of pixel_shuffle; argument downscale_factor."""
    factor = op.option("downscale_factor", int)
    return op.call(lambda x: F.pixel_unshuffle(x, factor), "x", exact=True)


@MIL.operation("sliding_windows")
def sliding_windows(op: View) -> Call:
    """Windows of ``size`` every ``stride`` (1) along ``axis``: ``[..., windows, size, ...]``."""
    axis, size, step = op.option("axis", int), op.option("size", int), op.option("stride", int, 1)

    def kernel(x: Tensor) -> Tensor:
        return x.unfold(axis, size, step).movedim(-1, axis % x.dim() + 1)

    return op.call(kernel, "x", exact=True)
