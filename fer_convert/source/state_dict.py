"""Read plain weights: the architecture, the labels and the pixels must be given."""

from __future__ import annotations

from pathlib import Path

from fer_convert.source.given import Given, assumptions
from fer_convert.source.model import Source, make_source, named_network, require_classes
from fer_train.contract.architectures import Architecture, architecture
from fer_train.contract.checkpoint import validate_weights
from fer_train.contract.errors import ArchitectureMismatch, CheckpointError
from fer_train.contract.labels import LABEL_ORDERS
from fer_train.contract.weights_file import WeightsFile
from fer_train.contract.weights_names import reconcile

_ANY_OTHER = (
    "Any other network, or a head of several layers: name a Python function that builds it, --arch "
    "package.module:function; or load the weights into it, and give the TorchScript file that "
    "torch.jit.trace makes of it."
)


def from_weights(file: Path, weights: WeightsFile, given: Given) -> Source:
    """Build the network that plain weights belong to.

    Args:
        weights: what the file holds.

    Raises:
        CheckpointError: something is not given.
        ArchitectureMismatch, NonFiniteWeights, LabelMismatch: they do not fit what was given.
    """
    arch, labels, spec = given.arch, given.labels, given.spec
    if arch is None or labels is None or spec is None:
        raise CheckpointError(
            f"{file} is a bare state dict: it does not say which architecture it belongs to, what "
            "its classes are called or how its pixels were prepared.",
            hint=f"Give --arch, --labels (names in order, or one of {', '.join(LABEL_ORDERS)}) and "
            "--preprocess.",
        )
    chosen = _known_architecture(arch)
    named = reconcile(weights.state, chosen)
    # Its own number of classes first: what does not belong to the architecture is worse.
    head = named.state.get(f"{chosen.linear}.weight")
    outputs = len(labels) if head is None or head.dim() != 2 else len(head)
    try:
        validate_weights(named.state, arch=arch, num_classes=outputs, source=file)
    except ArchitectureMismatch as error:
        raise _with_way_out(error) from None
    require_classes(file, outputs, labels)
    return make_source(
        file,
        kind="state dict",
        architecture=arch,
        labels=labels,
        spec=spec,
        network=named_network(arch, len(labels), named.state),
        notes=(
            *(f"{file}: {sentence}." for sentence in (*weights.taken, *named.said)),
            *assumptions(given),
        ),
    )


def _known_architecture(name: str) -> Architecture:
    try:
        return architecture(name)
    except ArchitectureMismatch as error:
        raise _with_way_out(error) from None


def _with_way_out(error: ArchitectureMismatch) -> ArchitectureMismatch:
    return ArchitectureMismatch(error.message, hint=f"{error.hint}\n  {_ANY_OTHER}")
