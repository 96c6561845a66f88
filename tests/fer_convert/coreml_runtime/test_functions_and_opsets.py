"""Packages as coremltools writes them for every target, with several functions, and with state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from fer_convert.coreml_runtime import ArtefactError, UnsupportedOperation, load, load_program
from fer_convert.coreml_runtime.graph import Constant
from fer_convert.coreml_runtime.read.mil_program import OPSETS
from fer_convert.coreml_runtime.read.proto import proto_module
from tests.fer_convert.coreml_runtime.quiet import quiet

X = np.random.default_rng(0).standard_normal((2, 6)).astype(np.float32)


def convert(module: nn.Module, path: Path, target: str, **options: Any) -> Any:
    with quiet():
        import coremltools as ct

        model = ct.convert(
            torch.jit.trace(module.eval(), torch.tensor(X)),
            inputs=[ct.TensorType(name="x", shape=X.shape, dtype=np.float32)],
            outputs=[ct.TensorType(name="y", dtype=np.float32)],
            minimum_deployment_target=getattr(ct.target, target),
            compute_precision=ct.precision.FLOAT32,
            **options,
        )
        model.save(str(path))
    return model


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 16), nn.GELU(), nn.Linear(16, 5), nn.Softmax(1))


@pytest.mark.parametrize(
    ("target", "opset"),
    [
        ("iOS15", "CoreML5"), ("iOS16", "CoreML6"), ("iOS17", "CoreML7"), ("iOS18", "CoreML8"),
        ("iOS26", "CoreML9"),
    ],
)  # fmt: skip
def test_every_target_of_ml_programs(tmp_path: Path, target: str, opset: str) -> None:
    module, path = network(0), tmp_path / "model.mlpackage"
    convert(module, path, target)
    spec = proto_module("Model_pb2").Model.FromString(
        (path / "Data/com.apple.CoreML/model.mlmodel").read_bytes()
    )
    assert spec.mlProgram.functions["main"].opset == opset in OPSETS
    with torch.inference_mode():
        expected = module(torch.tensor(X)).numpy()
    for engine in ("reference", "fast"):
        answer = load(path).predict({"x": X}, engine=engine)
        np.testing.assert_allclose(answer["y"], expected, atol=1e-6)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[nn.Module]]:
    """Two networks that share their first layer, as two functions of one package."""
    folder = tmp_path_factory.mktemp("functions")
    networks = [network(0), network(1)]
    networks[1].load_state_dict(
        networks[1].state_dict()
        | {k: v for k, v in networks[0].state_dict().items() if k.startswith("0.")}
    )
    with quiet():
        from coremltools.models.utils import MultiFunctionDescriptor, save_multifunction

        descriptor = MultiFunctionDescriptor()
        for name, module in zip(("calm", "lively"), networks, strict=True):
            source = folder / f"{name}.mlpackage"
            convert(module, source, "iOS18")
            descriptor.add_function(str(source), "main", name)
        descriptor.default_function_name = "lively"
        save_multifunction(descriptor, str(folder / "both.mlpackage"))
    return folder / "both.mlpackage", networks


@pytest.mark.parametrize(("function", "index"), [("calm", 0), ("lively", 1), (None, 1)])
def test_functions_by_name_and_by_default(
    package: tuple[Path, list[nn.Module]], function: str | None, index: int
) -> None:
    path, networks = package
    with torch.inference_mode():
        expected, other = (networks[i](torch.tensor(X)).numpy() for i in (index, 1 - index))
    assert np.abs(expected - other).max() > 0.01
    for engine in ("reference", "fast"):
        answer = load(path, function=function).predict({"x": X}, engine=engine)
        np.testing.assert_allclose(answer["y"], expected, atol=1e-6)


def test_a_function_that_is_not_there(package: tuple[Path, list[nn.Module]]) -> None:
    with pytest.raises(ArtefactError, match=r"functions \['calm', 'lively'\], and no 'main'"):
        load(package[0], function="main")


def test_functions_share_their_weights(package: tuple[Path, list[nn.Module]]) -> None:
    size = (package[0] / "Data/com.apple.CoreML/weights/weight.bin").stat().st_size
    alone = package[0].parent / "calm.mlpackage/Data/com.apple.CoreML/weights/weight.bin"
    assert size < 2 * alone.stat().st_size
    first, second = (
        load_program(package[0], function=name).graph.operations[0] for name in ("calm", "lively")
    )
    weights = [op.arguments["weight"][0] for op in (first, second)]
    assert all(isinstance(weight, Constant) for weight in weights)
    np.testing.assert_array_equal(*(weight.read() for weight in weights))  # type: ignore[union-attr]


class Counter(nn.Module):
    """Adds its input to what it has seen before."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(X.shape, dtype=torch.float16))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.add_(x.half())
        return self.seen.float()


def test_a_model_with_state_is_refused_by_name(tmp_path: Path) -> None:
    with quiet():
        import coremltools as ct

        state = ct.StateType(ct.TensorType(shape=X.shape, dtype=np.float16), name="seen")
        path = tmp_path / "state.mlpackage"
        convert(Counter(), path, "iOS18", states=[state])
    with pytest.raises(UnsupportedOperation, match=r"keeps state \(seen\)") as caught:
        load(path)
    assert caught.value.exit_code == 51


def test_nothing_is_decoded_until_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading maps the weight file; the first run decodes, and fp32 weights are not even copied."""
    from fer_convert.coreml_runtime.read import blob, mil_constants

    path, decoded, mapped = tmp_path / "model.mlpackage", [], []
    convert(network(0), path, "iOS16")

    def decode(raw: Any, *rest: Any) -> Any:
        decoded.append(raw)
        return real_decode(raw, *rest)

    def open_blob(file: Path) -> Any:
        mapped.append(real_open(file))
        return mapped[-1]

    real_decode, real_open = mil_constants.decode, blob.open_blob
    monkeypatch.setattr(mil_constants, "decode", decode)
    monkeypatch.setattr(mil_constants, "open_blob", open_blob)
    program = load_program(path)
    assert (len(mapped), decoded) == (1, [])
    program.predict({"x": X}, engine="reference")
    assert len(decoded) == 3  # two weights and a bias; the other bias, of 5 values, is a literal
    for operation in program.graph.operations:
        if operation.type == "linear":
            (weight,) = operation.arguments["weight"]
            assert isinstance(weight, Constant)
            assert np.shares_memory(weight.read(), mapped[0].file.content)


def test_a_whole_file_of_weights_is_not_in_memory_after_loading(tmp_path: Path) -> None:
    """32 MB of weights, and the process grows by less than half of them."""
    import subprocess
    import sys

    torch.manual_seed(0)
    path = tmp_path / "model.mlpackage"
    convert(nn.Sequential(nn.Linear(6, 1024), nn.Linear(1024, 8192)), path, "iOS16")
    size = (path / "Data/com.apple.CoreML/weights/weight.bin").stat().st_size
    assert size > 32 << 20
    code = (
        "import resource, torch\n"
        "from fer_convert.coreml_runtime import load\n"
        "from fer_convert.coreml_runtime.reference.mil import MIL\n"
        "from fer_convert.coreml_runtime.read.proto import proto_module\n"
        "proto_module('Model_pb2')\n"
        "rss = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"before = rss(); program = load({str(path)!r}); print(rss() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) << 10 < size // 2


class Flattened(nn.Module):
    """The sizes of its ``view`` are scalars of the program where the batch is of any size."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(x).view(x.size(0), -1)


def test_a_view_of_a_batch_of_any_size(tmp_path: Path) -> None:
    path, x = tmp_path / "model.mlpackage", X.reshape(4, 3, 1)
    with quiet():
        import coremltools as ct

        ct.convert(
            torch.jit.trace(Flattened(), torch.tensor(x)),
            inputs=[ct.TensorType(name="x", shape=(ct.RangeDim(1, 8, 2), 3, 1))],
            outputs=[ct.TensorType(name="y", dtype=np.float32)],
            minimum_deployment_target=ct.target.iOS16,
            compute_precision=ct.precision.FLOAT32,
        ).save(str(path))
    model = load(path)
    for count in (1, 4):
        for engine in ("reference", "fast"):
            answer = model.predict({"x": x[:count]}, engine=engine)["y"]
            np.testing.assert_allclose(answer, 1 / (1 + np.exp(-x[:count, :, 0])), rtol=1e-5)
