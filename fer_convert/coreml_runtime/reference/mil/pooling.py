"""The maximum, mean or length of the values in each window."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from torch import Tensor

from fer_convert.coreml_runtime.reference.mil.window_options import Spatial, spatial
from fer_convert.coreml_runtime.reference.operations import Call, Table, View
from fer_convert.coreml_runtime.reference.windows import Pads, pool, require_elements

OPERATIONS = Table()

_Kind = Literal["max", "average", "l2"]

_OF_LAYERS: Mapping[str, _Kind] = {
    "layer:max_pool": "max", "layer:avg_pool": "average", "layer:l2_pool": "l2",
}  # fmt: skip


@OPERATIONS.operation("max_pool")
def max_pool(op: View) -> Call:
    """Maximum of each window; padding never wins.

    Arguments: x ``[N, C, *D]``, kernel_sizes ``[len(D)]``, strides (ones), pad, pad_type as in
    conv, ceil_mode (false).
    """
    return op.call(_pooling(op, "max"), "x", exact=True)


@OPERATIONS.operation("avg_pool")
def avg_pool(op: View) -> Call:
    """Mean of each window; padding, and what ceil_mode adds, counts as zeros unless
    ``exclude_padding_from_average``.

    Arguments: as max_pool, exclude_padding_from_average (false).
    """
    exclude = op.option("exclude_padding_from_average", bool, False)
    return op.call(_pooling(op, "average", exclude_padding=exclude), "x")


@OPERATIONS.operation("l2_pool")
def l2_pool(op: View) -> Call:
    """Root of the sum of squares of each window, over 1 or 2 spatial dimensions.

    Arguments: as max_pool.
    """
    if len(op.integers("kernel_sizes")) > 2:
        raise op.refuse("more than 2 spatial dimensions")
    return op.call(_pooling(op, "l2"), "x")


@OPERATIONS.operation("layer:max_pool", "layer:avg_pool", "layer:l2_pool")
def layer_pool(op: View) -> Call:
    """Pooling of a layer with padding includeLastPixel: as the operation without ``layer:``, but a
    window in padding alone is dropped.

    Arguments: as there, over rows and columns, pad_type custom, ceil_mode true.

    Raises:
        ValueError: without any padding the layer keeps a last window that starts behind the image,
            and nothing says what it holds.
    """
    kind: _Kind = _OF_LAYERS[op.operation.type]
    exclude = op.option("exclude_padding_from_average", bool, False)
    pooling = _pooling(op, kind, exclude_padding=exclude)
    window = op.integers("kernel_sizes")
    strides, _, find_pads = spatial(op, pad_types=("custom",))(len(window))

    def kernel(x: Tensor) -> Tensor:
        pads = find_pads(x.shape[2:], window)
        rows, columns = _counts(x.shape[2:], pads, window, strides)
        return pooling(x)[..., :rows, :columns]

    return op.call(kernel, "x", exact=kind == "max")


@OPERATIONS.operation("layer:with_elements")
def layer_with_elements(op: View) -> Call:
    """``x``, which must have elements along its last ``axes`` dimensions, to pool over."""
    axes = op.option("axes", int)

    def kernel(x: Tensor) -> Tensor:
        require_elements(x.shape[-axes:])
        return x

    return op.call(kernel, "x", exact=True)


def _counts(
    sizes: Sequence[int], pads: Pads, window: Sequence[int], strides: Sequence[int]
) -> list[int]:
    """How many windows of a layer there are along each dimension."""
    counts = []
    for size, (before, after), k, s in zip(sizes, pads, window, strides, strict=True):
        count = -(-(size + before + after - k) // s) + 1
        if (count - 1) * s >= size + before:
            if not any(map(any, pads)):
                raise ValueError(f"a last window of {k} every {s} lies behind an input of {size}")
            count -= 1
        counts.append(count)
    return counts


def _pooling(op: View, kind: _Kind, *, exclude_padding: bool = False) -> Callable[[Tensor], Tensor]:
    window = op.integers("kernel_sizes")
    if not 1 <= len(window) <= 3 or min(window) < 1:
        raise op.refuse(f"kernel_sizes {list(window)}")
    read = spatial(op, pad_types=("valid", "custom", "same", "same_lower"))
    options: Spatial = read(len(window))
    ceil_mode = op.option("ceil_mode", bool, False)

    def kernel(x: Tensor) -> Tensor:
        return pool(
            x,
            kind=kind,
            kernel=window,
            strides=options.strides,
            pads=options.pads(x.shape[2:], window),
            ceil_mode=ceil_mode,
            exclude_padding=exclude_padding,
        )

    return kernel
