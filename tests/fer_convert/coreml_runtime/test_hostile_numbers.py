"""Numbers in a file that would end the process or fill the memory: one clear error each."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime import ArtefactError, ExecutionFailed, load
from fer_convert.coreml_runtime.element_types import TYPES
from fer_convert.coreml_runtime.fast.lower import NotLowered, lower
from fer_convert.coreml_runtime.fast.onnx_builder import Builder
from fer_convert.coreml_runtime.graph import Value
from fer_convert.coreml_runtime.read.proto import proto_module
from tests.fer_convert.coreml_runtime.damaged_files import edit_block
from tests.fer_convert.coreml_runtime.one_operation import constant, layer_program, mil_program


@pytest.mark.parametrize("size", [(1 << 64) - 2, 1 << 41])
def test_a_result_of_an_impossible_shape(package: Path, size: int) -> None:
    """Found by benchmarks/fuzz_coreml.py: the fast engine handed the number on to ONNX."""

    def edit(block: Any) -> None:
        operation = next(o for o in block.operations if o.type != "const")
        operation.outputs[0].type.tensorType.dimensions[0].constant.size = size

    edit_block(package, edit)
    with pytest.raises(ArtefactError, match="declares the impossible shape"):
        load(package)


def convolution(**fields: Any) -> Callable[[Any], None]:
    def fill(layer: Any) -> None:
        params = layer.convolution
        params.outputChannels = params.kernelChannels = params.nGroups = 1
        params.kernelSize.extend([2, 2])
        params.weights.floatValue.extend([1.0] * 4)
        padding = params.valid.paddingAmounts
        for name, value in fields.items():
            if name == "border":
                for _ in range(2):
                    padding.borderAmounts.add(startEdgeSize=value, endEdgeSize=value)
            elif isinstance(value, list):
                getattr(params, name).extend(value)
            else:
                setattr(params, name, value)
        params.valid.SetInParent()

    return fill


def blocks(mode: int) -> Callable[[Any], None]:
    def fill(layer: Any) -> None:
        layer.reorganizeData.mode, layer.reorganizeData.blockSize = mode, 1 << 32

    return fill


@pytest.mark.parametrize(
    "fill",
    [
        convolution(stride=[1, 1 << 32]),
        convolution(dilationFactor=[1 << 63, 1]),
        convolution(border=(1 << 62)),
        convolution(stride=[1, 1 << 32], isDeconvolution=True),
        convolution(stride=[1 << 20, 1 << 20], isDeconvolution=True),
        *(blocks(mode) for mode in range(3)),
    ],
)
def test_numbers_that_trap(fill: Callable[[Any], None]) -> None:
    """Each made torch divide by zero or leave its memory: the end of the process, not an error."""
    program, feeds = layer_program(fill, np.ones((1, 1, 2, 2), np.float32))
    with pytest.raises(ArtefactError, match="'layer'"):
        program.run(feeds)
    with contextlib.suppress(ArtefactError):  # onnxruntime can answer some
        assert program.predict(feeds)["out0"].size == 1


@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_a_value_that_would_fill_the_memory(engine: Any) -> None:
    """A few bytes of a file ask for 8 GiB: refused before any is taken."""
    program, feeds = mil_program(
        "range_1d", {"start": 0, "end": np.array([1 << 30], np.int32)[0], "step": constant(1)},
        outputs=("int32",),
    )  # fmt: skip
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ArtefactError, match=r"too large|onnxruntime failed|a value so large"):
        program.predict(feeds, engine=engine, precision="fp32")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500 << 10  # KiB


def test_a_length_that_only_the_run_tells() -> None:
    """onnxruntime itself must stop: nothing before it knows how long the range becomes."""
    end = np.array(1 << 30, np.int32)
    program, feeds = mil_program(
        "range_1d", {"start": 0, "end": end, "step": constant(1)}, outputs=("int32",)
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ExecutionFailed, match="onnxruntime failed"):
        program.predict(feeds, engine="fast")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500 << 10  # KiB


def test_outputs_that_do_not_fit(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fer_convert.coreml_runtime import program

    def fail(*values: Any, **options: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(program, "answer_of", fail)
    with pytest.raises(ExecutionFailed, match="do not fit in memory"):
        load(package).predict({"image": np.zeros((16, 16, 3), np.uint8)})


def declared(*shape: int) -> Any:
    """An input of ``shape`` that takes no memory."""
    return np.broadcast_to(np.float32(0), shape)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("slice_update", {"x": declared(1 << 20, 1 << 20), "update": declared(1, 1),
                          "begin": (0, 0), "end": (1, 1)}),
        ("resize_nearest_neighbor", {"x": declared(1, 1, 4, 6), "target_size_height": 1 << 25,
                                     "target_size_width": 1}),
        ("crop_resize", {"x": declared(1, 1, 4, 6), "boxes": declared(1 << 30, 4)}),
        ("abs", {"x": declared(1 << 30)}),
        ("layer_norm", {"x": declared(2, 3, 4), "axes": (0, 1),
                        "gamma": constant(np.ones(2, np.float32))}),
    ],
)  # fmt: skip
def test_what_a_translation_would_write_out(kind: str, arguments: dict[str, Any]) -> None:
    """The fast engine turns sizes into tables of positions, before anything runs."""
    program, _ = mil_program(kind, arguments)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(NotLowered, match=rf"{kind}|a value so large"):
        lower(program.graph)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500 << 10  # KiB


def chained(steps: int) -> Any:
    """A vector of 2^14, doubled ``steps`` times; each is as long as its predecessor twice."""
    program, _ = mil_program("concat", {"values": [declared(1 << 14)] * 2, "axis": 0})
    (first,) = program.graph.operations
    operations = [first]
    for number in range(steps):
        previous = operations[-1].outputs[0]
        arguments = {**first.arguments, "values": (previous.name, previous.name)}
        output = replace(previous, name=f"longer {number}")
        operations.append(replace(first, arguments=arguments, outputs=(output,)))
    return replace(program.graph, operations=tuple(operations), outputs=(output.name,))


def test_values_of_vectors_are_followed_as_far_as_they_are_short() -> None:
    """ONNX makes an object for each element of a vector that shapes might be computed with: 16
    million took 900 MiB, within the limit of what a value may hold it would have been 20 GB."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (output,) = lower(chained(13)).outputs
    with pytest.raises(NotLowered, match="a value so large"):
        lower(chained(14))
    assert output == "longer 12"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10  # KiB


@pytest.mark.parametrize(("factor", "squared"), [(1 << 4, (9, 4, 25)), (1 << 20, (None,) * 3)])
def test_a_length_that_only_followed_values_tell(factor: int, squared: Any) -> None:
    """What a computed shape makes long is not followed, and is no reason to know less of the rest
    than ONNX knows without."""
    x = Value(name="x", element=TYPES["fp32"], shape=(3, 2, 5))
    builder = Builder([x], ["x"])
    sizes = builder.node("Shape", ["x"])
    many = builder.node("Mul", [sizes, builder.array(np.array(factor, np.int64))])
    first = [builder.array(np.array([place])) for place in (0, 1)]
    long = builder.node(
        "Expand", [builder.array(np.int32([1])), builder.node("Slice", [many, *first])]
    )
    twice = builder.node("Concat", [long, long], axis=0)
    square = builder.node("ConstantOfShape", [builder.node("Mul", [sizes, sizes])])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert builder.shape(square) == squared
    assert [builder.shape(name) for name in (long, twice)] == [(3 * factor,), (6 * factor,)]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10  # KiB


@pytest.mark.parametrize(
    ("kind", "value"),
    [("doubleType", np.zeros((0, 2))), ("int64Type", np.full(2, np.nan)),
     ("int64Type", np.full(1, np.inf))],
)  # fmt: skip
def test_numbers_that_are_none(kind: str, value: Any, save_network: Callable[..., Path]) -> None:
    def copy(network: Any) -> None:
        network.layers.add(name="c", input=["x"], output=["y"]).copy.SetInParent()

    path = save_network(copy, value.shape)
    spec = proto_module("Model_pb2").Model.FromString(path.read_bytes())
    getattr(spec.description.output[0].type, kind).SetInParent()
    path.write_bytes(spec.SerializeToString())
    with pytest.raises(ExecutionFailed, match="'y' is declared"):
        load(path).predict({"x": value.astype(np.float32)})
