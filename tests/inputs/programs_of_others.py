"""Programs that are not TorchScript: torch.export and ONNX, from PyTorch and from others."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tests.inputs.case import Case
from tests.inputs.programs import SIDE, classifier, faces

_CLASSES = 7


def _build(folder: Path, file: Path, *options: object, **said: object) -> Sequence[object]:
    pixels = {"input_size": SIDE, "color": "rgb", "scale": "0..1", "crop_margin": 0, **said}
    return [
        *("ferconv", "build", "--checkpoint", file, "--labels", "fer2013"),
        *("--preprocess", json.dumps(pixels), "--fixtures", faces(folder)),
        *("--out", folder / "build", "--only", "torchscript", *options),
    ]


# torch.export


class _Viewed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.network = classifier(classes=_CLASSES)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.network(pixels)
        return scores.view(pixels.shape[0], _CLASSES)


def exported(network: nn.Module, *, images: int = 1) -> bytes:
    """Return what torch.export.save writes."""
    content = io.BytesIO()
    example = torch.rand(images, 3, SIDE, SIDE)
    torch.export.save(torch.export.export(network, (example,)), content)
    return content.getvalue()


def _exported(network: Callable[[], nn.Module], *, images: int = 1) -> Callable[[Path], object]:
    def command(folder: Path) -> Sequence[object]:
        file = folder / "net.pt2"
        file.write_bytes(exported(network(), images=images))
        return _build(folder, file)

    return command


class RunsCode:
    """Unpickling it would make a folder."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("they-ran-our-code",)


def with_code(content: bytes) -> bytes:
    """Return an exported program with a pickle that runs code in place of its example."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            hostile = name.endswith("example_inputs.pt")
            new.writestr(name, pickle.dumps(RunsCode()) if hostile else old.read(name))
    return changed.getvalue()


def _exported_with_code(folder: Path) -> Sequence[object]:
    file = folder / "net.pt2"
    file.write_bytes(with_code(exported(classifier(classes=_CLASSES))))
    return _build(folder, file)


# ONNX


def from_pytorch(network: nn.Module, file: Path, **options: object) -> None:
    """Write what PyTorch's exporter makes of a network, with a free batch size."""
    torch.onnx.export(
        network,
        (torch.rand(1, 3, SIDE, SIDE),),
        file,
        dynamo=False,
        input_names=["pixels"],
        dynamic_axes={"pixels": {0: "n"}},
        **options,  # type: ignore[arg-type]
    )


def by_hand(
    nodes: Sequence[Any],
    file: Path,
    *,
    shape: Sequence[object],
    opset: int,
    weights: dict[str, NDArray[Any]],
    outputs: Sequence[str] = ("scores",),
) -> None:
    """Write a graph of a float input called pixels."""
    from onnx import TensorProto, helper, numpy_helper, save

    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=8), file)


def _random(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(0, 0.4, shape).astype(np.float32)


def as_cntk_writes(file: Path) -> None:
    """FER+ as published: opset 7, one grey channel of 0..255, a division inside, no softmax."""
    from onnx.helper import make_node

    nodes = [
        make_node("Div", ["pixels", "c"], ["unit"]),
        make_node("Conv", ["unit", "w"], ["a"], auto_pad="SAME_UPPER", strides=[2, 2]),
        make_node("Add", ["a", "b"], ["biased"]),
        make_node("Relu", ["biased"], ["r"]),
        make_node("MaxPool", ["r"], ["p"], kernel_shape=[16, 16], strides=[16, 16]),
        make_node("Dropout", ["p"], ["d"], ratio=0.5),
        make_node("Reshape", ["d", "s"], ["flat"]),
        make_node("MatMul", ["flat", "m"], ["product"]),
        make_node("Add", ["product", "e"], ["scores"]),
    ]
    weights = {
        "c": np.array([255], np.float32),
        "w": _random(8, 1, 3, 3),
        "b": _random(8, 1, 1),
        "s": np.array([1, 8], np.int64),
        "m": _random(8, _CLASSES),
        "e": _random(1, _CLASSES),
    }
    by_hand(nodes, file, shape=[1, 1, SIDE, SIDE], opset=7, weights=weights)


def as_keras_writes(file: Path) -> None:
    """A Keras network by way of tf2onnx: channels last, transposed inside, a softmax at its end."""
    from onnx.helper import make_node

    nodes = [
        make_node("Transpose", ["pixels"], ["t"], perm=[0, 3, 1, 2]),
        make_node("Conv", ["t", "w", "b"], ["a"], strides=[2, 2], pads=[0, 0, 1, 1]),
        make_node("Relu", ["a"], ["r"]),
        make_node("ReduceMean", ["r"], ["p"], axes=[2, 3], keepdims=0),
        make_node("MatMul", ["p", "m"], ["product"]),
        make_node("Add", ["product", "e"], ["logits"]),
        make_node("Softmax", ["logits"], ["scores"], axis=-1),
    ]
    weights = {
        "w": _random(8, 3, 3, 3),
        "b": _random(8),
        "m": 3 * _random(8, _CLASSES),
        "e": _random(_CLASSES),
    }
    by_hand(nodes, file, shape=["n", SIDE, SIDE, 3], opset=13, weights=weights)


def _onnx(write: Callable[[Path], None], *options: object, **said: object) -> Any:
    def command(folder: Path) -> Sequence[object]:
        file = folder / "net.onnx"
        write(file)
        return _build(folder, file, *options, **said)

    return command


def _pytorchs(file: Path) -> None:
    from_pytorch(classifier(classes=_CLASSES), file)


def _two_outputs(file: Path) -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = classifier(classes=_CLASSES)

        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            scores = self.network(pixels)
            return scores.repeat(1, 3), scores

    from_pytorch(Both().eval(), file, output_names=["embedding", "scores"])


def _in_training(file: Path) -> None:
    network = classifier(classes=_CLASSES).train()
    from_pytorch(network, file, training=torch.onnx.TrainingMode.TRAINING)


def _unknown_operation(file: Path) -> None:
    from onnx.helper import make_node

    nodes = [
        make_node("DFT", ["wide"], ["spectrum"], axis=1),
        make_node("Flatten", ["spectrum"], ["flat"]),
        make_node("MatMul", ["flat", "m"], ["scores"]),
    ]
    nodes.insert(0, make_node("ReduceMean", ["pixels"], ["rows"], axes=[1, 3], keepdims=0))
    nodes.insert(1, make_node("Unsqueeze", ["rows", "two"], ["wide"]))
    weights = {"m": _random(2 * SIDE, _CLASSES), "two": np.array([2], np.int64)}
    by_hand(nodes, file, shape=[1, 3, SIDE, SIDE], opset=17, weights=weights)


def _no_image(file: Path) -> None:
    from onnx.helper import make_node

    by_hand([make_node("Relu", ["pixels"], ["scores"])], file, shape=[1], opset=13, weights={})


def _case(name: str, what: str, outcome: str, command: Any, *says: str, code: int = 0) -> Case:
    passed = ("verdict PASS",) if code == 0 else ()
    return Case(
        name=name, what=what, outcome=outcome, command=command, code=code, says=(*passed, *says)
    )


CASES = (
    _case(
        *("exported", "A program of torch.export (`.pt2`)", "built"),
        _exported(lambda: classifier(classes=_CLASSES), images=4),
    ),
    _case(
        *("exported-batch", "A `.pt2` with a batch of 4 in its views"),
        "built; that each face is computed 4 times is said",
        *(_exported(lambda: _Viewed().eval(), images=4), "computed 4 times"),
    ),
    _case(
        *("exported-in-training", "A `.pt2` exported without `model.eval()`"),
        "refused: BatchNorm works in it as in training",
        _exported(lambda: classifier(classes=_CLASSES).train(), images=4),
        "training mode: batch_norm",
        code=15,
    ),
    _case(
        *("exported-with-code", "A `.pt2` with a pickle inside that runs code"),
        "refused before anything runs",
        *(_exported_with_code, "would run whatever code it carries"),
        code=11,
    ),
    _case(
        *("onnx-of-pytorch", "An ONNX file of PyTorch's exporter"),
        "built, and judged against onnxruntime on the given file",
        *(_onnx(_pytorchs), "judged against onnxruntime"),
    ),
    _case(
        *("onnx-of-cntk", "An ONNX file as FER+ is published: opset 7, grey pixels 0..255"),
        "built, and judged against onnxruntime",
        *(_onnx(as_cntk_writes, color="gray", scale="0..255"), "one grey channel"),
    ),
    _case(
        *("onnx-of-keras", "An ONNX file of a Keras network: channels last, softmax inside"),
        "built, and judged against onnxruntime",
        *(_onnx(as_keras_writes), "channels last", "ended in a softmax"),
    ),
    _case(
        *("onnx-output-by-name", "An ONNX file of two outputs, with `--output scores`"),
        "built; what is left out is named",
        *(_onnx(_two_outputs, "--output", "scores"), "left out"),
    ),
    _case(
        *("onnx-outputs-unsaid", "The same without `--output`"),
        "refused: the outputs are listed by name",
        *(_onnx(_two_outputs), "returns 2 outputs: embedding", "--output embedding"),
        code=15,
    ),
    _case(
        *("onnx-in-training", "An ONNX file that was exported for training"),
        "refused: BatchNorm works in it as in training",
        *(_onnx(_in_training), "exported in training mode: BatchNormalization"),
        code=15,
    ),
    _case(
        *("onnx-unknown-operation", "An ONNX file with an operation that onnx2torch lacks"),
        "refused; the operation is named, and the way by TorchScript",
        *(_onnx(_unknown_operation), "DFT", "torch.jit.trace"),
        code=42,
    ),
    _case(
        *("onnx-no-image", "An ONNX file that takes no image"),
        "refused: what it takes is named",
        *(_onnx(_no_image), "takes pixels tensor(float) [1]"),
        code=15,
    ),
)
