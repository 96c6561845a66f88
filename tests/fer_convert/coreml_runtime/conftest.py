"""Models converted once per session, saved to disk, and read back by the runtime."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from torch import nn

from fer_convert.coreml_runtime import Program, load
from fer_convert.coreml_runtime.read.proto import proto_module
from tests.fer_convert.coreml_runtime.both_engines import run_both
from tests.fer_convert.coreml_runtime.quiet import quiet

# The same cases in every run; a folder of examples would be written into the repository.
settings.register_profile(
    "runtime",
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


settings.load_profile("runtime")


LABELS = [f"face-{i}" for i in range(8)]


@pytest.fixture(scope="session")
def convert(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``convert(module, size, kind)`` -> path of a saved classifier; kind: nn, fp32 or fp16."""

    def convert_and_save(module: nn.Module, size: int, kind: str, **image: Any) -> Path:
        with quiet():
            import coremltools as ct

            options: dict[str, Any] = {
                "nn": {"convert_to": "neuralnetwork", "minimum_deployment_target": ct.target.iOS14},
                "fp32": {"compute_precision": ct.precision.FLOAT32},
                "fp16": {"compute_precision": ct.precision.FLOAT16},
            }[kind]
            channels = 1 if image.get("color_layout") == "G" else 3
            shape = (1, channels, size, size)
            model = ct.convert(
                torch.jit.trace(module, torch.rand(shape)),
                inputs=[ct.ImageType(name="image", shape=shape, **image)],
                classifier_config=ct.ClassifierConfig(LABELS, "classLabel"),
                **({"minimum_deployment_target": ct.target.iOS16} | options),
            )
            model.user_defined_metadata["emotionkit.contract"] = '{"demo": false}'
            model.author, model.license, model.version = "nobody", "MIT", "1.2"
            model.short_description = "a test"
            suffix = "mlmodel" if kind == "nn" else "mlpackage"
            path = tmp_path_factory.mktemp("converted") / f"model.{suffix}"
            model.save(str(path))
        return path

    return convert_and_save


@pytest.fixture(scope="session")
def tiny() -> nn.Module:
    """A classifier with a convolution first and a softmax last; 16 x 16 RGB in, 8 classes out."""
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, stride=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 8),
        nn.Softmax(1),
    ).eval()


@pytest.fixture(scope="session")
def tiny_saved(convert: Callable[..., Path], tiny: nn.Module) -> dict[str, Path]:
    return {kind: convert(tiny, 16, kind) for kind in ("nn", "fp32", "fp16")}


@pytest.fixture
def picture() -> np.ndarray[Any, Any]:
    return np.random.default_rng(5).integers(0, 256, (16, 16, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def run_mil(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[Any]]:
    """``run_mil(build, *arrays)``: ``build(mb, *inputs)`` returns the program's outputs; run it
    from disk in fp32 and return what it computed, in order."""

    def run(build: Callable[..., Any], *arrays: np.ndarray[Any, Any]) -> list[Any]:
        with quiet():
            import coremltools as ct
            from coremltools.converters.mil import Builder as mb

            specs = [mb.TensorSpec(shape=array.shape) for array in arrays]
            names = [f"in{i}" for i in range(len(arrays))]
            # The builder takes the argument names from the function, so it must really have them.
            scope: dict[str, Any] = {"build": build, "mb": mb}
            exec(f"def main({', '.join(names)}): return build(mb, {', '.join(names)})", scope)
            program = mb.program(input_specs=specs, opset_version=ct.target.iOS16)(scope["main"])
            model = ct.convert(
                program,
                minimum_deployment_target=ct.target.iOS16,
                compute_precision=ct.precision.FLOAT32,
                pass_pipeline=ct.PassPipeline.EMPTY,
            )
            path = tmp_path_factory.mktemp("mil") / "model.mlpackage"
            model.save(str(path))
        result = load(path).run(dict(zip(names, arrays, strict=True)))
        return list(result.values())

    return run


@pytest.fixture
def save_network(tmp_path: Path) -> Callable[..., Path]:
    """``save_network(add_layers, shape)``: a NeuralNetwork from array ``x`` to array ``y``."""

    def save(add_layers: Callable[[Any], None], shape: tuple[int, ...]) -> Path:
        spec = proto_module("Model_pb2").Model()
        spec.specificationVersion = 4
        array = spec.description.input.add(name="x").type.multiArrayType
        array.shape.extend(shape)
        spec.description.output.add(name="y").type.multiArrayType.shape.extend(())
        network = spec.neuralNetwork
        network.arrayInputShapeMapping = 1
        add_layers(network)
        path = tmp_path / "network.mlmodel"
        path.write_bytes(spec.SerializeToString())
        return path

    return save


@pytest.fixture
def run_layer(save_network: Callable[..., Path]) -> Callable[..., Any]:
    """``run_layer(kind, fill, x)``: one layer applied to ``x``; ``fill`` sets its parameters."""

    def run(kind: str, fill: Callable[[Any], None], x: np.ndarray[Any, Any]) -> Any:
        def add(network: Any) -> None:
            layer = network.layers.add(name="under test", input=["x"], output=["y"])
            getattr(layer, kind).SetInParent()
            fill(getattr(layer, kind))

        program: Program = load(save_network(add, x.shape))
        return run_both(program, {"x": x})["y"]

    return run


@pytest.fixture
def package(tiny_saved: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_saved["fp16"], tmp_path / "copy.mlpackage"))
