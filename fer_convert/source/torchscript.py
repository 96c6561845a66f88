"""Read a TorchScript program: the labels and the pixels must be given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fer_convert.source.given import Given, assumptions, require_words
from fer_convert.source.model import Source, make_source
from fer_convert.source.scores import adapt
from fer_train.contract.errors import CheckpointCorrupt, NonFiniteWeights

if TYPE_CHECKING:
    import torch


def from_torchscript(file: Path, given: Given) -> Source:
    """Load a program and find out what form it takes pixels in and what its scores are.

    Raises:
        CheckpointError: something is not given, or `adapt` refuses it.
        CheckpointCorrupt, NonFiniteWeights, LabelMismatch: see the contract.
    """
    import torch

    labels, spec = require_words(file, given, kind="a TorchScript program")
    try:
        loaded = torch.jit.load(str(file), map_location="cpu")  # type: ignore[no-untyped-call]
        network: torch.jit.ScriptModule = loaded.float().eval()
    except RuntimeError as error:
        raise CheckpointCorrupt(f"{file} is not a readable TorchScript program.") from error
    bad = [k for k, v in network.state_dict().items() if not bool(torch.isfinite(v).all())]
    if bad:
        raise NonFiniteWeights(f"{file} holds NaN or infinite values, first in {bad[0]}.")
    adapted = adapt(network, spec=spec, labels=labels, output=given.output, file=file)
    return make_source(
        file,
        kind="torchscript",
        architecture=given.arch or "torchscript",
        labels=labels,
        spec=spec,
        network=adapted.network.eval(),
        notes=(*assumptions(given), *adapted.notes),
    )
