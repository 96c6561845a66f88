"""Reading NeuralNetworks: quantised weights, integer labels, outputs that are not arrays."""

# ruff: noqa: E501 - one case per line reads better

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_convert.coreml_runtime import ArtefactError, UnsupportedOperation
from fer_convert.coreml_runtime.loader import load_saved
from fer_convert.coreml_runtime.program import Program
from fer_convert.coreml_runtime.read.proto import proto_module
from fer_convert.coreml_runtime.read.saved_model import SavedModel

Array = NDArray[Any]


BITS = range(1, 9)


SHAPE = (5, 3, 3, 3)  # 135 elements: no number of bits below 8 fills the last byte


def loaded(spec: Any) -> Program:
    return load_saved(SavedModel(Path("memory"), Path("memory"), spec))


def network(kind: str, shape: tuple[int, ...] = (4,)) -> tuple[Any, Any]:
    """A specification with one array input ``x``, and its network, still without layers."""
    spec = proto_module("Model_pb2").Model()
    spec.specificationVersion = 4
    declared = spec.description.input.add(name="x").type.multiArrayType
    declared.shape.extend(shape)
    declared.dataType = 65568
    getattr(spec, kind).arrayInputShapeMapping = 1
    return spec, getattr(spec, kind)


def add_copy(net: Any) -> None:
    layer = net.layers.add(name="copy", input=["x"], output=["y"])
    layer.copy.SetInParent()


def packed(codes: Array, bits: int) -> bytes:
    """The bit stream, written as text."""
    text = "".join(format(int(code), f"0{bits}b") for code in codes.reshape(-1))
    text += "0" * (-len(text) % 8)
    return bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))


def convolution(bits: int, codes: Array, *, transposed: bool = False) -> tuple[Any, Any]:
    """A specification with a quantised convolution of 3 channels to 5, and its weights."""
    spec, net = network("neuralNetwork", (1, 3, 3, 3))
    params = net.layers.add(name="conv", input=["x"], output=["y"]).convolution
    params.outputChannels, params.kernelChannels, params.nGroups = 5, 3, 1
    params.kernelSize.extend([3, 3])
    params.valid.SetInParent()
    params.isDeconvolution = transposed
    params.weights.rawValue = packed(codes, bits)
    params.weights.quantization.numberOfBits = bits
    spec.description.output.add(name="y").type.multiArrayType.dataType = 65568
    return spec, params.weights


def codes_of(bits: int) -> Array:
    return np.random.default_rng(bits).integers(0, 2**bits, SHAPE)


def dot(weights: Array, x: Array) -> Array:
    return np.einsum("oikl,ikl->o", weights, x[0].astype(np.float64))


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("channels", [1, 5])
def test_linear_quantisation(bits: int, channels: int) -> None:
    codes, rng = codes_of(bits), np.random.default_rng(0)
    spec, weights = convolution(bits, codes)
    scale, bias = rng.normal(size=channels), rng.normal(size=channels)
    weights.quantization.linearQuantization.scale.extend(scale)
    weights.quantization.linearQuantization.bias.extend(bias)
    x = rng.normal(size=(1, 3, 3, 3)).astype(np.float32)
    floats = np.stack([codes[o] * scale[o % channels] + bias[o % channels] for o in range(5)])
    seen = loaded(spec).run({"x": x})["y"]
    np.testing.assert_allclose(seen.reshape(-1), dot(floats, x), rtol=1e-4, atol=2e-3)


def test_a_transposed_convolution_has_a_scale_for_each_of_its_outputs() -> None:
    rng = np.random.default_rng(0)
    codes, scale = rng.integers(0, 16, (3, 5, 3, 3)), rng.normal(size=5)
    spec, weights = convolution(4, codes, transposed=True)
    weights.quantization.linearQuantization.scale.extend(scale)
    x = np.zeros((1, 3, 3, 3), np.float32)
    x[0, 1, 0, 0] = 1.0
    seen = loaded(spec).run({"x": x})["y"]
    wanted = np.stack([codes[1, o] * scale[o] for o in range(5)])
    np.testing.assert_allclose(seen[0, :, :3, :3], wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("per_group", [False, True])
def test_scales_of_a_transposed_convolution_of_two_groups(per_group: bool) -> None:
    """Four inputs, six outputs: one scale for each output, or one for each place in a group."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (4, 3, 1, 1))
    scale, bias = rng.normal(size=(2, 6 if per_group else 3))
    spec, net = network("neuralNetwork", (1, 4, 1, 1))
    params = net.layers.add(name="conv", input=["x"], output=["y"]).convolution
    params.outputChannels, params.kernelChannels, params.nGroups = 6, 4, 2
    params.kernelSize.extend([1, 1])
    params.valid.SetInParent()
    params.isDeconvolution = True
    params.weights.rawValue = packed(codes, 8)
    params.weights.quantization.numberOfBits = 8
    params.weights.quantization.linearQuantization.scale.extend(scale)
    params.weights.quantization.linearQuantization.bias.extend(bias)
    spec.description.output.add(name="y").type.multiArrayType.dataType = 65568
    x = rng.normal(size=(1, 4, 1, 1)).astype(np.float32)
    wanted = np.zeros(6)
    for channel, place in np.ndindex(4, 3):
        output = channel // 2 * 3 + place
        at = output if per_group else place
        wanted[output] += x[0, channel, 0, 0] * (codes[channel, place, 0, 0] * scale[at] + bias[at])
    program = loaded(spec)
    for engine in ("reference", "fast"):
        seen = program.predict({"x": x}, engine=engine)["y"]
        np.testing.assert_allclose(seen.reshape(-1), wanted, rtol=1e-4)


@pytest.mark.parametrize("bits", BITS)
def test_lookup_tables(bits: int) -> None:
    codes, rng = codes_of(bits), np.random.default_rng(0)
    spec, weights = convolution(bits, codes)
    table = rng.normal(size=2**bits)
    weights.quantization.lookupTableQuantization.floatValue.extend(table)
    x = rng.normal(size=(1, 3, 3, 3)).astype(np.float32)
    floats = np.array([table[c] for c in codes.reshape(-1)]).reshape(SHAPE)
    seen = loaded(spec).run({"x": x})["y"]
    np.testing.assert_allclose(seen.reshape(-1), dot(floats, x), rtol=1e-4, atol=1e-4)


def test_inconsistent_quantisation_is_refused() -> None:
    x = np.zeros((1, 3, 3, 3), np.float32)
    spec, weights = convolution(3, codes_of(3))
    with pytest.raises(ArtefactError, match="without a quantisation"):
        loaded(spec)
    spec, weights = convolution(3, codes_of(3))
    weights.quantization.numberOfBits = 9
    with pytest.raises(ArtefactError, match="9 bits"):
        loaded(spec)
    spec, weights = convolution(3, codes_of(3))
    weights.quantization.lookupTableQuantization.floatValue.extend([1.0] * 7)
    with pytest.raises(ArtefactError, match="table of 7"):
        loaded(spec)
    for scales, extra, message in ((1, b"\0", "52 bytes"), (3, b"", "3 scales")):
        spec, weights = convolution(3, codes_of(3))
        weights.rawValue += extra
        weights.quantization.linearQuantization.scale.extend([1.0] * scales)
        weights.quantization.linearQuantization.bias.extend([0.0])
        with pytest.raises(ArtefactError, match=message):
            loaded(spec).run({"x": x})


@pytest.mark.parametrize(
    "mode",
    ["LINEAR_QUANTIZATION", "LINEAR_SYMMETRIC", "LOOKUP_TABLE_LINEAR"],
)
@pytest.mark.parametrize("bits", [3, 8])
def test_what_coremltools_quantises(mode: str, bits: int) -> None:
    if mode == "LINEAR_SYMMETRIC" and bits != 8:
        pytest.skip("coremltools writes it in 8 bits only")
    utils = pytest.importorskip("coremltools.models.neural_network.quantization_utils")
    rng = np.random.default_rng(3)
    floats = {"conv": rng.normal(size=(4, 2, 3, 3)), "fc": rng.normal(size=(6, 4))}
    spec, net = network("neuralNetwork", (1, 2, 3, 3))
    conv = net.layers.add(name="conv", input=["x"], output=["c"]).convolution
    conv.outputChannels, conv.kernelChannels, conv.nGroups = 4, 2, 1
    conv.kernelSize.extend([3, 3])
    conv.valid.SetInParent()
    conv.weights.floatValue.extend(floats["conv"].reshape(-1))
    flat = net.layers.add(name="flat", input=["c"], output=["f"]).flattenTo2D
    flat.axis = 1
    product = net.layers.add(name="fc", input=["f"], output=["y"]).innerProduct
    product.inputChannels, product.outputChannels = 4, 6
    product.weights.floatValue.extend(floats["fc"].reshape(-1))
    spec.description.output.add(name="y").type.multiArrayType.dataType = 65568
    x = rng.normal(size=(1, 2, 3, 3)).astype(np.float32)
    exact = np.einsum("oikl,ikl->o", floats["conv"], x[0]) @ floats["fc"].T
    models = importlib.import_module("coremltools.models")
    utils._quantize_nn_spec(net, bits, getattr(models, f"_QUANTIZATION_MODE_{mode}"))
    assert conv.weights.rawValue
    assert product.weights.rawValue
    seen = loaded(spec).run({"x": x})["y"].reshape(-1)
    error = np.abs(seen - exact).max() / np.abs(exact).max()
    assert error < (0.03 if bits == 8 else 0.5)


@pytest.mark.parametrize("labels", [[7, -3, 40, 2**40], ["a", "b", "c", "d"]])
@pytest.mark.parametrize("named", [True, False], ids=["named", "of the last layer"])
def test_labels(labels: list[Any], named: bool) -> None:
    """Without a name Core ML takes what its last layer computes (mlmodel/src/NeuralNetwork.hpp)."""
    spec, net = network("neuralNetworkClassifier")
    add_copy(net)
    integers = isinstance(labels[0], int)
    field = net.int64ClassLabels if integers else net.stringClassLabels
    field.vector.extend(labels)
    net.labelProbabilityLayerName = "y" if named else ""
    label = spec.description.output.add(name="label").type
    (label.int64Type if integers else label.stringType).SetInParent()
    spec.description.output.add(name="scores").type.dictionaryType.SetInParent()
    spec.description.predictedFeatureName = "label"
    spec.description.predictedProbabilitiesName = "scores"
    program = loaded(spec)
    assert program.labels == tuple(labels)
    answer = program.predict(
        {"x": np.array([0.0, 0.25, 0.5, 0.125], np.float32)}, engine="reference"
    )
    assert dict(answer) == {
        "label": labels[2],
        "scores": dict(zip(labels, [0.0, 0.25, 0.5, 0.125], strict=True)),
    }


def test_a_classifier_without_labels_is_refused() -> None:
    spec, net = network("neuralNetworkClassifier")
    add_copy(net)
    with pytest.raises(ArtefactError, match="no labels"):
        loaded(spec)


@pytest.mark.parametrize("flavour", ["neuralNetwork", "neuralNetworkRegressor"])
@pytest.mark.parametrize(("kind", "wanted"), [("doubleType", 3.75), ("int64Type", 3)])
def test_scalar_outputs(flavour: str, kind: str, wanted: float) -> None:
    spec, net = network(flavour, (1,))
    add_copy(net)
    getattr(spec.description.output.add(name="y").type, kind).SetInParent()
    spec.description.predictedFeatureName = "y" if flavour.endswith("Regressor") else ""
    answer = loaded(spec).predict({"x": np.array([3.75], np.float32)}, engine="reference")
    assert dict(answer) == {"y": wanted}
    assert type(answer["y"]) is type(wanted)


def test_layers_compute_integers_in_fp32() -> None:
    spec, net = network("neuralNetwork")
    declared = spec.description.input.add(name="i").type
    declared.isOptional = True
    declared.multiArrayType.shape.append(4)
    declared.multiArrayType.dataType, declared.multiArrayType.intDefaultValue = 131104, 3
    net.layers.add(name="half", input=["i"], output=["h"]).multiply.alpha = 0.5
    net.layers.add(name="sum", input=["x", "h"], output=["y"]).add.SetInParent()
    spec.description.output.add(name="y").type.multiArrayType.dataType = 65568
    program, x = loaded(spec), np.arange(4, dtype=np.float32)
    for engine in ("reference", "fast"):
        given = program.predict({"x": x, "i": np.array([1, 2, 3, 4])}, engine=engine)["y"]
        np.testing.assert_array_equal(given, x + np.array([0.5, 1, 1.5, 2]))
        np.testing.assert_array_equal(program.predict({"x": x}, engine=engine)["y"], x + 1.5)


def test_image_outputs() -> None:
    spec, net = network("neuralNetwork", (1, 3, 2, 4))
    add_copy(net)
    image = spec.description.output.add(name="y").type.imageType
    image.height, image.width, image.colorSpace = 2, 4, 20
    pixels = np.random.default_rng(0).integers(0, 256, (1, 3, 2, 4))
    answer = loaded(spec).predict({"x": pixels.astype(np.float32)}, engine="reference")
    np.testing.assert_array_equal(np.asarray(answer["y"]), pixels[0].transpose(1, 2, 0))


def test_a_copy_may_overwrite() -> None:
    """The one layer that may, by the specification; earlier readers see the earlier value."""
    spec, net = network("neuralNetwork")
    for name, source, target in (("first", "x", "v"), ("second", "v", "w"), ("third", "w", "v")):
        layer = net.layers.add(name=name, input=[source], output=[target])
        if name == "third":
            layer.copy.SetInParent()
        else:
            layer.activation.linear.alpha, layer.activation.linear.beta = 2, 1
    layer = net.layers.add(name="sum", input=["v", "w"], output=["y"])
    layer.addBroadcastable.SetInParent()
    for name in ("v", "w", "y"):
        spec.description.output.add(name=name).type.multiArrayType.dataType = 65568
    x = np.array([0, 1, -2, 0.5], np.float32)
    program = loaded(spec)
    for engine in ("reference", "fast"):
        answer = program.predict({"x": x}, engine=engine)
        for name, factor in (("v", 1), ("w", 1), ("y", 2)):
            np.testing.assert_array_equal(answer[name], factor * (2 * (2 * x + 1) + 1))


def test_an_input_may_be_overwritten_but_not_returned() -> None:
    spec, net = network("neuralNetwork")
    layer = net.layers.add(name="negative", input=["x"], output=["v"])
    layer.activation.linear.alpha = -1
    net.layers.add(name="over", input=["v"], output=["x"]).copy.SetInParent()
    net.layers.add(name="same", input=["x"], output=["y"]).copy.SetInParent()
    spec.description.output.add(name="y").type.multiArrayType.dataType = 65568
    x = np.array([0, 1, -2, 0.5], np.float32)
    np.testing.assert_array_equal(loaded(spec).run({"x": x})["y"], -x)
    spec.description.output.add(name="x").type.multiArrayType.dataType = 65568
    with pytest.raises(ArtefactError, match="output 'x' is not computed"):
        loaded(spec)


@pytest.mark.parametrize(
    ("edit", "error", "message"),
    [
        (lambda s: s.neuralNetwork.layers.add(name="n"), ArtefactError, "has no type"),
        (lambda s: s.neuralNetwork.layers.add(input=["x"], output=["y"]).round.SetInParent(), ArtefactError, "twice"),
        (lambda s: s.description.output.add(name="z").type.multiArrayType.SetInParent(), ArtefactError, "'z' is not"),
        (lambda s: s.description.input.add(name="t").type.stringType.SetInParent(), UnsupportedOperation, "is a string"),
        (lambda s: s.neuralNetwork.preprocessing.add(featureName="x").scaler.SetInParent(), ArtefactError, "is not an image"),
        (lambda s: s.neuralNetwork.layers[0].input.append("q"), ArtefactError, "reads 'q'"),
    ],
)  # fmt: skip
def test_networks_that_contradict_themselves(edit: Any, error: Any, message: str) -> None:
    spec, net = network("neuralNetwork")
    add_copy(net)
    spec.description.output.add(name="y").type.multiArrayType.dataType = 65568
    edit(spec)
    with pytest.raises(error, match=message):
        loaded(spec)


def test_scores_that_no_layer_computes() -> None:
    spec, net = network("neuralNetworkClassifier")
    add_copy(net)
    net.stringClassLabels.vector.append("a")
    net.labelProbabilityLayerName = "nowhere"
    with pytest.raises(ArtefactError, match="takes its scores from 'nowhere'"):
        loaded(spec)


@pytest.mark.parametrize(("outputs", "seen"), [((), 0), (("y", "z"), 2)])
def test_no_scores_are_named_and_the_last_layer_has_not_one_result(
    outputs: tuple[str, ...], seen: int
) -> None:
    spec, net = network("neuralNetworkClassifier")
    if outputs:
        net.layers.add(name="s", input=["x"], output=outputs).split.nOutputs = len(outputs)
    net.stringClassLabels.vector.append("a")
    with pytest.raises(ArtefactError, match=f"computes {seen}.*\n.*labelProbabilityLayerName"):
        loaded(spec)


@pytest.mark.parametrize("bits", [2, 8])
def test_quantised_slopes_count_the_channels(bits: int) -> None:
    """PReLU does not say how many slopes it has: one, or one for each channel."""
    rng = np.random.default_rng(1)
    for count in (1, 5):
        codes, table = rng.integers(0, 2**bits, count), rng.normal(size=2**bits)
        spec, net = network("neuralNetwork", (5, 2, 3))
        alpha = net.layers.add(name="p", input=["x"], output=["y"]).activation.PReLU.alpha
        alpha.rawValue = packed(codes, bits)
        alpha.quantization.numberOfBits = bits
        alpha.quantization.lookupTableQuantization.floatValue.extend(table)
        spec.description.output.add(name="y").type.multiArrayType.dataType = 65568
        x = rng.normal(size=(5, 2, 3)).astype(np.float32)
        wanted = np.where(x < 0, table[codes][:, None, None] * x, x)
        program = loaded(spec)
        for engine in ("reference", "fast"):
            seen = program.predict({"x": x}, engine=engine)["y"]
            np.testing.assert_allclose(seen, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda n: setattr(n.layers.add(name="n").gelu, "mode", 3), r"Layer 'n' has mode 3; 0 \(EXACT\), 1"),
        (lambda n: setattr(n.layers.add(name="n").reduce, "axis", -1), "has axis -1; 0"),
        (lambda n: setattr(n.layers.add(name="n").pooling.same, "asymmetryMode", 2), "asymmetryMode 2; 0"),
        (lambda n: setattr(n.layers.add(name="n").resizeBilinear.mode, "samplingMethod", 9), "samplingMethod 9"),
    ],
)  # fmt: skip
def test_modes_that_the_specification_does_not_number(edit: Any, message: str) -> None:
    spec, net = network("neuralNetwork")
    edit(net)
    with pytest.raises(ArtefactError, match=message):
        loaded(spec)


def test_layers_inside_of_control_flow_are_named_as_well() -> None:
    """They come before all that a branch leaves unknown: who computes the output."""
    spec = proto_module("Model_pb2").Model()
    spec.specificationVersion = 4
    network = spec.neuralNetwork
    network.arrayInputShapeMapping = 1
    array = spec.description.input.add(name="x").type.multiArrayType
    array.shape.append(1)
    spec.description.output.add(name="y").type.multiArrayType.SetInParent()
    branch = network.layers.add(name="choice", input=["x"]).branch
    branch.ifBranch.layers.add(name="inside", input=["x"], output=["y"]).custom.SetInParent()
    branch.elseBranch.layers.add(name="else", input=["x"], output=["y"]).copy.SetInParent()
    message = r"lacks 2 .*: branch 'choice' \(control flow\), custom 'inside'"
    with pytest.raises(UnsupportedOperation, match=message):
        load_saved(SavedModel(Path("memory"), Path("memory"), spec))


def handed_on(*later: str) -> Any:
    """``x`` doubled, and halved under its own name; ``later`` are layers that read ``x`` then."""
    spec, net = network("neuralNetwork")
    for source, target, factor in (("x", "t", 2.0), ("t", "x", 0.5)):
        layer = net.layers.add(name=target, input=[source], output=[target])
        layer.activation.linear.alpha = factor
    for name in later:
        net.layers.add(name=name, input=["x"], output=[name]).activation.ReLU.SetInParent()
    return spec


def test_an_output_may_be_called_as_an_input() -> None:
    """coremltools writes so for a network that hands its input on."""
    spec = handed_on()
    del spec.description.output[:]
    spec.description.output.add(name="x").type.multiArrayType.dataType = 65568
    program, x = loaded(spec), np.arange(4, dtype=np.float32)
    for engine in ("reference", "fast"):
        np.testing.assert_array_equal(program.predict({"x": x}, engine=engine)["x"], x)
    with pytest.raises(ArtefactError, match="'x' is defined twice"):
        loaded(handed_on("y"))
