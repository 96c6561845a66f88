"""What Core ML computes otherwise than PyTorch, with the figures that were published.

Each test names its source; docs/coreml-differences.md lists them all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.fer_convert.coreml_runtime.both_engines import check_mil


def _ceil_pool(x: Any, kernel: tuple[int, ...], strides: tuple[int, ...], **options: Any) -> Any:
    """The arguments that coremltools writes for ``AvgPool(ceil_mode=True)``."""
    return {
        "x": x, "kernel_sizes": kernel, "strides": strides, "pad_type": "custom",
        "pad": (0, 0) * len(kernel), "ceil_mode": True, **options,
    }  # fmt: skip


IMAGE = np.arange(49, dtype=np.float32).reshape(1, 1, 7, 7)


def test_an_average_counts_what_ceil_mode_adds() -> None:
    """apple/coremltools#2844: measured on Core ML beside PyTorch."""
    core_ml = [[[[4.0, 7.0, 4.75], [25.0, 28.0, 15.25], [21.25, 22.75, 12.0]]]]
    pytorch = [[[[4.0, 7.0, 9.5], [25.0, 28.0, 30.5], [42.5, 45.5, 48.0]]]]
    check_mil("avg_pool", _ceil_pool(IMAGE, (2, 2), (3, 3)), core_ml)
    np.testing.assert_allclose(F.avg_pool2d(torch.from_numpy(IMAGE), 2, 3, ceil_mode=True), pytorch)


def test_in_one_dimension() -> None:
    """The same source."""
    x = np.arange(7, dtype=np.float32).reshape(1, 1, 7)
    check_mil("avg_pool", _ceil_pool(x, (2,), (3,)), [[[0.5, 3.5, 3.0]]])


@pytest.mark.parametrize(("size", "kernel", "stride"), [(7, 2, 3), (7, 2, 2), (6, 3, 2)])
def test_excluding_padding_is_what_pytorch_means(size: int, kernel: int, stride: int) -> None:
    """The way out: coremltools' own test has it with (10, 3, 2), against PyTorch on a Mac."""
    x = np.random.default_rng(0).standard_normal((1, 2, size, size)).astype(np.float32)
    wanted = F.avg_pool2d(
        torch.from_numpy(x), kernel, stride, ceil_mode=True, count_include_pad=False
    )
    options = _ceil_pool(x, (kernel,) * 2, (stride,) * 2, exclude_padding_from_average=True)
    check_mil("avg_pool", options, wanted.numpy())
