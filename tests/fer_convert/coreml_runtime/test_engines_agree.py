"""Random small programs of both formats: the reference engine and the fast engine compute the same.

A program is a chain of operations over a growing pool of values, each reading any earlier ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fer_convert.coreml_runtime.loader import load_saved
from fer_convert.coreml_runtime.program import Program
from fer_convert.coreml_runtime.read.proto import proto_module
from fer_convert.coreml_runtime.read.saved_model import SavedModel

Shape = tuple[int, ...]


SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)


FP32 = 65568


class Writer:
    """A specification under construction: values by name, and their shapes."""

    def __init__(self, shape: Shape) -> None:
        self.spec = proto_module("Model_pb2").Model(specificationVersion=9)
        array = self.spec.description.input.add(name="v0").type.multiArrayType
        array.shape.extend(shape)
        array.dataType = FP32
        self.shapes = {"v0": shape}

    def name(self, shape: Shape) -> str:
        self.shapes[f"v{len(self.shapes)}"] = shape
        return f"v{len(self.shapes) - 1}"

    def load(self) -> Program:
        """Every value is an output, so that the first that differs can be told."""
        for name in list(self.shapes)[1:]:
            output = self.spec.description.output.add(name=name).type.multiArrayType
            output.dataType = FP32
        return load_saved(SavedModel(Path("memory"), Path("memory"), self.spec))


class MilWriter(Writer):
    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        function = self.spec.mlProgram.functions["main"]
        function.opset = "CoreML8"
        self.block = function.block_specializations["CoreML8"]
        _tensor(function.inputs.add(name="v0").type.tensorType, 11, shape)

    def add(self, kind: str, shape: Shape, **bound: Any) -> None:
        """A string starting with ``v`` is an earlier value, a list several; else a literal."""
        operation = self.block.operations.add(type=kind)
        for key, given_value in bound.items():
            for item in given_value if isinstance(given_value, list) else [given_value]:
                binding = operation.inputs[key].arguments.add()
                if isinstance(item, str):
                    binding.name = item
                    continue
                array = np.asarray(item)
                number, field = {"b": (1, "bools"), "i": (23, "ints"), "f": (11, "floats")}[
                    array.dtype.kind
                ]
                _tensor(binding.value.type.tensorType, number, array.shape)
                stored = getattr(binding.value.immediateValue.tensor, field)
                stored.values.extend(array.reshape(-1).tolist())
        name = self.name(shape)
        _tensor(operation.outputs.add(name=name).type.tensorType, 11, shape)
        self.block.outputs.append(name)


class LayerWriter(Writer):
    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        self.spec.specificationVersion = 4
        self.spec.neuralNetwork.arrayInputShapeMapping = 1

    def add(self, kind: str, shape: Shape, *inputs: str, **fields: Any) -> None:
        layer = self.spec.neuralNetwork.layers.add(name=f"layer {len(self.shapes)}", input=inputs)
        params = layer
        for part in kind.split("."):
            params = getattr(params, part)
        params.SetInParent()
        for key, value in fields.items():
            if isinstance(value, list):
                getattr(params, key).extend(value)
            else:
                setattr(params, key, value)
        layer.output.append(self.name(shape))


def _tensor(message: Any, number: int, shape: Shape) -> None:
    message.dataType, message.rank = number, len(shape)
    for size in shape:
        message.dimensions.add().constant.size = size


def reduced(shape: Shape, axis: int) -> Shape:
    return tuple(1 if i == axis else s for i, s in enumerate(shape))


def joined(shape: Shape, axis: int) -> Shape:
    return tuple(2 * s if i == axis else s for i, s in enumerate(shape))


def mil_step(writer: MilWriter, draw: Callable[[Any], Any]) -> None:
    x = draw(st.sampled_from(sorted(writer.shapes)))
    shape = writer.shapes[x]
    axis = draw(st.integers(0, len(shape) - 1))
    pick = draw(st.sampled_from(["unary", "binary", "reduce", "move", "join", "slice", "dense"]))
    if pick == "unary":
        kind = draw(st.sampled_from(["relu", "sigmoid", "tanh", "abs", "sin", "square", "silu",
                                     "softplus", "softsign", "erf"]))  # fmt: skip
        writer.add(kind, shape, x=x)
    elif pick == "binary":
        kind = draw(st.sampled_from(["add", "sub", "mul", "maximum", "minimum"]))
        # Another value of the same shape, one that broadcasts, or a literal.
        fits = [n for n, s in writer.shapes.items() if s == shape]
        literal = np.float32(draw(st.sampled_from([0.5, -2.0])))
        writer.add(kind, shape, x=x, y=draw(st.sampled_from([*fits, literal])))
    elif pick == "reduce":
        kind = draw(st.sampled_from(["reduce_mean", "reduce_sum", "reduce_max", "softmax"]))
        if kind == "softmax":
            writer.add(kind, shape, x=x, axis=axis - len(shape))
        else:
            writer.add(kind, reduced(shape, axis), x=x, axes=[np.int32([axis])], keep_dims=True)
    elif pick == "move":
        order = draw(st.permutations(range(len(shape))))
        writer.add("transpose", tuple(shape[i] for i in order), x=x, perm=[np.int32(order)])
    elif pick == "join":
        writer.add("concat", joined(shape, axis), values=[x, x], axis=axis, interleave=False)
    elif pick == "slice":
        start = draw(st.integers(0, shape[axis] - 1))
        begin = [start if i == axis else 0 for i in range(len(shape))]
        sizes = tuple(s - b for s, b in zip(shape, begin, strict=True))
        writer.add("slice_by_size", sizes, x=x, begin=[np.int32(begin)], size=[np.int32(sizes)])
    else:
        weight = np.linspace(-1, 1, 3 * shape[-1], dtype=np.float32).reshape(3, shape[-1])
        writer.add("linear", (*shape[:-1], 3), x=x, weight=[weight])


def layer_step(writer: LayerWriter, draw: Callable[[Any], Any]) -> None:
    x = draw(st.sampled_from(sorted(writer.shapes)))
    shape = writer.shapes[x]
    axis = draw(st.integers(0, len(shape) - 1))
    pick = draw(st.sampled_from(["unary", "binary", "reduce", "move", "join", "reshape"]))
    if pick == "unary":
        kind = draw(st.sampled_from(["activation.ReLU", "activation.sigmoid", "activation.tanh",
                                     "activation.softplus", "sin", "erf", "gelu"]))  # fmt: skip
        writer.add(kind, shape, x)
    elif pick == "binary":
        kind = draw(st.sampled_from(["addBroadcastable", "multiplyBroadcastable",
                                     "subtractBroadcastable", "maxBroadcastable"]))  # fmt: skip
        fits = [n for n, s in writer.shapes.items() if s == shape]
        writer.add(kind, shape, x, draw(st.sampled_from(fits)))
    elif pick == "reduce":
        kind = draw(st.sampled_from(["reduceMean", "reduceSum", "reduceMax", "softmaxND"]))
        if kind == "softmaxND":
            writer.add(kind, shape, x, axis=axis)
        else:
            writer.add(kind, reduced(shape, axis), x, axes=[axis], keepDims=True)
    elif pick == "move":
        order = draw(st.permutations(range(len(shape))))
        writer.add("transpose", tuple(shape[i] for i in order), x, axes=list(order))
    elif pick == "join":
        writer.add("concatND", joined(shape, axis), x, x, axis=axis)
    else:
        target = draw(st.permutations(shape))
        writer.add("reshapeStatic", tuple(target), x, targetShape=list(target))


def check(writer: Writer, seed: int) -> None:
    program = writer.load()
    shape = writer.shapes["v0"]
    x = np.random.default_rng(seed).uniform(-2, 2, shape).astype(np.float32)
    reference, fast = (
        program.predict({"v0": x}, engine=engine, precision="fp32")
        for engine in ("reference", "fast")
    )
    assert set(reference) == set(fast) == set(writer.shapes) - {"v0"}
    for name, value in reference.items():
        assert value.shape == fast[name].shape == writer.shapes[name]
        scale = float(np.abs(value).max())
        assume(scale < 1e6)  # a chain of products grows without end, and its error with it
        np.testing.assert_allclose(fast[name], value, rtol=1e-4, atol=1e-5 * max(1, scale))


def small(writer: Writer) -> bool:
    return math.prod(list(writer.shapes.values())[-1]) < 2000


@settings(max_examples=80)
@given(st.data(), SHAPES, st.integers(1, 8), st.integers(0, 99))
def test_random_ml_programs(data: st.DataObject, shape: Shape, steps: int, seed: int) -> None:
    writer = MilWriter(shape)
    for _ in range(steps):
        if small(writer):
            mil_step(writer, data.draw)
    check(writer, seed)


@settings(max_examples=80)
@given(st.data(), SHAPES, st.integers(1, 8), st.integers(0, 99))
def test_random_neural_networks(data: st.DataObject, shape: Shape, steps: int, seed: int) -> None:
    writer = LayerWriter(shape)
    for _ in range(steps):
        if small(writer):
            layer_step(writer, data.draw)
    check(writer, seed)
