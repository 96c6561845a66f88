"""What the specification does not allow, although some arithmetic could be made of it: refused by
both engines. Found by benchmarks/fuzz_coreml.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime import ArtefactError
from fer_convert.coreml_runtime.fast import FastEngine, NotLowered, lower
from fer_train.contract.errors import FerError
from tests.fer_convert.coreml_runtime.both_engines import run_layer
from tests.fer_convert.coreml_runtime.layer_filling import (
    borders,
    filling,
    last_pixel,
    nothing,
    triple,
    valid,
)
from tests.fer_convert.coreml_runtime.one_operation import constant, layer_program, mil_program

RNG = np.random.default_rng(5)


X = RNG.normal(size=(2, 4, 7, 6)).astype(np.float32)


def refused(program: Any, feeds: Mapping[str, Any], message: str) -> None:
    """By the reference engine with ``message``, and by the fast engine before anything runs."""
    with pytest.raises(NotLowered):
        lower(program.graph)
    with pytest.raises(ArtefactError, match=message):
        program.predict(feeds)


def test_an_equation_that_is_no_text() -> None:
    computed = mil_program("einsum", {"values": [X, X], "equation": X})
    refused(*computed, "not one constant")
    refused(*mil_program("einsum", {"values": [X, X], "equation": 3}), "not one str")


@pytest.mark.parametrize("size", [9, 1 << 40])
@pytest.mark.parametrize("kind", [0, 1, 2])
@pytest.mark.parametrize(
    "padding",
    [
        {"valid": nothing},
        {"valid": valid((1, 0), (0, 0))},
        {"includeLastPixel": nothing},
        {"includeLastPixel": last_pixel(0, 0)},
    ],
)
def test_a_window_larger_than_its_image(kind: int, size: int, padding: dict[str, Any]) -> None:
    """torch took the lower 32 bits of the size: a window of nothing."""
    fill = filling("pooling", type=kind, kernelSize=[size, 1], **padding)
    refused(*layer_program(fill, X), f"a window of {size}")


@pytest.mark.parametrize("kind", [0, 1])
def test_a_window_larger_than_its_volume(kind: int) -> None:
    fill = filling("pooling3d", type=kind, **triple("kernel", (1, 8, 1)))
    refused(*layer_program(fill, X[None]), "a window of 8 on 7")


@pytest.mark.parametrize("operation", ["max_pool", "avg_pool", "l2_pool"])
@pytest.mark.parametrize("pad_type", ["valid", "custom"])
def test_a_window_larger_than_its_image_in_a_program(operation: str, pad_type: str) -> None:
    window = {"kernel_sizes": (10, 1), "pad_type": pad_type, "pad": (1, 1, 0, 0)}
    refused(*mil_program(operation, {"x": X, **window}), "a window of 10")


CHANNELS = {
    "batch_norm": ("mean", "variance", "gamma", "beta"),
    "instance_norm": ("gamma", "beta"),
    "prelu": ("alpha",),
    "softplus_parametric": ("alpha", "beta"),
}


@pytest.mark.parametrize(
    ("operation", "odd"), [(kind, name) for kind, names in CHANNELS.items() for name in names]
)
@pytest.mark.parametrize("shape", [(), (1,), (5,), (4, 1)])
def test_a_number_for_each_channel(operation: str, odd: str, shape: tuple[int, ...]) -> None:
    """One for all of them was broadcast by the reference engine; onnxruntime takes none."""
    vectors = {name: constant(np.full(4, 0.5, np.float32)) for name in CHANNELS[operation]}
    mil_program(operation, {"x": X, **vectors})[0].predict({"x": X}, engine="fast")
    vectors[odd] = constant(np.full(shape, 0.5, np.float32))
    refused(*mil_program(operation, {"x": X, **vectors}), "for the channels of")


ONE = np.ones(1, np.float32)


IMAGE_LAYERS: dict[str, dict[str, Any]] = {
    "batchnorm": {"channels": 1, "gamma": ONE, "beta": ONE, "mean": ONE, "variance": ONE},
    "bias": {"shape": [1], "bias": ONE},
    "crop": {"cropAmounts": borders((0, 0), (1, 0))},
    "flatten": {},
    "l2normalize": {},
    "lrn": {"localSize": 1, "alpha": 0.5, "beta": 0.75},
    "mvn": {},
    "reorganizeData": {"mode": 0, "blockSize": 1},
    "resizeBilinear": {"targetSize": [3, 3]},
    "scale": {"shapeScale": [1], "scale": ONE},
    "softmax": {},
    "split": {"nOutputs": 1},
    "upsample": {"scalingFactor": [2, 2]},
    "activation.PReLU": {"alpha": ONE},
    "activation.parametricSoftplus": {"alpha": ONE, "beta": ONE},
}


def test_layers_of_images_need_three_dimensions() -> None:
    """A scale of [1] was broadcast, to [7, 6] by one engine and to [1, 7, 6] by the other."""
    for name, fields in IMAGE_LAYERS.items():
        kind, _, part = name.partition(".")
        fill = filling(kind, **{f"{part}__{k}" if part else k: v for k, v in fields.items()})
        program, feeds = layer_program(fill, X[:1, 0])
        expected = program.run(feeds)["out0"]
        np.testing.assert_allclose(FastEngine(program.graph).run(feeds)["out0"], expected, 1e-5)
        for x in (X[0, 0], X[0, 0, 0]):
            refused(*layer_program(fill, x), f"has rank {x.ndim}, 3 or more")


@pytest.mark.parametrize("kind", ["constant", "reflection", "replication"])
def test_edges_need_a_height_and_a_width(kind: str) -> None:
    fill = filling("padding", **{kind: nothing, "paddingAmounts": borders((0, 0), (1, 0))})
    mode: Any = {"constant": "constant", "reflection": "reflect", "replication": "edge"}[kind]
    for x in (X, X[0], X[0, 0]):
        wanted = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(1, 0)], mode=mode)
        np.testing.assert_array_equal(run_layer(fill, x), wanted)
    refused(*layer_program(fill, X[0, 0, 0]), "has rank 1, 2 or more")


@pytest.mark.parametrize(("axes", "x"), [([0, -1], X[0, 0, :, :1]), ([0, -1], X[0, 0, 0, :1])])
def test_axes_that_cannot_be_removed(axes: list[int], x: Any) -> None:
    """One axis stays, but not because it is no axis to remove."""
    refused(*layer_program(filling("squeeze", axes=axes), x), "not all 1|multiple times")


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("shape", [(3, 4, 1, 1), (3, 2, 3, 3), (1, 4, 3, 3), (4, 4, 3, 3)])
def test_computed_weights_of_another_shape(transposed: bool, shape: tuple[int, ...]) -> None:
    """The reference engine took the kernel's size from the weights, onnxruntime from the layer."""
    wanted = (4, 3, 3, 3) if transposed else (3, 4, 3, 3)
    fill = filling(
        "convolution", outputChannels=3, kernelChannels=4, isDeconvolution=transposed, valid=nothing
    )
    program, feeds = layer_program(fill, X, np.ones(wanted, np.float32))
    expected = program.run(feeds)["out0"]
    np.testing.assert_allclose(FastEngine(program.graph).run(feeds)["out0"], expected, 1e-5)
    refused(*layer_program(fill, X, np.ones(shape, np.float32)), "weights .*, not")


@pytest.mark.parametrize("odd", [[1, 1], []])
@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("rangeDynamic", [], []),
        ("rangeDynamic", [[9]], [[1]]),
        ("rangeDynamic", [[9], [0]], []),
        ("cumSum", [X], []),
        ("topK", [X], []),
    ],
)
def test_several_numbers_where_a_layer_takes_one(
    kind: str, before: list[Any], after: list[Any], odd: list[float]
) -> None:
    """The reference engine took the first."""
    arrays = [np.array(value, np.float32) for value in (*before, odd, *after)]
    outputs = 2 if kind == "topK" else 1
    program, feeds = layer_program(filling(kind), *arrays, outputs=outputs)
    refused(program, feeds, "where one number is needed")


@pytest.mark.parametrize(
    ("kind", "fields", "arrays"),
    [
        ("sliceDynamic", {"endIds": [2, 4]}, [X[0, 0], [[0], [0]]]),
        ("sliceDynamic", {}, [X[0, 0], [0, 0], [[1, 1]]]),
        ("sliceBySize", {"size": 1}, [X, [[1]]]),
        ("reverseSeq", {"batchAxis": 0, "sequenceAxis": 1}, [X, [[1], [2]]]),
        ("reshapeDynamic", {}, [X, [[2, -1]]]),
        ("broadcastToDynamic", {}, [X[:1, :1, 0, 0], [[1, 1]]]),
        ("fillDynamic", {}, [[[2, 3]]]),
    ],
)
def test_arrays_where_a_layer_takes_a_vector(
    kind: str, fields: dict[str, Any], arrays: list[Any]
) -> None:
    """The reference engine read one row after another."""
    given = [np.array(array, np.float32) for array in arrays]
    refused(*layer_program(filling(kind, **fields), *given), "where a vector is needed")


@pytest.mark.parametrize("kind", [0, 1])
def test_a_mean_of_nothing(kind: int) -> None:
    program, feeds = layer_program(filling("globalPooling3d", type=kind), X[None, :, :, :0])
    for engine in ("reference", "auto"):
        with pytest.raises(FerError, match=r"no elements|onnxruntime"):
            program.predict(feeds, engine=engine)


@pytest.mark.parametrize("pad", [(4, 5, 0, 0), (20, 20, 0, 0)])
def test_a_transposed_convolution_that_is_cropped_away(pad: tuple[int, ...]) -> None:
    values = {"x": X, "weight": RNG.normal(size=(4, 3, 3, 3)).astype(np.float32)}
    program, feeds = mil_program("conv_transpose", values | {"pad_type": "custom", "pad": pad})
    for engine in ("reference", "auto"):
        with pytest.raises(FerError, match=r"no elements|onnxruntime"):
            program.predict(feeds, engine=engine)
