"""What is tried: importing each library, then a tiny network through every format and runtime."""

from __future__ import annotations

import functools
import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from fer_convert.artefact import (
    FILE_NAMES,
    INPUT_NAME,
    LABEL_OUTPUT,
    PROBABILITIES_OUTPUT,
    ArtefactKind,
)
from fer_convert.doctor.worker import Work

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fer_convert.parity.result import Prediction
    from fer_convert.source.model import Source

Group = Literal["library", "format", "runtime"]

#: The libraries that a build imports: distribution -> module.
LIBRARIES: Mapping[str, str] = {
    "numpy": "numpy",
    "pillow": "PIL",
    "jinja2": "jinja2",
    "rich": "rich",
    "torch": "torch",
    "torchvision": "torchvision",
    "coremltools": "coremltools",
    "onnx": "onnx",
    "onnxruntime": "onnxruntime",
}

#: Binaries of coremltools without which it imports, with a warning, and cannot write a package.
_COREML_BINARIES = ("coremltools.libmilstoragepython", "coremltools.libmodelpackage")

_SIDE = 32  # px

#: The answers of a network of two layers, in fp16 too, are far nearer: a sign that it works, no
#: measurement.
_TOLERANCE = 2e-2


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One thing to try.

    Attributes:
        after: keys of trials without whose success this one cannot run.
        needed: without it ``ferconv build`` fails.
    """

    group: Group
    name: str
    work: Work
    after: tuple[str, ...] = ()
    needed: bool = True

    @property
    def key(self) -> str:
        """Group and name: the library and the format ONNX bear one name."""
        return f"{self.group} {self.name}"


def all_trials() -> list[Trial]:
    """Return every trial, those that others need first."""
    return [*_imports(), *_formats(), *_runtimes()]


def import_library(name: str, folder: Path) -> str:
    """Import one of `LIBRARIES` and return the version that it gives itself."""
    module = importlib.import_module(LIBRARIES[name])
    if name == "coremltools":
        for binary in _COREML_BINARIES:
            importlib.import_module(binary)
    return str(getattr(module, "__version__", ""))


def write_artefact(kind: ArtefactKind, folder: Path) -> str:
    """Convert the tiny network to one kind, into ``folder``."""
    from fer_convert.artefact import contract_record, contract_text, describe
    from fer_convert.export.artefacts import convert_all
    from fer_convert.progress import Progress

    source = _source(folder)
    description = describe(
        source,
        contract=contract_text(contract_record(source, demo=True)),
        author="ferconv doctor",
        license="none",
        version="1.0",
        demo=True,
    )
    convert_all(
        source,
        folder,
        kinds=(kind,),
        description=description,
        storage="dense",
        progress=Progress(quiet=True),
    )
    return ""


def run_artefact(kind: ArtefactKind, folder: Path) -> str:
    """Run TorchScript or ONNX as a build does; return the runtime's name."""
    from fer_convert.parity.runners import open_runner, predict_one

    runner = open_runner(kind, folder / FILE_NAMES[kind])
    _expect(_reference(folder), predict_one(runner, _picture()))
    return runner.name


def run_portable(engine: Literal["reference", "fast"], folder: Path) -> str:
    """Run both Core ML formats in one engine of the portable runtime."""
    from fer_convert.coreml_runtime import load

    expected = _reference(folder)
    kinds: tuple[ArtefactKind, ...] = ("mlmodel", "mlpackage-fp16")
    for kind in kinds:
        answer = load(folder / FILE_NAMES[kind]).predict({INPUT_NAME: _picture()}, engine=engine)
        label, scores = answer[LABEL_OUTPUT], answer[PROBABILITIES_OUTPUT]
        far = max(
            abs(scores[name] - chance)
            for name, chance in zip(expected.labels, expected.probabilities, strict=True)
        )
        _require(label == expected.top1 and far <= _TOLERANCE, f"{label}, off by {far:.1e}")
    return ", ".join(kinds)


def run_apple(folder: Path) -> str:
    """Run an ML Program in Apple's runtime.

    Raises:
        ParityNotRun: this is no Mac.
    """
    from fer_convert.parity.runners import AppleRunner, predict_one

    runner = AppleRunner(folder / FILE_NAMES["mlpackage-fp16"], units="CPU_ONLY")
    _expect(_reference(folder), predict_one(runner, _picture()))
    return runner.name


def _imports() -> list[Trial]:
    return [
        Trial(group="library", name=name, work=functools.partial(import_library, name))
        for name in LIBRARIES
    ]


def _formats() -> list[Trial]:
    converters = {"torchscript": (), "onnx": ("onnx",)}
    return [
        Trial(
            group="format",
            name=kind,
            work=functools.partial(write_artefact, kind),
            after=_libraries(
                *("numpy", "torch", "torchvision"), *converters.get(kind, ("coremltools",))
            ),
        )
        for kind in get_args(ArtefactKind)
    ]


def _runtimes() -> list[Trial]:
    core_ml = ("format mlmodel", "format mlpackage-fp16")
    onnxruntime = _libraries("onnxruntime")

    def trial(name: str, work: Work, *after: str, needed: bool = True) -> Trial:
        return Trial(group="runtime", name=name, work=work, after=after, needed=needed)

    script = functools.partial(run_artefact, "torchscript")
    onnx = functools.partial(run_artefact, "onnx")
    reference = functools.partial(run_portable, "reference")
    fast = functools.partial(run_portable, "fast")
    return [
        trial("TorchScript", script, "format torchscript"),
        trial("ONNX", onnx, "format onnx", *onnxruntime),
        trial("portable reference", reference, *core_ml),
        trial("portable fast", fast, *core_ml, *onnxruntime),
        trial("Apple Core ML", run_apple, "format mlpackage-fp16", needed=False),
    ]


def _libraries(*names: str) -> tuple[str, ...]:
    return tuple(f"library {name}" for name in names)


def _source(folder: Path) -> Source:
    """The tiny network, read from a file as a build reads its checkpoint."""
    from fer_convert.source import load_source
    from fer_train.contract.preprocess import PreprocessSpec

    path = folder / "tiny.pt"
    if not path.is_file():
        _save_tiny_network(path)
    spec = json.dumps(PreprocessSpec(input_size=_SIDE).to_dict())
    return load_source(path, labels="affectnet-folders", preprocess=spec)


def _save_tiny_network(path: Path) -> None:
    import torch
    from torch import nn

    from fer_train.contract.labels import EMOTIONS

    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    network.append(nn.Linear(16, len(EMOTIONS)))
    with torch.no_grad():
        network[-1].weight.mul_(10)  # decided answers instead of eight times 0.125
    example = torch.zeros(1, 3, _SIDE, _SIDE)
    traced = torch.jit.trace(network.eval(), example)  # type: ignore[no-untyped-call]
    torch.jit.save(traced, str(path))  # type: ignore[no-untyped-call]


def _picture() -> NDArray[np.uint8]:
    import numpy as np

    return np.random.default_rng(0).integers(0, 256, (_SIDE, _SIDE, 3), dtype=np.uint8)


def _reference(folder: Path) -> Prediction:
    from fer_convert.parity.runners import CheckpointRunner, predict_one

    return predict_one(CheckpointRunner(_source(folder)), _picture())


def _expect(expected: Prediction, answer: Prediction) -> None:
    far = float(abs(answer.probabilities - expected.probabilities).max())
    _require(answer.top1 == expected.top1 and far <= _TOLERANCE, f"{answer.top1}, off by {far:.1e}")


def _require(right: bool, answer: str) -> None:
    if not right:
        raise ValueError(f"it does not answer as the network does: {answer}")
