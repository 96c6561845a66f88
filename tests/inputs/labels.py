"""Labels: seven, three of one's own, a typo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.inputs.case import Case
from tests.inputs.programs import PIXELS, faces, traced_classifier


def _program(folder: Path, classes: int, *options: object) -> Sequence[object]:
    program = folder / "model.pt"
    traced_classifier(program, classes=classes)
    return [
        *("ferconv", "build", "--checkpoint", program, "--preprocess", PIXELS),
        *("--fixtures", faces(folder), "--out", folder / "build", "--only", "torchscript"),
        *options,
    ]


def _seven(folder: Path) -> Sequence[object]:
    return _program(folder, 7, "--labels", "fer2013")


def _custom(folder: Path) -> Sequence[object]:
    given = ("--labels", "pain,engaged,neutral", "--custom-labels", "pain,engaged")
    return _program(folder, 3, *given)


def _typo(folder: Path) -> Sequence[object]:
    return _program(folder, 3, "--labels", "angr,fear,neutral")


CASES = (
    Case(
        name="seven-labels",
        what="A TorchScript program with FER2013's seven classes",
        outcome="built and compared; the package carries seven labels",
        command=_seven,
        code=0,
        says=("verdict PASS",),
    ),
    Case(
        name="custom-labels",
        what="Three classes, two of them names of your own, given with `--custom-labels`",
        outcome="built and compared; the package carries the three names",
        command=_custom,
        code=0,
        says=("verdict PASS",),
    ),
    Case(
        name="misspelt-label",
        what="A misspelt emotion in `--labels`",
        outcome="refused, with the name that was probably meant",
        command=_typo,
        code=14,
        says=("Did you mean", "anger"),
    ),
)
