"""Tell what a file is and have it read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fer_convert.source.fertrain import from_checkpoint
from fer_convert.source.given import understand
from fer_convert.source.model import Source
from fer_convert.source.state_dict import from_weights
from fer_convert.source.torchscript import from_torchscript
from fer_train.contract.file_kind import file_kind
from fer_train.contract.torch_file import parse_classes, unneeded_classes
from fer_train.contract.weights_file import read_weights


def load_source(
    path: Path | str,
    *,
    arch: str | None = None,
    labels: str | None = None,
    custom_labels: str | None = None,
    preprocess: str | None = None,
    allow_class: str | None = None,
) -> Source:
    """Read a checkpoint of any accepted kind.

    Args:
        arch: needed for a bare state dict.
        labels: needed for a state dict and TorchScript: names in logit order separated by
            commas, or the name of a known order (``LABEL_ORDERS``).
        custom_labels: names in ``labels`` that are no emotions and are meant so, with commas.
        preprocess: likewise: a JSON file or inline JSON with `PreprocessSpec`'s fields.
        allow_class: full names of classes that may be beside the weights, with commas; their code
            is not run.

    Raises:
        NotFound, CheckpointCorrupt, CheckpointPickled, CheckpointError, ArchitectureMismatch,
        NonFiniteWeights, LabelMismatch, InstallationBroken: see the contract; each has its exit
            code.
    """
    file = Path(path)
    given = understand(arch=arch, labels=labels, custom_labels=custom_labels, preprocess=preprocess)
    allow = parse_classes(allow_class)
    if file_kind(file) == "torchscript":
        return replace(from_torchscript(file, given), taken=tuple(unneeded_classes(allow)))
    # Whatever else is no file of weights is refused there, each kind with its own way out.
    weights = read_weights(file, reader="ferconv", allow=allow)
    if weights.own:
        return replace(from_checkpoint(file, given), taken=weights.taken)
    return from_weights(file, weights, given)
