"""Blocks of pixels moved to channels or to the batch, and back."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from fer_convert.coreml_runtime.limits import check_steps
from fer_convert.coreml_runtime.reference.operations import Call, Table, View
from fer_convert.coreml_runtime.reference.windows import Pads, pad

OPERATIONS = Table()


@OPERATIONS.operation("depth_to_space")
def depth_to_space(op: View) -> Call:
    """``[N, C * b * b, H, W]`` as ``[N, C, H * b, W * b]``, block position slowest in channels.

    Argument: block_size b.
    """
    block = op.option("block_size", int)

    def kernel(x: Tensor) -> Tensor:
        check_steps(block * block)
        n, c, h, w = x.shape
        blocks = x.reshape(n, block, block, c // block**2, h, w).permute(0, 3, 4, 1, 5, 2)
        return blocks.reshape(n, c // block**2, h * block, w * block)

    return op.call(kernel, "x", exact=True)


@OPERATIONS.operation("space_to_depth")
def space_to_depth(op: View) -> Call:
    """The inverse of depth_to_space."""
    block = op.option("block_size", int)

    def kernel(x: Tensor) -> Tensor:
        check_steps(block * block)
        n, c, h, w = x.shape
        blocks = x.reshape(n, c, h // block, block, w // block, block).permute(0, 3, 5, 1, 2, 4)
        return blocks.reshape(n, c * block**2, h // block, w // block)

    return op.call(kernel, "x", exact=True)


@OPERATIONS.operation("pixel_shuffle")
def pixel_shuffle(op: View) -> Call:
    """``[N, C * r * r, H, W]`` as ``[N, C, H * r, W * r]``, block position fastest in channels.

    Argument: upscale_factor r.
    """
    factor = op.option("upscale_factor", int)
    check_steps(factor * factor)
    return op.call(lambda x: F.pixel_shuffle(x, factor), "x", exact=True)


@OPERATIONS.operation("pixel_unshuffle")
def pixel_unshuffle(op: View) -> Call:
    """The inverse of pixel_shuffle; argument downscale_factor."""
    factor = op.option("downscale_factor", int)
    check_steps(factor * factor)
    return op.call(lambda x: F.pixel_unshuffle(x, factor), "x", exact=True)


@OPERATIONS.operation("space_to_batch")
def space_to_batch(op: View) -> Call:
    """``[N, C, H * a, W * b]`` as ``[a * b * N, C, H, W]``, the place in a block slowest.

    Arguments: block_shape (a, b), paddings ``[2, 2]``: zeros first added to rows and columns,
    before and after.
    """
    (rows, columns), paddings = _block(op), _edges(op, "paddings")

    def kernel(x: Tensor) -> Tensor:
        x = pad(x, paddings)
        n, c, h, w = x.shape
        blocks = x.reshape(n, c, h // rows, rows, w // columns, columns)
        return blocks.permute(3, 5, 0, 1, 2, 4).flatten(0, 2)

    return op.call(kernel, "x", exact=True)


@OPERATIONS.operation("batch_to_space")
def batch_to_space(op: View) -> Call:
    """``[a * b * N, C, H, W]`` as ``[N, C, H * a, W * b]``, the inverse of space_to_batch.

    Arguments: block_shape (a, b), crops ``[2, 2]``: rows and columns then cut off, before and
    after.
    """
    (rows, columns), crops = _block(op), _edges(op, "crops")

    def kernel(x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        blocks = x.reshape(rows, columns, n // (rows * columns), c, h, w)
        image = blocks.permute(2, 3, 4, 0, 5, 1).flatten(4).flatten(2, 3)
        return pad(image, [(-before, -after) for before, after in crops])

    return op.call(kernel, "x", exact=True)


def _block(op: View) -> tuple[int, int]:
    shape = op.integers("block_shape")
    if len(shape) != 2 or min(shape) < 1:
        raise op.refuse(f"block_shape {list(shape)} is not a height and a width")
    return shape


def _edges(op: View, name: str) -> Pads:
    amounts = op.integers(name)
    if len(amounts) != 4 or min(amounts) < 0:
        raise op.refuse(f"{name} {list(amounts)} is not two pairs")
    return [(amounts[0], amounts[1]), (amounts[2], amounts[3])]
