"""What Core ML computes otherwise than PyTorch, with the figures that were published.

Each test names its source; docs/coreml-differences.md lists them all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fer_convert.coreml_runtime import ArtefactError
from tests.fer_convert.coreml_runtime.both_engines import check_mil, run_layer
from tests.fer_convert.coreml_runtime.layer_filling import filling
from tests.fer_convert.coreml_runtime.one_operation import run_mil


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


def test_a_power_of_zero() -> None:
    """apple/coremltools#2628: ``mb.pow(x=2.0, y=0.0)`` is 0 where PyTorch's is 1."""
    x = np.array([2.0, 2.0, 3.0], np.float32)
    check_mil("pow", {"x": x, "y": np.array([0.0, 1.0, 2.0], np.float32)}, [0.0, 2.0, 9.0])
    check_mil("pow", {"x": x, "y": 0.0}, [0.0, 0.0, 0.0])
    check_mil("pow", {"x": x, "y": 2.0}, [4.0, 4.0, 9.0])


def test_the_reciprocal_adds_an_epsilon() -> None:
    """apple/coremltools#2773, on a Mac's CPU: a relative error of a half at 1e-4."""
    x = np.array([1e-4, 1e-3, 1e-2, 0.25, 1.0], np.float32)
    measured = [5000.0005, 909.09094, 99.009903, 3.9984009, 0.99990004]
    check_mil("inverse", {"x": x}, measured, rtol=1e-6)


def test_halves_are_rounded_to_even() -> None:
    """kasper0406/stablehlo-coreml#71, on a Mac's CPU; other units round otherwise."""
    x = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 3.5], np.float32)
    check_mil("round", {"x": x}, [0.0, 2.0, 2.0, -0.0, -2.0, 4.0])


def test_softplus_in_half_precision() -> None:
    """sbryngelson/ANEForge#113 on an M5's Neural Engine; apple/coremltools#2687 saw 10.4."""
    x = np.array([[5.0, 10.0, 11.0, 12.0, 88.0, 1000.0]], np.float16)
    measured = np.array([[5.008, 10.0, 0.0, 0.0, 0.0, 0.0]], np.float16)
    np.testing.assert_array_equal(run_mil("softplus", {"x": x}, outputs=("fp16",)), measured)
    full = np.array([10.0, 11.0, 88.0], np.float32)
    check_mil("softplus", {"x": full}, np.log1p(np.exp(full.astype(np.float64))))


def test_the_logarithm_of_a_sum_of_exponentials_in_half_precision() -> None:
    """apple/coremltools#2690: of 32 equal channels it fell from 11.1 to 0 at 7.6313."""
    options = {"axes": (1,), "keep_dims": False}

    def of_channels(x: float) -> float:
        half = np.full((1, 32), x, np.float16)
        seen = run_mil("reduce_log_sum_exp", {"x": half, **options}, outputs=("fp16",))
        return float(seen.item())

    assert of_channels(7.6) == pytest.approx(7.6 + np.log(32), abs=0.01)
    assert of_channels(7.64) == 0.0
    check_mil(
        "reduce_log_sum_exp", {"x": np.full((1, 32), 9.0, np.float32), **options}, [12.465736]
    )


def test_padding_that_core_ml_refuses() -> None:
    """apple/coremltools#2701 counts out which: all but those of the last two axes."""
    x = np.arange(32, dtype=np.float32).reshape(1, 1, 2, 4, 4)
    loaded = [(0,) * 8 + (1, 1), (0,) * 6 + (1, 1, 1, 1)]
    refused = [
        (0,) * 4 + (1, 1, 0, 0, 0, 0),
        (0,) * 4 + (1, 1, 1, 1, 0, 0),
        (0, 0, 1, 1) + (0,) * 6,
    ]
    for mode, numpys in (("reflect", "reflect"), ("replicate", "edge")):
        for amounts in loaded:
            pairs = list(zip(amounts[::2], amounts[1::2], strict=True))
            wanted = np.pad(x, pairs, mode=numpys)  # type: ignore[call-overload]
            check_mil("pad", {"x": x, "pad": amounts, "mode": mode}, wanted)
        for amounts in refused:
            with pytest.raises(ArtefactError, match="but the last two axes"):
                run_mil("pad", {"x": x, "pad": amounts, "mode": mode})


@pytest.mark.parametrize(
    ("shape", "axis"), [((2, 1, 1), -1), ((1, 1, 2), -1), ((1, 3, 2, 2), -3), ((1, 1, 3, 2, 2), -3)]
)
def test_the_softmax_layer_of_three_dimensions(shape: tuple[int, ...], axis: int) -> None:
    """apple/coremltools#1714 and #2856: along the last axis, though the specification says -3."""
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    wanted = torch.softmax(torch.from_numpy(x), axis)
    np.testing.assert_allclose(run_layer(filling("softmax"), x), wanted, rtol=1e-6)


def test_the_maximum_of_padding_alone() -> None:
    """webmachinelearning/webnn#935: 3 every 3 over 5 rows, of which the third sees padding."""
    x = np.zeros((1, 2, 5, 5), np.float32)
    options = {"kernel_sizes": (3, 3), "strides": (3, 3), "pad_type": "custom", "pad": (1, 3) * 2}
    wanted = np.zeros((1, 2, 3, 3), np.float32)
    wanted[..., 2, :] = wanted[..., 2] = -np.inf
    check_mil("max_pool", {"x": x, **options}, wanted, fast=False)


def test_log_softmax_as_the_converter_writes_it() -> None:
    """apple/coremltools#2728: in fp16 the logarithm of a probability that rounds to 0."""
    x = np.array([[0, 0, 0, 50, 0, 0, 0, 0]], np.float16)
    probabilities = run_mil("softmax", {"x": x}, outputs=("fp16",)).astype(np.float16)
    logarithms = run_mil("log", {"x": probabilities}, outputs=("fp16",))
    np.testing.assert_array_equal(logarithms, np.where(x == 50, 0, -np.inf))
