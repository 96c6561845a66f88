"""Read plain weights: the architecture, the labels and the pixels must be given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fer_convert.source.given import Given, assumptions
from fer_convert.source.model import Source, make_source, named_network, require_classes
from fer_train.contract.architectures import Architecture, architecture
from fer_train.contract.checkpoint import validate_weights
from fer_train.contract.errors import ArchitectureMismatch, CheckpointError
from fer_train.contract.labels import LABEL_ORDERS


def from_state_dict(file: Path, record: Any, given: Given) -> Source:
    """Build the network that plain weights belong to.

    Args:
        record: what the file holds.

    Raises:
        CheckpointError: no state dict, or something is not given.
        ArchitectureMismatch, NonFiniteWeights, LabelMismatch: they do not fit what was given.
    """
    import torch

    if not isinstance(record, dict) or not all(
        isinstance(v, torch.Tensor) for v in record.values()
    ):
        seen = sorted(map(str, record))[:6] if isinstance(record, dict) else type(record).__name__
        raise CheckpointError(
            f"{file} is neither a fertrain checkpoint nor a bare state dict: it holds {seen}.",
            hint="Save the state dict alone: torch.save(model.state_dict(), 'weights.pt').",
        )
    arch, labels, spec = given.arch, given.labels, given.spec
    if arch is None or labels is None or spec is None:
        raise CheckpointError(
            f"{file} is a bare state dict: it does not say which architecture it belongs to, what "
            "its classes are called or how its pixels were prepared.",
            hint=f"Give --arch, --labels (names in order, or one of {', '.join(LABEL_ORDERS)}) and "
            "--preprocess.",
        )
    head = record.get(f"{_known_architecture(arch).linear}.weight")
    if head is not None:
        require_classes(file, len(head), labels)
    validate_weights(record, arch=arch, num_classes=len(labels), source=file)
    return make_source(
        file,
        kind="state dict",
        architecture=arch,
        labels=labels,
        spec=spec,
        network=named_network(arch, len(labels), record),
        notes=assumptions(given),
    )


def _known_architecture(name: str) -> Architecture:
    try:
        return architecture(name)
    except ArchitectureMismatch as error:
        raise ArchitectureMismatch(
            error.message,
            hint=f"{error.hint}\n  Any other network: load the weights into it, and give the "
            "TorchScript file that torch.jit.trace makes of it.",
        ) from None
