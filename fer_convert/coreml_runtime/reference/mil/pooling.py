"""The maximum, mean or length of the values in each window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import Tensor

from fer_convert.coreml_runtime.reference.mil.window_options import Spatial, spatial
from fer_convert.coreml_runtime.reference.operations import Call, Table, View
from fer_convert.coreml_runtime.reference.windows import pool

OPERATIONS = Table()

_Kind = Literal["max", "average", "l2"]


@OPERATIONS.operation("max_pool")
def max_pool(op: View) -> Call:
    """Maximum of each window; padding never wins.

    Arguments: x ``[N, C, *D]``, kernel_sizes ``[len(D)]``, strides (ones), pad, pad_type as in
    conv, ceil_mode (false).
    """
    return op.call(_pooling(op, "max"), "x", exact=True)


@OPERATIONS.operation("avg_pool")
def avg_pool(op: View) -> Call:
    """Mean of each window, padding counted as zeros unless ``exclude_padding_from_average``.

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
