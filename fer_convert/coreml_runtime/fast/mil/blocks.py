"""ML Program: blocks of pixels moved to channels or to the batch, and back."""

from __future__ import annotations

from collections.abc import Sequence

from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.translation import Source, Translations

OPERATIONS = Translations()


@OPERATIONS.lowering("depth_to_space")
def depth_to_space(op: Source) -> str:
    block = op.option("block_size", int)
    result: str = op.node("DepthToSpace", op.operand("x"), blocksize=block, mode="DCR")
    return result


@OPERATIONS.lowering("space_to_depth")
def space_to_depth(op: Source) -> str:
    result: str = op.node("SpaceToDepth", op.operand("x"), blocksize=op.option("block_size", int))
    return result


@OPERATIONS.lowering("pixel_shuffle")
def pixel_shuffle(op: Source) -> str:
    factor = op.option("upscale_factor", int)
    result: str = op.node("DepthToSpace", op.operand("x"), blocksize=factor, mode="CRD")
    return result


@OPERATIONS.lowering("pixel_unshuffle")
def pixel_unshuffle(op: Source) -> str:
    factor = op.option("downscale_factor", int)
    c, h, w = _image(op)
    blocks = _reshaped(op, op.operand("x"), 0, 0, h // factor, factor, w // factor, factor)
    moved = op.node("Transpose", blocks, perm=[0, 1, 3, 5, 2, 4])
    return _reshaped(op, moved, 0, c * factor**2, h // factor, w // factor)


@OPERATIONS.lowering("space_to_batch")
def space_to_batch(op: Source) -> str:
    (rows, columns), (top, bottom, left, right) = _block(op), op.integers("paddings")
    c, h, w = _image(op)
    h, w = (h + top + bottom) // rows, (w + left + right) // columns
    amounts = op.ints(0, 0, top, left, 0, 0, bottom, right)
    padded = op.node("Pad", op.operand("x"), amounts, op.scalar(0.0))
    blocks = _reshaped(op, padded, 0, 0, h, rows, w, columns)
    moved = op.node("Transpose", blocks, perm=[3, 5, 0, 1, 2, 4])
    return _reshaped(op, moved, -1, c, h, w)


@OPERATIONS.lowering("batch_to_space")
def batch_to_space(op: Source) -> str:
    (rows, columns), (top, bottom, left, right) = _block(op), op.integers("crops")
    c, h, w = _image(op)
    blocks = _reshaped(op, op.operand("x"), rows, columns, -1, c, h, w)
    moved = op.node("Transpose", blocks, perm=[2, 3, 4, 0, 5, 1])
    whole = _reshaped(op, moved, 0, 0, h * rows, w * columns)
    ends = op.ints(h * rows - bottom, w * columns - right)
    result: str = op.node("Slice", whole, op.ints(top, left), ends, op.ints(2, 3))
    return result


def _block(op: Source) -> Sequence[int]:
    return op.integers("block_shape")


def _image(op: Source) -> tuple[int, int, int]:
    channels, height, width = op.shape_of("x")[1:]
    if channels is None or height is None or width is None:
        raise Unlowered("an image of unknown size")
    return channels, height, width


def _reshaped(op: Source, x: str, *sizes: int) -> str:
    """A 0 keeps the dimension at its place."""
    result: str = op.node("Reshape", x, op.ints(*sizes))
    return result
