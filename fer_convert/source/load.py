"""Tell what a file is and have it read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from fer_convert.source.exported import from_exported
from fer_convert.source.factory import from_factory, is_factory
from fer_convert.source.fertrain import from_checkpoint
from fer_convert.source.given import Given, understand
from fer_convert.source.model import Source
from fer_convert.source.onnx_file import from_onnx
from fer_convert.source.state_dict import from_weights
from fer_convert.source.torchscript import from_torchscript
from fer_train.contract.file_kind import FileKind, file_kind
from fer_train.contract.torch_file import parse_classes, unneeded_classes
from fer_train.contract.weights_file import read_weights

#: Kinds of files that are whole networks, and their readers.
_PROGRAMS: Mapping[FileKind, Callable[[Path, Given], Source]] = MappingProxyType(
    {"torchscript": from_torchscript, "exported-program": from_exported, "onnx": from_onnx}
)


def load_source(
    path: Path | str,
    *,
    arch: str | None = None,
    labels: str | None = None,
    custom_labels: str | None = None,
    preprocess: str | None = None,
    output: str | None = None,
    allow_class: str | None = None,
) -> Source:
    """Read a checkpoint of any accepted kind.

    Args:
        arch: needed for a bare state dict: a name, or ``package.module:function``, whose code is
            then imported and run.
        labels: needed for all but fertrain's own: names in logit order separated by
            commas, or the name of a known order (``LABEL_ORDERS``).
        custom_labels: names in ``labels`` that are no emotions and are meant so, with commas.
        preprocess: likewise: a JSON file or inline JSON, see `pixels.parse_preprocess`.
        output: needed for a program with several outputs: the position or name of its scores.
        allow_class: full names of classes that may be beside the weights, with commas; their code
            is not run.

    Raises:
        NotFound, CheckpointCorrupt, CheckpointPickled, CheckpointError, ArchitectureMismatch,
        NonFiniteWeights, LabelMismatch, InstallationBroken: see the contract; each has its exit
            code.
    """
    file = Path(path)
    given = understand(
        arch=arch,
        labels=labels,
        custom_labels=custom_labels,
        preprocess=preprocess,
        output=output,
    )
    allow = parse_classes(allow_class)
    program = _PROGRAMS.get(file_kind(file))
    if program is not None:
        return _noted(program(file, given), unneeded_classes(allow))
    # Whatever else is no file of weights is refused there, each kind with its own way out.
    weights = read_weights(file, reader="ferconv", allow=allow)
    if weights.own:
        return _noted(from_checkpoint(file, given), weights.taken)
    if given.arch is not None and is_factory(given.arch):
        return from_factory(file, weights, given)
    return from_weights(file, weights, given)


def _noted(source: Source, sentences: Iterable[str]) -> Source:
    said = tuple(f"{source.path}: {sentence}." for sentence in sentences)
    return replace(source, notes=(*said, *source.notes))
