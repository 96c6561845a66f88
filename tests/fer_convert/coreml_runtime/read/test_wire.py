"""Specifications parsed without their weights, against protobuf parsing them whole."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_convert.coreml_runtime.read.mapped import map_file
from fer_convert.coreml_runtime.read.proto import proto_module
from fer_convert.coreml_runtime.read.wire import Malformed, Payloads, parse_without_weights

FIELDS = ("floatValue", "float16Value", "rawValue", "int8RawValue")


def model(**values: Any) -> Any:
    """A network of a convolution with the given weights, an inner product and a PReLU."""
    spec = proto_module("Model_pb2").Model()
    spec.specificationVersion = 4
    spec.description.input.add(name="x")
    network = spec.neuralNetworkClassifier
    convolution = network.layers.add(name="conv", input=["x"], output=["y"]).convolution
    convolution.kernelSize.extend([3, 3])
    for field, value in values.items():
        if field == "floatValue":
            convolution.weights.floatValue.extend(value)
        else:
            setattr(convolution.weights, field, value)
    convolution.weights.quantization.numberOfBits = 7
    product = network.layers.add(name="fc", input=["y"], output=["z"]).innerProduct
    product.weights.floatValue.extend([1.0, float("nan"), -0.0])
    product.bias.float16Value = b"abcd"
    network.layers.add(name="act").activation.PReLU.alpha.floatValue.extend([0.5])
    network.stringClassLabels.vector.extend(["one", "two"])
    return spec


def weights_of(spec: Any) -> Iterator[Any]:
    network = spec.neuralNetworkClassifier
    yield network.layers[0].convolution.weights
    yield network.layers[1].innerProduct.weights
    yield network.layers[1].innerProduct.bias
    yield network.layers[2].activation.PReLU.alpha


def parsed(content: bytes, folder: Path) -> tuple[Any, Payloads]:
    path = folder / "model.mlmodel"
    path.write_bytes(content)
    spec = proto_module("Model_pb2").Model()
    return spec, parse_without_weights(spec, map_file(path))


def assert_same_weights(spec: Any, payloads: Payloads, whole: Any) -> None:
    inline = Payloads()
    for found, expected in zip(weights_of(spec), weights_of(whole), strict=True):
        for field in FIELDS:
            seen, wanted = payloads.take(found, field), inline.take(expected, field)
            assert seen.size == wanted.size
            np.testing.assert_array_equal(seen.read(), wanted.read())


@settings(max_examples=50, deadline=None)
@given(
    floats=st.lists(st.floats(width=32), max_size=40),
    half=st.binary(max_size=9),
    raw=st.binary(max_size=300),
)
def test_weights_stay_in_the_file(
    tmp_path_factory: pytest.TempPathFactory, floats: list[float], half: bytes, raw: bytes
) -> None:
    whole = model(floatValue=floats, float16Value=half, rawValue=raw, int8RawValue=raw[:5])
    spec, payloads = parsed(whole.SerializeToString(), tmp_path_factory.mktemp("wire"))
    assert_same_weights(spec, payloads, whole)
    for message in (spec, whole):
        for weights in weights_of(message):
            for field in FIELDS:
                weights.ClearField(field)
    assert spec == whole


def test_the_message_is_small(tmp_path: Path) -> None:
    spec, payloads = parsed(model(rawValue=bytes(1 << 20)).SerializeToString(), tmp_path)
    assert spec.ByteSize() < 1000
    assert payloads.take(next(weights_of(spec)), "rawValue").size == 1 << 20


def test_the_weights_of_models_in_a_pipeline(tmp_path: Path) -> None:
    whole = proto_module("Model_pb2").Model()
    whole.pipeline.models.add().pipeline.models.add().CopyFrom(model(floatValue=[1, 2, 3]))
    spec, payloads = parsed(whole.SerializeToString(), tmp_path)
    inner = [m.pipeline.models[0].pipeline.models[0] for m in (spec, whole)]
    assert_same_weights(inner[0], payloads, inner[1])


def test_floats_in_pieces(tmp_path: Path) -> None:
    """Repeated numbers may come in several packed runs, or one by one."""
    whole = proto_module("NeuralNetwork_pb2").WeightParams()
    content = b"\x0a\x08" + struct.pack("<ff", 1, 2) + b"\x0d" + struct.pack("<f", 3)
    content += b"\x0a\x00" + b"\x0a\x04" + struct.pack("<f", 4)
    whole.ParseFromString(content)
    path = tmp_path / "weights"
    path.write_bytes(content)
    found = proto_module("NeuralNetwork_pb2").WeightParams()
    payloads = parse_without_weights(found, map_file(path))
    assert payloads.take(found, "floatValue").read().view("<f4").tolist() == [1, 2, 3, 4]
    assert list(whole.floatValue) == [1, 2, 3, 4]


def test_every_truncation_and_flipped_byte_is_a_typed_error(tmp_path: Path) -> None:
    content = model(floatValue=[1, 2], rawValue=b"abc").SerializeToString()
    damaged = [content[:n] for n in range(1, len(content))]
    damaged += [
        content[:n] + bytes([255 - content[n]]) + content[n + 1 :] for n in range(len(content))
    ]
    outcomes = set()
    for case in damaged:
        try:
            parsed(case, tmp_path)
            outcomes.add("parsed")
        except (Malformed, DecodeError) as error:
            outcomes.add(type(error).__name__)
    assert "Malformed" in outcomes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x0b", "wire type 3"),
        (b"\xff" * 11, "does not end"),
        (b"\x0a\x7f", "longer than its message"),
        (b"\x0a\x03abc", "3 bytes of floats"),
        (b"\x0a\x00" * ((1 << 18) + 1), "more than 262144 fields"),
    ],
    ids=["group", "number", "length", "floats", "fields"],
)
def test_no_message(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "weights"
    path.write_bytes(content)
    with pytest.raises(Malformed, match=message):
        parse_without_weights(proto_module("NeuralNetwork_pb2").WeightParams(), map_file(path))


def test_nesting_is_bounded(tmp_path: Path) -> None:
    content = b""
    for _ in range(102):  # Model.pipeline.models …
        models = b"\x0a" + _length(content) + content
        content = b"\xd2\x0c" + _length(models) + models
    with pytest.raises(Malformed, match="nested"):
        parsed(content, tmp_path)


def _length(content: bytes) -> bytes:
    size, encoded = len(content), bytearray()
    while size > 0x7F:
        encoded.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*encoded, size])


def test_released_pages_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 256)
    file = map_file(path)
    for part in (file.content, file.content[100:20000], file.content[5:9]):
        before = part.copy()
        file.release(part)
        np.testing.assert_array_equal(part, before)
