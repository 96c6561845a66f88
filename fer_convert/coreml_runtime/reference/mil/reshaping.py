"""Moving values without changing them."""

from __future__ import annotations

from math import prod

import numpy as np
import torch
from torch import Tensor

from fer_convert.coreml_runtime.limits import check_size
from fer_convert.coreml_runtime.reference import windows
from fer_convert.coreml_runtime.reference.operations import Call, Table, View
from fer_convert.coreml_runtime.reference.selecting import integers_of

OPERATIONS = Table()


@OPERATIONS.operation("concat")
def concat(op: View) -> Call:
    """``values`` joined along ``axis``; ``interleave`` alternates their slices instead. Scalars
    join to a vector.
    """
    axis, alternates = op.option("axis", int), op.option("interleave", bool, False)

    def kernel(*values: Tensor) -> Tensor:
        if not any(value.dim() for value in values):
            return torch.stack(values)
        if alternates:
            # One slice of each value after the other: the values become the inner of two axes.
            return torch.stack(values, axis + 1 if axis >= 0 else axis).flatten(
                *((axis, axis + 1) if axis >= 0 else (axis - 1, axis))
            )
        return torch.cat(values, axis)

    return op.call(kernel, "values", exact=True)


@OPERATIONS.operation("reshape", "layer:reshape")
def reshape(op: View) -> Call:
    """``x`` in the given ``shape``: one -1 is inferred, a 0 keeps the dimension at its place.

    Where the ranks differ, places count from the last dimension and a 0 beyond the first is 1 (iOS
    17; before, a 0 wanted equal ranks). For a layer they count from the first dimension.
    """
    from_first = op.operation.type == "layer:reshape"

    def kernel(x: Tensor, shape: Tensor) -> Tensor:
        sizes = integers_of(shape)
        kept = [1] * (len(sizes) - x.dim()) + list(x.shape[max(0, x.dim() - len(sizes)) :])
        if from_first:
            return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(sizes)])
        return x.reshape(
            [old if size == 0 else size for old, size in zip(kept, sizes, strict=True)]
        )

    return op.call(kernel, "x", "shape", exact=True)


@OPERATIONS.operation("reshape_like")
def reshape_like(op: View) -> Call:
    """``x`` in the shape ``ref_tensors[0].shape[begins[0]:ends[0]]``, then that of the next, …

    Where ``end_masks`` is true, the slice goes to the end.
    """
    count = len(op.operation.arguments.get("ref_tensors", ()))

    def kernel(x: Tensor, *given: Tensor) -> Tensor:
        references, begins, ends, masks = (
            given[i * count : (i + 1) * count] for i in range(len(given) // count)
        )
        sizes: list[int] = []
        for reference, begin, end, mask in zip(references, begins, ends, masks, strict=True):
            sizes += reference.shape[int(begin) : None if mask else int(end)]
        return x.reshape(sizes)

    return op.call(kernel, "x", "ref_tensors", "begins", "ends", "end_masks", exact=True)


@OPERATIONS.operation("transpose")
def transpose(op: View) -> Call:
    """The axes in the order ``perm``."""
    axes = op.integers("perm")
    return op.call(lambda x: x.permute(axes), "x", exact=True)


@OPERATIONS.operation("expand_dims")
def expand_dims(op: View) -> Call:
    """New axes of size 1 at ``axes`` of the result."""
    axes = op.integers("axes")

    def kernel(x: Tensor) -> Tensor:
        rank = x.dim() + len(axes)
        for axis in sorted(axis % rank for axis in axes):
            x = x.unsqueeze(axis)
        return x

    return op.call(kernel, "x", exact=True)


@OPERATIONS.operation("squeeze")
def squeeze(op: View) -> Call:
    """``axes`` (all) of size 1 removed."""
    axes = op.integers("axes", ())

    def kernel(x: Tensor) -> Tensor:
        if any(x.shape[axis] != 1 for axis in axes):
            raise ValueError(f"axes {list(axes)} of {list(x.shape)} are not all 1")
        return x.squeeze(axes) if axes else x.squeeze()

    return op.call(kernel, "x", exact=True)


@OPERATIONS.operation("layer:at_least_one_axis")
def at_least_one_axis(op: View) -> Call:
    """``x``, and a scalar as ``[1]``: a NeuralNetwork has none."""
    return op.call(lambda x: x if x.dim() else x.reshape(1), "x", exact=True)


@OPERATIONS.operation("reverse")
def reverse(op: View) -> Call:
    """``x`` turned round along ``axes`` (all)."""
    axes = op.integers("axes", ())
    return op.call(lambda x: x.flip(axes or tuple(range(x.dim()))), "x", exact=True)


@OPERATIONS.operation("reverse_sequence")
def reverse_sequence(op: View) -> Call:
    """The first ``lengths[i]`` elements along seq_axis (0) turned round, for each ``i`` along
    batch_axis (0)."""
    along, batch = op.option("seq_axis", int, 0), op.option("batch_axis", int, 0)

    def kernel(x: Tensor, lengths: Tensor) -> Tensor:
        if along % x.dim() == batch % x.dim():
            raise op.refuse(f"seq_axis and batch_axis are both axis {batch % x.dim()}")
        size, counts = x.shape[along], torch.tensor(integers_of(lengths)).reshape(-1, 1)
        if lengths.shape != (x.shape[batch],) or ((counts < 0) | (counts > size)).any():
            raise ValueError(f"lengths {lengths.tolist()} of {size} elements")
        place = torch.arange(size)
        source = torch.where(place < counts, counts - 1 - place, place)  # [batch, sequence]
        wide = [1] * x.dim()
        wide[along], wide[batch] = size, x.shape[batch]
        turned = source if batch % x.dim() < along % x.dim() else source.mT
        return x.take_along_dim(turned.reshape(wide), along)

    return op.call(kernel, "x", "lengths", exact=True)


@OPERATIONS.operation("pad")
def pad(op: View) -> Call:
    """``x`` padded along its last ``len(pad) / 2`` axes, (before, after) of each.

    mode: constant (with constant_val, 0) | reflect (without the edge) | replicate (of the edge);
    the last two pad the last two axes alone: Core ML refuses the model otherwise.
    """
    mode = op.option("mode", str, "constant")
    if mode not in {"constant", "reflect", "replicate"}:
        raise op.refuse(f"mode '{mode}' is none of constant, reflect, replicate")
    value = op.option("constant_val", float, 0.0)

    def kernel(x: Tensor, amounts: Tensor) -> Tensor:
        flat = integers_of(amounts)
        pairs = list(zip(flat[::2], flat[1::2], strict=True))
        if min(flat, default=0) < 0 or len(pairs) > x.dim():
            raise op.refuse(f"padding {list(flat)} of {list(x.shape)}")
        if mode == "constant":
            return windows.pad(x, pairs, value)
        if any(map(any, pairs[:-2])):
            raise op.refuse(
                f"padding {list(flat)} of mode '{mode}': Core ML loads no model that pads so "
                f"anything but the last two axes"
            )
        kept = x.dim() - len(pairs)
        grown = [size + sum(pair) for size, pair in zip(x.shape[kept:], pairs, strict=True)]
        check_size((*x.shape[:kept], *grown))
        for axis, (before, after) in zip(range(kept, x.dim()), pairs, strict=True):
            x = _continued(x, axis, before, after, mirror=mode == "reflect")
        return x

    # A padded constant may be no fp16 number.
    return op.call(kernel, "x", "pad", exact=mode != "constant")


@OPERATIONS.operation("layer:pad")
def layer_pad(op: View) -> Call:
    """``x`` with ``value`` added before and after every dimension: amounts ``[2 * rank]``.

    With ``to_sizes`` (false) an amount is the size to reach on that side; the other of the pair is
    then 0.
    """
    value, to_sizes = op.option("value", float), op.option("to_sizes", bool, False)

    def kernel(x: Tensor, given: Tensor) -> Tensor:
        amounts = integers_of(given.reshape(-1))
        if len(amounts) != 2 * x.dim() or min(amounts, default=0) < 0:
            raise ValueError(f"the amounts {list(amounts)} do not fit an input {list(x.shape)}")
        pairs = list(zip(amounts[::2], amounts[1::2], strict=True))
        if to_sizes:
            if any(before and after for before, after in pairs):
                raise ValueError(f"the sizes {list(amounts)} name both ends of a dimension")
            pairs = [
                (max(0, before - size) if before else 0, max(0, after - size) if after else 0)
                for (before, after), size in zip(pairs, x.shape, strict=True)
            ]
        return windows.pad(x, pairs, value)

    return op.call(kernel, "x", "amounts")


@OPERATIONS.operation("layer:of_shape")
def layer_of_shape(op: View) -> Call:
    """``x``, which must have the given ``shape``: the message calls it ``name``."""
    shape, name = op.integers("shape"), op.option("name", str)

    def kernel(x: Tensor) -> Tensor:
        if x.shape != shape:
            raise ValueError(f"{name} {list(x.shape)}, not {list(shape)}")
        return x

    return op.call(kernel, "x", exact=True)


@OPERATIONS.operation("sliding_windows")
def sliding_windows(op: View) -> Call:
    """Windows of ``size`` every ``stride`` (1) along ``axis``: ``[..., windows, size, ...]``."""
    axis, size, step = op.option("axis", int), op.option("size", int), op.option("stride", int, 1)

    def kernel(x: Tensor) -> Tensor:
        return x.unfold(axis, size, step).movedim(-1, axis % x.dim() + 1)

    return op.call(kernel, "x", exact=True)


def _continued(x: Tensor, axis: int, before: int, after: int, *, mirror: bool) -> Tensor:
    size = x.shape[axis]
    if before == after == 0:
        return x
    if max(before, after) >= size and (mirror or size == 0):
        raise ValueError(f"{size} elements cannot be continued by {before} and {after}")
    at = torch.arange(-before, size + after)
    inner = at.abs() if mirror else at.clamp(min=0)
    last = size - 1
    return x.index_select(axis, last - (last - inner).abs() if mirror else inner.clamp(max=last))


@OPERATIONS.operation("tile", "layer:tile")
def tile(op: View) -> Call:
    """``x`` repeated ``reps[i]`` times along each dimension; 0 leaves nothing.

    For a layer ``reps`` may be shorter: it counts for the last dimensions.
    """
    of_layer = op.operation.type == "layer:tile"

    def kernel(x: Tensor, reps: Tensor) -> Tensor:
        times = integers_of(reps)
        if not (1 if of_layer else x.dim()) <= len(times) <= x.dim():
            axes = f"the axes of {list(x.shape)}"
            raise ValueError(f"reps {list(times)}: {len(times)} counts for {axes}")
        if min(times, default=1) < of_layer:  # a layer repeats at least once
            raise ValueError(f"reps {list(times)}")
        check_size((x.numel(), *times))
        return x.tile(times)

    return op.call(kernel, "x", "reps", exact=True)


@OPERATIONS.operation("layer:broadcast_to")
def broadcast_to(op: View) -> Call:
    """``x`` broadcast to ``shape``, together with its own shape."""

    def kernel(x: Tensor, shape: Tensor) -> Tensor:
        wanted = np.broadcast_shapes(tuple(x.shape), integers_of(shape))
        check_size(wanted)
        return torch.broadcast_to(x, wanted)

    return op.call(kernel, "x", "shape", exact=True)


@OPERATIONS.operation("split")
def split(op: View) -> Call:
    """``x`` cut along ``axis`` into ``num_splits`` equal parts, or into ``split_sizes``."""
    axis, parts = op.option("axis", int), op.option("num_splits", int, 0)

    def kernel(x: Tensor, sizes: Tensor | None) -> tuple[Tensor, ...]:
        if sizes is not None:
            return torch.split(x, sizes.tolist(), axis)
        if parts < 1 or x.shape[axis] % parts:
            raise ValueError(f"{parts} equal parts of {x.shape[axis]}")
        return torch.tensor_split(x, parts, axis)

    return op.call(kernel, "x", "split_sizes?", exact=True)


@OPERATIONS.operation("stack")
def stack(op: View) -> Call:
    """``values`` of one shape joined along a new ``axis``."""
    axis = op.option("axis", int)
    return op.call(lambda *values: torch.stack(values, axis), "values", exact=True)


@OPERATIONS.operation("flatten2d")
def flatten2d(op: View) -> Call:
    """``x`` with the dimensions before ``axis`` (1) as one, and the others as one."""
    axis = op.option("axis", int, 1)

    def kernel(x: Tensor) -> Tensor:
        if not -x.dim() <= axis <= x.dim():
            raise IndexError(f"axis {axis} of {list(x.shape)}")
        at = axis + x.dim() if axis < 0 else axis
        return x.reshape(prod(x.shape[:at]), prod(x.shape[at:]))

    return op.call(kernel, "x", exact=True)
