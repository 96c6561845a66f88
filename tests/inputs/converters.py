"""Networks with an operation that one converter has no word for, and what that costs.

Which converter refuses is told by which formats a row builds; the others are built and judged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from tests.inputs.case import Case
from tests.inputs.networks import Tail, build
from tests.inputs.programs import SIDE

_CLASSES = 7


class Enlarges(nn.Module):
    """A pooling from 2 x 2 up to 7 x 7, as VGG does it on small faces."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = nn.Sequential(
            *(nn.Conv2d(3, 4, 16, stride=16), nn.ReLU(), nn.AdaptiveAvgPool2d(7), nn.Flatten()),
            nn.Linear(4 * 49, _CLASSES),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        scores: Tensor = self.network(pixels)
        return scores


def _sinh(scores: Tensor) -> Tensor:
    """ONNX has it, the exporter has not; coremltools has."""
    return 3 * torch.sinh(scores / 3)


def _celu(scores: Tensor) -> Tensor:
    """The ONNX exporter has it; coremltools has not."""
    return torch.celu(scores, 2.0)


def _bessel(scores: Tensor) -> Tensor:
    """Neither has it."""
    return scores * torch.special.i0e(scores)


def _float_constant(scores: Tensor) -> Tensor:
    """The trace holds a float32 matrix, which no ``half()`` reaches."""
    return scores @ (torch.eye(_CLASSES) + 0.1)


def _tail(tail: Callable[[Tensor], Tensor], *options: object) -> Callable[[Path], Sequence[object]]:
    return lambda folder: build(folder, Tail(tail).eval(), *options)


def _without_torchscript(folder: Path) -> Sequence[object]:
    command = list(_tail(_bessel, *_only("onnx", "mlmodel"))(folder))
    first = command.index("torchscript")
    return [*command[: first - 1], *command[first + 1 :]]


def _only(*kinds: str) -> list[str]:
    return [word for kind in kinds for word in ("--only", kind)]


CASES = (
    Case(
        name="onnx-refuses",
        what="An operation that the ONNX exporter lacks (`torch.sinh`)",
        outcome="all else is built and judged; ONNX is NOT RUN, and the operation is named",
        command=_tail(_sinh, *_only("onnx")),
        code=41,
        says=(
            "Exporting the operator 'aten::sinh' to ONNX opset version 17 is not supported.",
            "torchscript PASS",
            "build/converters.log",
            "Refused by a converter: onnx. All else was made, and is PASS.",
        ),
        never=("Traceback", "graph(", "Please feel free"),
    ),
    Case(
        name="onnx-refuses-and-is-required",
        what="The same with `--require onnx`",
        outcome="refused; nothing is written",
        command=_tail(_sinh, *_only("onnx"), "--require", "onnx"),
        code=42,
        says=("EmotionNet.onnx: the converter refused this network.", "'aten::sinh'"),
        never=("Traceback", "graph("),
    ),
    Case(
        name="coremltools-refuses",
        what="An operation that coremltools lacks (`torch.celu`)",
        outcome="all else is built and judged; the Core ML formats are NOT RUN, and there is no "
        "Swift package",
        command=_tail(_celu, *_only("mlpackage-fp16"), "--package"),
        code=41,
        says=(
            "PyTorch convert function for op 'celu' not implemented.",
            "it needs mlpackage-fp16 or mlpackage-fp32, which its converter refused",
        ),
        never=("Traceback", "Converting PyTorch"),
    ),
    Case(
        name="every-converter-refuses",
        what="An operation that no converter has, and no format that needs none",
        outcome="refused, with each converter's reason; nothing is written",
        command=_without_torchscript,
        code=42,
        says=("Every converter refused this network.", "onnx: ", "mlmodel: "),
    ),
    Case(
        name="require-what-is-left-out",
        what="`--require` of a format that `--only` leaves out",
        outcome="wrong usage",
        command=_tail(_sinh, "--require", "onnx"),
        code=2,
        says=("--require names onnx, which --only leaves out",),
    ),
    Case(
        name="no-half-in-pytorch",
        what="A trace with float32 constants, which PyTorch cannot run in half precision",
        outcome="built; fp16 is NOT RUN, with the reason, so fp32 is published",
        command=_tail(_float_constant, *_only("mlpackage-fp16", "mlpackage-fp32"), "--package"),
        code=0,
        says=(
            "fp16 was not judged, so EmotionNet-fp32.mlpackage (fp32, ",
            "PyTorch's own half precision was not run",
            "to have the same dtype",
            "verdict PASS",
        ),
    ),
    Case(
        name="no-half-in-pytorch-and-no-other-form",
        what="The same where fp16 is the only form made (or is named by `--publish`, `--require`)",
        outcome="built; whether it is the same network is NOT RUN; `--only` is named as the remedy",
        command=_tail(_float_constant, *_only("mlpackage-fp16")),
        code=41,
        says=(
            "because of: mlpackage-fp16.",
            "fp16 was not judged: make a larger form, too (--only mlpackage-fp32)",
        ),
    ),
    Case(
        name="batch-of-one",
        what="A network that writes its batch of 1 into a view",
        outcome="built; the ONNX file takes one picture at a time, which is said",
        command=_tail(lambda scores: scores.view(1, _CLASSES), *_only("onnx")),
        code=0,
        says=("verdict PASS", "It takes one picture at a time"),
    ),
    Case(
        name="pooling-enlarges",
        what="Adaptive pooling to more positions than there are (VGG on small faces)",
        outcome="built",
        command=lambda folder: build(
            folder, Enlarges().eval(), *_only("onnx"), shape=(1, 3, SIDE, SIDE)
        ),
        code=0,
        says=("verdict PASS", "onnx PASS"),
        never=("Traceback", "one picture at a time"),
    ),
)
