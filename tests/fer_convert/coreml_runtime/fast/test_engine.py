"""The fast engine against the reference engine, which shares no code with it, on the same files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from fer_convert.coreml_runtime import Program, load_program
from fer_convert.coreml_runtime.errors import ArtefactError, ExecutionFailed
from fer_convert.coreml_runtime.fast import MIL, FastEngine, NotLowered, lower
from fer_convert.coreml_runtime.fast.onnx_builder import INLINE_BYTES
from fer_convert.coreml_runtime.graph import Constant
from fer_convert.coreml_runtime.reference.mil import MIL as REFERENCE_MIL
from tests.fer_convert.coreml_runtime.both_engines import run_both
from tests.fer_convert.coreml_runtime.one_operation import constant, mil_program

RNG = np.random.default_rng(11)


def floats(*shape: int) -> np.ndarray[Any, Any]:
    return RNG.normal(size=shape).astype(np.float32)


def ints(*values: Any) -> np.ndarray[Any, Any]:
    return np.array(values, np.int32)


X = floats(2, 4, 7, 6)


POSITIVE = np.abs(X) + 0.1


SMALL = np.clip(X / 4, -0.9, 0.9)


INTEGERS = RNG.integers(-9, 9, (3, 4)).astype(np.int32)


TRUTH = INTEGERS > 0


WEIGHT = constant(floats(8, 4, 3, 2))


BIAS = constant(floats(8))


WINDOW = {"kernel_sizes": (3, 2), "strides": (2, 3)}


FOUR = constant(np.abs(floats(4)) + 0.5)


CASES: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    *(
        ("conv", {"x": X, "weight": WEIGHT, "bias": BIAS, "strides": s, "pad_type": p}, ("fp32",))
        for s in [(1, 1), (2, 3)]
        for p in ["valid", "same", "same_lower"]
    ),
    (
        "conv",
        {
            "x": X, "weight": constant(floats(4, 2, 2, 2)), "groups": 2, "dilations": (2, 1),
            "pad_type": "custom", "pad": (1, 0, 2, 3),
        },
        ("fp32",),
    ),
    ("conv", {"x": floats(1, 2, 9), "weight": constant(floats(3, 2, 4))}, ("fp32",)),
    *(
        ("max_pool", {"x": X, **WINDOW, "pad_type": p, "pad": pad, "ceil_mode": c}, ("fp32",))
        for p, pad in [("valid", (0, 0, 0, 0)), ("custom", (1, 0, 0, 1)), ("custom", (1, 2, 1, 1))]
        for c in [False, True]
    ),
    *(
        (
            "avg_pool",
            {
                "x": X, **WINDOW, "pad_type": p, "pad": pad, "ceil_mode": c,
                "exclude_padding_from_average": e,
            },
            ("fp32",),
        )
        for p, pad in [("valid", (0, 0, 0, 0)), ("custom", (1, 0, 0, 1)), ("same", (0, 0, 0, 0))]
        for c in [False, True]
        if not (c and p == "same")
        for e in [False, True]
    ),
    (
        "batch_norm",
        {"x": X, "mean": constant(floats(4)), "variance": FOUR, "gamma": FOUR, "epsilon": 1e-3},
        ("fp32",),
    ),
    ("batch_norm", {"x": X, "mean": FOUR, "variance": FOUR}, ("fp32",)),
    ("linear", {"x": X[0, 0], "weight": constant(floats(5, 6)), "bias": constant(floats(5))},
     ("fp32",)),
    ("linear", {"x": X, "weight": constant(floats(5, 6))}, ("fp32",)),
    ("matmul", {"x": X, "y": floats(2, 4, 7, 3), "transpose_x": True}, ("fp32",)),
    ("matmul", {"x": X, "y": constant(floats(9, 6)), "transpose_y": True}, ("fp32",)),
    *((name, {"x": X}, ("fp32",)) for name in [
        "abs", "atan", "ceil", "cos", "cosh", "erf", "exp", "exp2", "floor", "gelu", "relu",
        "relu6", "round", "sigmoid", "sign", "silu", "sin", "sinh", "softmax", "softplus",
        "softsign", "square", "tanh", "identity",
    ]),
    *((name, {"x": SMALL}, ("fp32",)) for name in ["acos", "asin", "atanh", "tan"]),
    *((name, {"x": POSITIVE}, ("fp32",)) for name in ["inverse", "log", "rsqrt", "sqrt"]),
    *((("gelu", {"x": X, "mode": f"{m}_APPROXIMATION"}, ("fp32",))) for m in ["TANH", "SIGMOID"]),
    *((name, {"x": X, "alpha": 0.3}, ("fp32",)) for name in [
        "elu", "leaky_relu", "thresholded_relu",
    ]),
    *((name, {"x": X, "alpha": 0.3, "beta": 0.7}, ("fp32",)) for name in [
        "clip", "linear_activation", "scaled_tanh", "sigmoid_hard", "clamped_relu",
    ]),
    ("prelu", {"x": X, "alpha": FOUR}, ("fp32",)),
    ("threshold", {"x": X, "alpha": 0.2}, ("fp32",)),
    ("softmax", {"x": X, "axis": 1}, ("fp32",)),
    *(
        (name, {"x": X, "y": y}, ("fp32",))
        for name in ["add", "sub", "mul", "real_div", "maximum", "minimum", "floor_div", "mod"]
        for y in [floats(4, 1, 6) + 3, constant(floats(6)), 0.5]
    ),
    ("pow", {"x": POSITIVE, "y": 1.7}, ("fp32",)),
    *((name, {"x": INTEGERS, "y": 4}, ("int32",)) for name in ["add", "mul", "floor_div", "mod"]),
    ("floor_div", {"x": INTEGERS, "y": -3}, ("int32",)),
    *((name, {"x": INTEGERS, "y": 2}, ("bool",)) for name in [
        "equal", "not_equal", "greater", "greater_equal", "less", "less_equal",
    ]),
    *((f"logical_{name}", {"x": TRUTH, "y": TRUTH[::-1].copy()}, ("bool",)) for name in [
        "and", "or", "xor",
    ]),
    ("logical_not", {"x": TRUTH}, ("bool",)),
    ("select", {"cond": TRUTH, "a": floats(3, 4), "b": 1.0}, ("fp32",)),
    *(("cast", {"x": 300 * X, "dtype": d}, (d,)) for d in ["int32", "uint8", "int8", "bool"]),
    ("cast", {"x": TRUTH, "dtype": "fp32"}, ("fp32",)),
    *(
        (f"reduce_{name}", {"x": POSITIVE, "axes": axes, "keep_dims": keep}, ("fp32",))
        for name in [
            "sum", "mean", "max", "min", "prod", "l1_norm", "l2_norm", "log_sum", "log_sum_exp",
            "sum_square",
        ]
        for axes, keep in [((2, 3), True), ((-1, 2), False), ((1,), False)]
    ),
    ("reduce_mean", {"x": X}, ("fp32",)),
    *((f"reduce_arg{name}", {"x": X, "axis": 2}, ("int32",)) for name in ["max", "min"]),
    ("cumsum", {"x": X, "axis": 1, "exclusive": True, "reverse": True}, ("fp32",)),
    ("topk", {"x": X, "k": 3, "axis": 2, "ascending": True}, ("fp32", "int32")),
    ("concat", {"values": [X, floats(2, 3, 7, 6)], "axis": 1}, ("fp32",)),
    *(
        ("concat", {"values": [X, X + 1, X], "axis": axis, "interleave": True}, ("fp32",))
        for axis in (1, -1)
    ),
    ("stack", {"values": [X, X + 1], "axis": -1}, ("fp32",)),
    ("reshape", {"x": X, "shape": (0, -1, 3)}, ("fp32",)),
    ("reshape", {"x": X, "shape": ints(2, 14, 12)}, ("fp32",)),
    ("transpose", {"x": X, "perm": (0, 3, -3, 2)}, ("fp32",)),
    ("expand_dims", {"x": X, "axes": (0, -1)}, ("fp32",)),
    ("squeeze", {"x": X[:1, :, :1], "axes": (0,)}, ("fp32",)),
    ("squeeze", {"x": X[:1, :, :1]}, ("fp32",)),
    (
        "slice_by_index",
        {
            "x": X, "begin": (1, -2, 5, 0), "end": (0, 4, 0, 5), "stride": (1, 1, -2, 2),
            "squeeze_mask": (True, False, False, False), "end_mask": (False, False, True, False),
        },
        ("fp32",),
    ),
    (
        "slice_by_index",
        {
            "x": X, "begin": ints(-1, 1, 0, 2), "end": ints(0, 3, 4, 5),
            "squeeze_mask": (True, False, False, False), "begin_mask": (False, True, False, False),
        },
        ("fp32",),
    ),
    ("slice_by_size", {"x": X, "begin": ints(0, 1, 2, 3), "size": (1, 2, -1, 3)}, ("fp32",)),
    ("split", {"x": X, "axis": 1, "num_splits": 2}, ("fp32", "fp32")),
    ("split", {"x": X, "axis": -1, "split_sizes": (1, 5)}, ("fp32", "fp32")),
    ("tile", {"x": X, "reps": (1, 2, 1, 3)}, ("fp32",)),
    ("reverse", {"x": X, "axes": (1, -1)}, ("fp32",)),
    *(
        ("pad", {"x": X, "pad": (1, 2, 0, 3), "mode": m, "constant_val": 1.5}, ("fp32",))
        for m in ["constant", "reflect", "replicate"]
    ),
    ("gather", {"x": X, "indices": ints([0, -1], [2, 1]), "axis": 1}, ("fp32",)),
    ("gather_nd", {"x": X, "indices": ints([0, 1], [1, -1])}, ("fp32",)),
    *(
        (
            "scatter",
            {"data": X, "indices": ints(3, 1), "updates": floats(2, 2, 7, 6), "axis": 1, "mode": m},
            ("fp32",),
        )
        for m in ["update", "add", "sub", "mul", "div", "max", "min"]
    ),
    ("shape", {"x": X}, ("int32",)),
    ("fill", {"shape": ints(2, 3), "value": 1.5}, ("fp32",)),
    ("fill_like", {"ref_tensor": X, "value": 7}, ("int32",)),
    ("range_1d", {"start": 2, "end": 11, "step": 3}, ("int32",)),
    ("non_zero", {"x": INTEGERS}, ("int32",)),
    ("band_part", {"x": X, "lower": 1, "upper": 2}, ("fp32",)),
    ("layer_norm", {"x": X, "axes": (-1,), "gamma": constant(floats(6))}, ("fp32",)),
    ("layer_norm", {"x": X, "axes": (2, 3), "epsilon": 0.1}, ("fp32",)),
    ("instance_norm", {"x": X, "gamma": FOUR}, ("fp32",)),
    ("einsum", {"values": [X, floats(2, 6, 7, 3)], "equation": "nchw,nwhu->nchu"}, ("fp32",)),
    ("upsample_nearest_neighbor", {"x": X, "scale_factor_height": 2}, ("fp32",)),
    ("pixel_shuffle", {"x": X, "upscale_factor": 2}, ("fp32",)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("operation", "inputs", "outputs"), CASES, ids=[f"{i}-{c[0]}" for i, c in enumerate(CASES)]
)
def test_operation(operation: str, inputs: dict[str, Any], outputs: tuple[str, ...]) -> None:
    program, feeds = mil_program(operation, inputs, outputs=outputs)
    run_both(program, feeds)


def mixed() -> nn.Module:
    """Shortcuts, concatenation, grouped and asymmetric convolutions, ceil mode, gates."""

    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, 8, 3, stride=2)
            self.norm = nn.BatchNorm2d(8)
            self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
            self.depthwise = nn.Conv2d(8, 8, 5, padding=2, groups=8)
            self.gate = nn.Conv2d(8, 8, 1)
            self.head = nn.Linear(16, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.pool(torch.relu(self.norm(self.first(x / 127.5 - 1))))
            y = nn.functional.silu(self.depthwise(x)) + x
            y = y * torch.sigmoid(self.gate(y.mean((2, 3), keepdim=True)))
            y = torch.cat([nn.functional.hardswish(y), x], 1)
            return torch.softmax(self.head(nn.functional.adaptive_avg_pool2d(y, 1).flatten(1)), 1)

    torch.manual_seed(2)
    network = Mixed()
    with torch.no_grad():
        network.head.weight.mul_(5)
    return network.eval()


@pytest.fixture(scope="module", params=["nn", "fp32", "fp16"])
def saved(request: pytest.FixtureRequest, convert: Callable[..., Path]) -> Program:
    return load_program(convert(mixed(), 30, request.param))


def test_whole_network(saved: Program) -> None:
    picture = RNG.integers(0, 256, (30, 30, 3), dtype=np.uint8)
    feeds = {"image": picture.transpose(2, 0, 1)[None].astype(np.float32)}
    expected = saved.run({"image": picture}, precision="fp32")
    assert saved.graph.classifier is not None
    scores = FastEngine(saved.graph, threads=2).run(feeds)[saved.graph.classifier.scores]
    np.testing.assert_allclose(scores.ravel(), expected[saved.probabilities_name], atol=1e-6)
    assert np.ptp(scores) > 0.01, "scores that hardly differ would agree with anything"


def test_any_value_can_be_captured(saved: Program) -> None:
    feeds = {"image": RNG.uniform(0, 255, (1, 3, 30, 30)).astype(np.float32)}
    names = [o.name for op in saved.graph.operations for o in op.outputs if not o.inner]
    expected = saved.run(feeds, precision="fp32", capture=names)
    computed = FastEngine(saved.graph).run(feeds, capture=names)
    for name in names:
        np.testing.assert_allclose(computed[name], expected[name], rtol=1e-4, atol=1e-4)


def test_weights_stay_in_the_mapped_file(convert: Callable[..., Path]) -> None:
    """A copy of every weight would double the memory of a big network."""
    graph = load_program(
        convert(nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.Softmax(1)), 8, "fp32")
    ).graph
    constants = [
        operand.read()
        for operation in graph.operations
        for bound in operation.arguments.values()
        for operand in bound
        if isinstance(operand, Constant)
    ]
    weights = [a for a in lower(graph).initialisers.values() if a.nbytes > INLINE_BYTES]
    assert len(weights) == 1
    assert any(np.shares_memory(weights[0], constant) for constant in constants)


def test_all_that_is_missing_is_named() -> None:
    conv = mil_program("conv", {"x": X, "weight": WEIGHT})[0].graph
    power = mil_program("pow", {"x": INTEGERS, "y": 2})[0].graph
    checked = mil_program("cumsum", {"x": np.float32([3]).reshape(())})[0].graph
    # Each operation's only input and output get names of their own.
    operations, inputs = list(conv.operations), list(conv.inputs)
    for number, graph in enumerate((power, checked)):
        operation = graph.operations[-1]
        names = {value.name: f"{value.name}{number}" for value in graph.inputs}
        inputs += [replace(value, name=names[value.name]) for value in graph.inputs]
        bound = {
            key: tuple(names[o] if isinstance(o, str) else o for o in operands)
            for key, operands in operation.arguments.items()
        }
        output = replace(operation.outputs[0], name=f"odd{number}")
        operations.append(replace(operation, arguments=bound, outputs=(output,)))
    odd = replace(conv, inputs=tuple(inputs), operations=tuple(operations))
    with pytest.raises(NotLowered) as raised:
        lower(odd)
    assert raised.value.missing == (
        "pow with integers",
        "cumsum with a scalar",
    )

    unknown = [replace(op, type=f"no_{op.type}") for op in operations[1:]]
    with pytest.raises(NotLowered, match="lacks no_cumsum, no_pow"):
        lower(replace(odd, operations=(operations[0], *unknown)))


def test_a_wrong_feed_is_an_error_of_the_runtime() -> None:
    program, _ = mil_program("conv", {"x": X, "weight": WEIGHT})
    with pytest.raises(ExecutionFailed, match="onnxruntime failed"):
        FastEngine(program.graph, threads=1).run({"x": X[:, :3]})


def test_a_concat_of_nothing_is_left_to_the_reference_engine() -> None:
    """ONNX's shape inference has no answer to it; found by benchmarks/fuzz_coreml.py."""
    program, feeds = mil_program("concat", {"values": [X, X], "axis": 1})
    (operation,) = program.graph.operations
    empty = replace(operation, arguments={**operation.arguments, "values": ()})
    with pytest.raises(NotLowered, match="shapes that ONNX refuses"):
        lower(replace(program.graph, operations=(empty,)))
    program.graph = replace(program.graph, operations=(empty,))
    with pytest.raises(ArtefactError, match="'values' is missing"):
        program.predict(feeds)


def test_nothing_is_fast_only() -> None:
    """What the reference engine lacks is refused before the fast engine is asked."""
    assert set(MIL) <= set(REFERENCE_MIL.functions)
