"""A saved classifier of a few hundred bytes, for tests of ``ferconv predict``."""

from __future__ import annotations

from pathlib import Path

from fer_convert.coreml_runtime.read.proto import proto_module

LABELS = ["calm", "glad", "sad"]


def save_classifier(path: Path, *, softmax: bool = True) -> None:
    """Write a 4 x 4 classifier: the mean of red, green and blue / 64, through a softmax if asked.

    ``path`` ends in ``.mlmodel``.
    """
    spec = proto_module("Model_pb2").Model()
    spec.specificationVersion = 4
    image = spec.description.input.add(name="image").type.imageType
    image.width, image.height, image.colorSpace = 4, 4, 20
    spec.description.output.add(name="classLabel").type.stringType.SetInParent()
    scores = spec.description.output.add(name="scores").type.dictionaryType
    scores.stringKeyType.SetInParent()
    spec.description.predictedFeatureName = "classLabel"
    spec.description.predictedProbabilitiesName = "scores"
    network = spec.neuralNetworkClassifier
    network.arrayInputShapeMapping = network.imageInputShapeMapping = 1
    network.stringClassLabels.vector.extend(LABELS)
    network.labelProbabilityLayerName = "p" if softmax else "m"
    scaled = network.layers.add(name="scaled", input=["image"], output=["s"]).activation.linear
    scaled.alpha = 1 / 64
    pool = network.layers.add(name="mean", input=["s"], output=["m"]).pooling
    pool.type, pool.globalPooling = 1, True
    if softmax:
        network.layers.add(name="p", input=["m"], output=["p"]).softmax.SetInParent()
    path.write_bytes(spec.SerializeToString())
