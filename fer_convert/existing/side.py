"""One side of a comparison: a file, what it says about itself, and what can run it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fer_convert.artefact import SCHEMA, ArtefactKind, Precision
from fer_convert.source import load_source
from fer_convert.source.model import Source
from fer_train.contract.errors import (
    ArtefactError,
    CheckpointError,
    FerError,
    NotFound,
    UnsupportedOperation,
)
from fer_train.contract.file_kind import file_kind
from fer_train.contract.preprocess import MAX_INPUT_SIZE, MIN_INPUT_SIZE, PreprocessSpec

if TYPE_CHECKING:
    from fer_convert.coreml_runtime.program import Program

#: ``network``: a checkpoint, or a program that takes normalised pixels.
SideKind = Literal["network"] | ArtefactKind

CORE_ML: tuple[ArtefactKind, ...] = ("mlmodel", "mlpackage-fp32", "mlpackage-fp16")

#: Operations that store weights in fewer bits than they are computed in. Sparse weights are exact.
_COARSE_WEIGHTS = ("constexpr_affine", "constexpr_blockwise", "constexpr_lut", "constexpr_cast")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What the user says about files that do not say it themselves; see `load_source`."""

    arch: str | None = None
    labels: str | None = None
    custom_labels: str | None = None
    preprocess: str | None = None
    output: str | None = None
    allow_class: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A file that can be compared.

    Attributes:
        kind: ``network``, or the artefact it is.
        labels: in the order of its scores.
        spec: which pixels it gets; None for a Core ML file that says no more than its size.
        input_size: side of its input in pixels; None if it does not say.
        contract: what it carries or, of a network, what its artefacts must carry; None for a file
            of somebody else's.
        precision: ``fp16`` where weights or values are stored in less than full precision.
        source: of a network.
        notes: sentences for the user.
    """

    path: Path
    kind: SideKind
    labels: tuple[str, ...]
    spec: PreprocessSpec | None
    input_size: int | None
    contract: Mapping[str, Any] | None
    precision: Precision = "fp32"
    storage: Literal["dense", "sparse"] = "dense"
    source: Source | None = None
    notes: tuple[str, ...] = field(default=())


def open_side(path: Path, words: Words) -> Side:
    """Tell what a file is, and read what it says about itself.

    Raises:
        FerError: it is not there, damaged, or neither a network nor an artefact.
    """
    readers: Mapping[str, Callable[[Path], Side | None]] = {
        "torchscript": _torchscript,
        "onnx": _onnx,
        "mlmodel": _core_ml,
        "mlpackage": _core_ml,
        "nested-mlpackage": _core_ml,
        "mlmodelc": _core_ml,
    }
    if not path.exists():
        raise NotFound(f"There is no file {path}.")
    # What is damaged beyond recognition is read as what its name says, and so told.
    named = _core_ml if path.suffix in (".mlmodel", ".mlpackage") else None
    reader = readers.get(file_kind(path), named)
    return (reader(path) if reader else None) or _network(path, words)


def _network(path: Path, words: Words) -> Side:
    from fer_convert.artefact import contract_record

    source = load_source(
        path,
        arch=words.arch,
        labels=words.labels,
        custom_labels=words.custom_labels,
        preprocess=words.preprocess,
        output=words.output,
        allow_class=words.allow_class,
    )
    return Side(
        path=path,
        kind="network",
        labels=source.labels,
        spec=source.preprocess,
        input_size=source.preprocess.input_size,
        contract=contract_record(source, demo=source.synthetic),
        source=source,
        notes=source.notes,
    )


def _torchscript(path: Path) -> Side | None:
    """A file that ``ferconv build`` wrote; None for any other program."""
    with zipfile.ZipFile(path) as archive:
        held = [name for name in archive.namelist() if name.endswith(f"/extra/{SCHEMA}")]
        text = archive.read(held[0]).decode("utf-8", "replace") if held else None
    return None if text is None else _with_contract(path, "torchscript", text)


def _onnx(path: Path) -> Side | None:
    import onnx

    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception:  # `load_source` says what is wrong with it
        return None
    text = {entry.key: entry.value for entry in model.metadata_props}.get(SCHEMA)
    return None if text is None else _with_contract(path, "onnx", text)


def _core_ml(path: Path) -> Side:
    from fer_convert import coreml_runtime

    program = coreml_runtime.load_program(path)
    kind, precision = _core_ml_kind(program)
    storage: Literal["dense", "sparse"] = (
        "sparse" if any("sparse" in name for name in program.operation_counts) else "dense"
    )
    text = program.metadata.user.get(SCHEMA)
    if text is not None:
        return _with_contract(program.path, kind, text, precision=precision, storage=storage)
    image = next((feature for feature in program.inputs if feature.kind == "image"), None)
    if image is None or not program.labels or image.width != image.height:
        raise UnsupportedOperation(
            f"{path} is not a classifier of one square image; nothing else is compared.",
        )
    return Side(
        path=program.path,
        kind=kind,
        labels=tuple(str(label) for label in program.labels),
        spec=None,
        input_size=image.width,
        contract=None,
        precision=precision,
        storage=storage,
    )


def _core_ml_kind(program: Program) -> tuple[ArtefactKind, Precision]:
    values = [o for op in program.graph.operations for o in op.outputs if not o.inner]
    coarse = any(value.element.name == "fp16" for value in values) or _has_coarse_weights(program)
    precision: Precision = "fp16" if coarse else "fp32"
    if program.format == "neuralnetwork":
        return "mlmodel", precision
    return ("mlpackage-fp16" if coarse else "mlpackage-fp32"), precision


def _has_coarse_weights(program: Program) -> bool:
    if any(name.startswith(_COARSE_WEIGHTS) for name in program.operation_counts):
        return True
    bound = [c for op in program.graph.operations for all_ in op.arguments.values() for c in all_]
    return any(
        # Of a NeuralNetwork: integers of a few bits say how they are read only to their layer.
        not isinstance(c, str) and (c.read_as is not None or c.element.name == "fp16")
        for c in bound
    )


def _with_contract(
    path: Path,
    kind: ArtefactKind,
    text: str,
    *,
    precision: Precision = "fp32",
    storage: Literal["dense", "sparse"] = "dense",
) -> Side:
    try:
        contract = json.loads(text)
        labels = tuple(str(label) for label in contract["labels"])
        spec = PreprocessSpec.from_dict(contract["preprocess"])
    except (FerError, KeyError, TypeError, ValueError) as error:
        raise ArtefactError(
            f"{path} carries an {SCHEMA} that cannot be read: {error}",
            hint="Make it again with ferconv build.",
        ) from error
    return Side(
        path=path,
        kind=kind,
        labels=labels,
        spec=spec,
        input_size=spec.input_size,
        contract=contract,
        precision=precision,
        storage=storage,
    )


def pixels_of(reference: Side, others: list[Side], words: Words) -> tuple[PreprocessSpec, str]:
    """Return the spec by which pictures are cropped for everybody, and a note on what is assumed.

    The reference's counts; where it says nothing, that of the first file which says it.

    Raises:
        CheckpointError: nobody says how large the input is.
    """
    known = [side.spec for side in (reference, *others) if side.spec is not None]
    if reference.spec is not None:
        return reference.spec, ""
    if known:
        return known[0], f"{reference.path.name} carries no contract: it gets the others' pixels."
    size = reference.input_size
    if size is None or not MIN_INPUT_SIZE <= size <= MAX_INPUT_SIZE:
        raise CheckpointError(
            f"{reference.path} takes {size} pixels.",
            hint=f"Compared are networks of {MIN_INPUT_SIZE} to {MAX_INPUT_SIZE} pixels.",
        )
    margin = PreprocessSpec(input_size=size).crop_margin
    return PreprocessSpec(input_size=size), (
        f"No file carries a contract: pictures are resized to {size} x {size} px, and a face box "
        f"is grown by a crop margin of {margin:g}."
    )
