"""Convolution of ML Programs, with computed weights and transposed, against loops in fp64."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from fer_convert.coreml_runtime import ArtefactError, UnsupportedOperation
from fer_convert.coreml_runtime.fast import NotLowered, lower
from tests.fer_convert.coreml_runtime.both_engines import check_mil
from tests.fer_convert.coreml_runtime.one_operation import Array, constant, mil_program, run_mil
from tests.fer_convert.coreml_runtime.window_loops import conv_loops, pads_of

RNG = np.random.default_rng(7)


IMAGES = {
    1: RNG.standard_normal((2, 4, 9)).astype(np.float32),
    2: RNG.standard_normal((2, 4, 5, 6)).astype(np.float32),
    3: RNG.standard_normal((1, 4, 4, 3, 5)).astype(np.float32),
}


def floats(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


CONVOLUTIONS: list[tuple[int, dict[str, Any], tuple[int, ...]]] = [
    # spatial dimensions, options, kernel
    (1, {}, (3,)),
    (1, {"pad_type": "custom", "pad": (2, 0), "strides": (2,), "dilations": (2,)}, (3,)),
    (1, {"pad_type": "same_lower", "strides": (2,)}, (4,)),
    (2, {"pad_type": "custom", "pad": (0, 2, 3, 1), "groups": 2}, (2, 3)),
    (2, {"pad_type": "same", "strides": (2, 3), "dilations": (1, 2)}, (2, 2)),
    (2, {"pad_type": "same_lower", "groups": 4}, (4, 2)),
    (2, {"pad_type": "valid", "pad": (1, 1, 1, 1)}, (1, 1)),
    (3, {"pad_type": "same_lower", "strides": (2, 1, 3)}, (2, 2, 3)),
    (3, {"pad_type": "custom", "pad": (1, 0, 0, 1, 2, 2), "groups": 2}, (2, 3, 2)),
]


@pytest.mark.parametrize("computed", [False, True], ids=["constant", "computed"])
@pytest.mark.parametrize(("rank", "options", "window"), CONVOLUTIONS)
def test_conv(rank: int, options: dict[str, Any], window: tuple[int, ...], computed: bool) -> None:
    x, groups = IMAGES[rank], options.get("groups", 1)
    weight, bias = floats(8, 4 // groups, *window), floats(8)
    strides, dilations = (options.get(name, (1,) * rank) for name in ("strides", "dilations"))
    pads = pads_of(
        options.get("pad_type", "valid"), options.get("pad", ()), x, window, strides, dilations
    )
    wanted = conv_loops(x, weight, bias, pads, strides, dilations, groups)
    stored = (weight, bias) if computed else (constant(weight), constant(bias))
    inputs = {"x": x, "weight": stored[0], "bias": stored[1], **options}
    check_mil("conv", inputs, wanted, atol=1e-5)


def transposed_loops(
    x: Array, weight: Array, strides: Sequence[int], dilations: Sequence[int], groups: int
) -> Array:
    """Every value adds its kernel to the result; the full result, in fp64."""
    rank, window = weight.ndim - 2, weight.shape[2:]
    sizes = [
        (x.shape[2 + i] - 1) * strides[i] + (window[i] - 1) * dilations[i] + 1 for i in range(rank)
    ]
    out = np.zeros((x.shape[0], weight.shape[1] * groups, *sizes))
    inner, outer = x.shape[1] // groups, weight.shape[1]
    for n, c, *at in itertools.product(*(range(v) for v in x.shape)):
        first = c // inner * outer
        for o, *k in itertools.product(*(range(v) for v in weight.shape[1:])):
            place = [at[i] * strides[i] + k[i] * dilations[i] for i in range(rank)]
            out[(n, first + o, *place)] += float(x[(n, c, *at)]) * float(weight[(c, o, *k)])
    return out


def cut(full: Array, starts: Sequence[int], sizes: Sequence[int]) -> Array:
    """``sizes`` elements from ``starts``; zeros beyond the end."""
    for axis, (start, size) in enumerate(zip(starts, sizes, strict=True), start=2):
        missing = [(0, 0)] * full.ndim
        missing[axis] = (0, max(0, start + size - full.shape[axis]))
        full = np.pad(full, missing).take(range(start, start + size), axis)
    return full


TRANSPOSED: list[tuple[int, dict[str, Any], tuple[int, ...]]] = [
    (1, {}, (3,)),
    (1, {"strides": (3,), "pad_type": "custom", "pad": (2, 0)}, (4,)),
    (1, {"strides": (3,), "pad_type": "same"}, (2,)),
    (1, {"strides": (2,), "pad_type": "same", "dilations": (2,)}, (4,)),
    (2, {"strides": (2, 1), "groups": 2}, (3, 2)),
    (2, {"strides": (2, 3), "pad_type": "custom", "pad": (1, 0, 2, 3), "groups": 4}, (3, 4)),
    (2, {"strides": (2, 2), "pad_type": "same"}, (3, 3)),
    (2, {"strides": (3, 1), "pad_type": "same", "dilations": (1, 2)}, (2, 2)),
    (2, {"strides": (2, 2), "pad_type": "same", "output_shape": (2, 6, 9, 11)}, (3, 4)),
    (2, {"strides": (2, 2), "output_shape": (2, 6, 12, 9)}, (3, 2)),
    (2, {"strides": (2, 2), "pad_type": "custom", "pad": (1, 1, 0, 1),
         "output_shape": (2, 6, 10, 13)}, (3, 3)),
    (3, {"strides": (2, 1, 2), "dilations": (1, 2, 1)}, (2, 2, 3)),
    (3, {"strides": (2, 2, 2), "pad_type": "same", "groups": 2}, (3, 1, 2)),
    (3, {"pad_type": "custom", "pad": (0, 1, 1, 0, 1, 1)}, (2, 2, 3)),
]  # fmt: skip


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("computed", [False, True], ids=["constant", "computed"])
@pytest.mark.parametrize(("rank", "options", "window"), TRANSPOSED)
def test_conv_transpose(
    rank: int, options: dict[str, Any], window: tuple[int, ...], computed: bool, biased: bool
) -> None:
    x, groups = IMAGES[rank], options.get("groups", 1)
    weight, bias = floats(4, 6 // groups if groups < 4 else 1, *window), floats(6)
    bias = bias[: weight.shape[1] * groups]
    strides, dilations = (options.get(name, (1,) * rank) for name in ("strides", "dilations"))
    full = transposed_loops(x, weight, strides, dilations, groups)
    asked = options.get("output_shape", ())[2:]
    if options.get("pad_type") == "same":
        sizes = asked or [n * s for n, s in zip(x.shape[2:], strides, strict=True)]
        starts = [max(0, a - b) // 2 for a, b in zip(full.shape[2:], sizes, strict=True)]
    else:
        pad = options.get("pad", (0,) * 2 * rank)
        starts = pad[::2]
        ends = [n - a - b for n, a, b in zip(full.shape[2:], starts, pad[1::2], strict=True)]
        sizes = asked or ends
    wanted = cut(full, starts, sizes)
    inputs = {"x": x, "weight": weight if computed else constant(weight), **options}
    if biased:
        inputs["bias"] = bias if computed else constant(bias)
        wanted = wanted + bias.reshape(-1, *(1,) * rank)
    check_mil("conv_transpose", inputs, wanted, atol=1e-5)


def test_conv_transpose_is_the_gradient_of_conv() -> None:
    """The specification says so; same padding, stride 2, an odd row of surplus."""
    x, weight = IMAGES[2], floats(4, 3, 3, 3)
    image = torch.zeros(2, 3, 10, 12, requires_grad=True)
    padded = torch.nn.functional.pad(image, (0, 1, 0, 1))
    made = torch.nn.functional.conv2d(padded, torch.from_numpy(weight), stride=2)
    (gradient,) = torch.autograd.grad(made, image, torch.from_numpy(x))
    inputs = {"x": x, "weight": constant(weight), "strides": (2, 2), "pad_type": "same"}
    check_mil("conv_transpose", inputs, gradient.numpy(), atol=1e-5)


@pytest.mark.parametrize("per_output", [False, True])
def test_conv_quantized(per_output: bool) -> None:
    x, weight = IMAGES[2], RNG.integers(0, 256, (8, 2, 2, 3)).astype(np.uint8)
    scale, shift = RNG.random((2, 8 if per_output else 1)).astype(np.float32)
    real = weight * scale.reshape(-1, 1, 1, 1) + shift.reshape(-1, 1, 1, 1)
    wanted = conv_loops(x, real, np.zeros(8), [(1, 0), (0, 2)], (1, 2), (1, 1), 2)
    inputs = {
        "x": x, "weight": constant(weight), "quantization_type": "linear", "groups": 2,
        "quant_scale": constant(scale), "quant_bias": constant(shift), "strides": (1, 2),
        "pad_type": "custom", "pad": (1, 0, 0, 2),
    }  # fmt: skip
    check_mil("conv_quantized", inputs, wanted, rtol=1e-4, atol=1e-3)


QUANTIZED = {"weight": constant(np.ones((1, 4, 1, 1), np.uint8)), "quantization_type": "linear",
             "quant_scale": 1.0, "quant_bias": 0.0}  # fmt: skip


ONES = constant(np.ones((4, 1, 1, 1), np.float32))


@pytest.mark.parametrize(
    ("operation", "inputs", "error", "message"),
    [
        ("conv", {"weight": ONES[0, 0]}, ArtefactError, "kernel of shape"),
        ("conv", {"weight": ONES, "pad_type": "full"}, ArtefactError, "pad_type 'full'"),
        ("conv", {"weight": ONES, "strides": (1,)}, ArtefactError, "strides"),
        ("conv", {"weight": ONES, "dilations": (0, 1)}, ArtefactError, "dilations"),
        ("conv", {"weight": ONES, "pad_type": "custom", "pad": (1, 1)}, ArtefactError, "pad "),
        ("conv_transpose", {"weight": ONES, "pad_type": "same_lower"}, ArtefactError, "same_lower"),
        ("conv_transpose", {"weight": ONES, "output_shape": (1, 1, 9)}, ArtefactError, "output_s"),
        ("conv_transpose", {"weight": ONES, "strides": (1 << 15, 1 << 15)}, ArtefactError, "large"),
        ("conv_transpose", {"weight": ONES, "bias": constant(np.ones(4, np.float32))},
         ArtefactError, "4. biases of 1"),
        ("conv_quantized", QUANTIZED | {"quantization_type": "lut"},
         UnsupportedOperation, "linear"),
        ("conv_quantized", QUANTIZED | {"bias": constant(np.ones(1, np.uint8))},
         UnsupportedOperation, "bias"),
    ],
)  # fmt: skip
def test_refused(
    operation: str, inputs: dict[str, Any], error: type[Exception], message: str
) -> None:
    program, feeds = mil_program(operation, {"x": IMAGES[2], **inputs})
    with pytest.raises(error, match=message):
        program.run(feeds)


def test_a_half_precision_convolution_saturates() -> None:
    x = np.full((1, 1, 1, 1), 300, np.float16)
    weight = constant(np.full((1, 1, 1, 1), 300, np.float16))
    for operation in ("conv", "conv_transpose"):
        result = run_mil(operation, {"x": x, "weight": weight}, outputs=("fp16",))
        assert np.isposinf(result).all()


def test_an_empty_batch() -> None:
    x = np.zeros((0, 4, 5, 6), np.float32)
    assert run_mil("conv", {"x": x, "weight": constant(floats(3, 4, 2, 2))}).shape == (0, 3, 4, 5)
    inputs = {"x": x, "weight": constant(floats(4, 3, 2, 2)), "strides": (2, 2)}
    assert run_mil("conv_transpose", inputs).shape == (0, 3, 10, 12)


def test_what_the_fast_engine_leaves_to_the_reference_engine() -> None:
    for operation, inputs in [
        ("conv_transpose", {"weight": ONES, "pad_type": "same_lower"}),
        ("conv", {"weight": ONES, "pad_type": "full"}),
        ("conv_quantized", QUANTIZED | {"quantization_type": "lut"}),
    ]:
        program, _ = mil_program(operation, {"x": IMAGES[2], **inputs})
        with pytest.raises(NotLowered, match=operation):
            lower(program.graph)
