"""Models one after another in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fer_convert.coreml_runtime import (
    Pipeline,
    RefusedInput,
    UnsupportedOperation,
    load,
    load_program,
)
from fer_convert.coreml_runtime.read.proto import proto_module
from tests.fer_convert.coreml_runtime.quiet import quiet


def test_pipelines(tmp_path: Path, tiny_saved: dict[str, Path]) -> None:
    """A scaling model in front of a classifier, made by hand as coremltools' make_pipeline does."""
    model_type = proto_module("Model_pb2").Model
    classifier = model_type()
    classifier.ParseFromString(tiny_saved["nn"].read_bytes())
    front = model_type()
    front.specificationVersion = 4
    for entry, name in (
        (front.description.input.add(), "photo"),
        (front.description.output.add(), "image"),
    ):
        entry.name = name
        entry.type.CopyFrom(classifier.description.input[0].type)
    front.neuralNetwork.imageInputShapeMapping = 1
    layer = front.neuralNetwork.layers.add(name="l", input=["photo"], output=["image"])
    layer.activation.linear.alpha, layer.activation.linear.beta = -1, 255

    spec = model_type()
    spec.specificationVersion = 4
    spec.description.input.add().CopyFrom(front.description.input[0])
    for output in classifier.description.output:
        spec.description.output.add().CopyFrom(output)
    spec.description.predictedFeatureName = classifier.description.predictedFeatureName
    spec.description.predictedProbabilitiesName = classifier.description.predictedProbabilitiesName
    spec.pipelineClassifier.pipeline.models.add().CopyFrom(front)
    spec.pipelineClassifier.pipeline.models.add().CopyFrom(classifier)
    path = tmp_path / "pipeline.mlmodel"
    path.write_bytes(spec.SerializeToString())

    pipeline = load(path)
    assert isinstance(pipeline, Pipeline)
    photo = np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    answer = pipeline.predict({"photo": Image.fromarray(photo)})
    wanted = load(tiny_saved["nn"]).predict({"image": Image.fromarray(255 - photo)})
    assert answer == wanted
    assert pipeline.labels == tuple(wanted[pipeline.probabilities_name])
    assert pipeline.metadata.user == {}
    with pytest.raises(RefusedInput, match="has no input"):
        pipeline.predict({"image": photo})
    spec.description.output.add(name="more").type.multiArrayType.SetInParent()
    path.write_bytes(spec.SerializeToString())
    with pytest.raises(RefusedInput, match=r"declares the outputs \['more'\]; no model of it does"):
        load(path).predict({"photo": Image.fromarray(photo)})
    with pytest.raises(RefusedInput, match="needs the input photo"):
        pipeline.predict({})
    with pytest.raises(UnsupportedOperation, match="holds a pipelineClassifier"):
        load_program(path)


@pytest.mark.parametrize("kinds", [("fp32", "fp32"), ("nn", "nn"), ("nn", "fp32")])
def test_pipelines_that_coremltools_makes(tmp_path: Path, kinds: tuple[str, str]) -> None:
    """Two networks one after the other, in either format, each with its own weight file."""
    torch.manual_seed(0)
    first = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.ReLU()).eval()
    second = torch.nn.Sequential(
        torch.nn.Conv2d(4, 5, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
        torch.nn.Softmax(1),
    ).eval()  # fmt: skip
    with quiet():
        import coremltools as ct

        def convert(module: Any, channels: int, source: str, kind: str, **options: Any) -> Any:
            shape = (1, channels, 8, 8)
            form: dict[str, Any] = {
                "nn": {"convert_to": "neuralnetwork", "minimum_deployment_target": ct.target.iOS14},
                "fp32": {
                    "compute_precision": ct.precision.FLOAT32,
                    "minimum_deployment_target": ct.target.iOS16,
                },
            }[kind]
            return ct.convert(
                torch.jit.trace(module, torch.rand(shape)),
                inputs=[ct.TensorType(name=source, shape=shape)], **form, **options,
            )  # fmt: skip

        front = convert(first, 3, "x", kinds[0], outputs=[ct.TensorType(name="middle")])
        labels = ct.ClassifierConfig(list("abcde"))
        back = convert(second, 4, "middle", kinds[1], classifier_config=labels)
        suffix = "mlmodel" if kinds == ("nn", "nn") else "mlpackage"
        ct.utils.make_pipeline(front, back).save(str(tmp_path / f"pipeline.{suffix}"))
    x = np.random.default_rng(4).uniform(size=(1, 3, 8, 8)).astype(np.float32)
    with torch.inference_mode():
        wanted = second(first(torch.from_numpy(x)))[0].numpy()
    answer = load(tmp_path / f"pipeline.{suffix}").predict({"x": x})
    assert answer["classLabel"] == "abcde"[int(wanted.argmax())]
    (scores,) = (value for value in answer.values() if isinstance(value, dict))
    assert list(scores) == list("abcde")
    np.testing.assert_allclose(list(scores.values()), wanted, atol=1e-6)
