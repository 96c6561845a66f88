"""Read best.pt and last.pt: they know everything, and nothing may contradict them."""

from __future__ import annotations

from pathlib import Path

from fer_convert.source.given import Given
from fer_convert.source.model import Source, make_source, named_network
from fer_train.contract.checkpoint import read_checkpoint
from fer_train.contract.errors import ArchitectureMismatch, CheckpointError, LabelMismatch
from fer_train.contract.labels import describe_order


def from_checkpoint(file: Path, given: Given) -> Source:
    """Read a checkpoint of fertrain.

    Raises:
        LabelMismatch, ArchitectureMismatch, CheckpointError: what was given contradicts it, or
            `read_checkpoint` refuses it.
    """
    checkpoint = read_checkpoint(file)
    if given.labels is not None and given.labels != checkpoint.labels:
        raise LabelMismatch(
            f"--labels contradicts {file}: it was trained on {describe_order(checkpoint.labels)}.",
            hint=f"--labels says {describe_order(given.labels)}. Leave the option out: the "
            "checkpoint knows.",
        )
    if given.arch is not None and given.arch != checkpoint.arch:
        raise ArchitectureMismatch(
            f"--arch {given.arch} contradicts {file}, which holds {checkpoint.arch}.",
            hint="Leave the option out: the checkpoint knows.",
        )
    if given.spec is not None and given.spec != checkpoint.preprocess:
        raise CheckpointError(
            f"--preprocess contradicts {file}: it was trained with {checkpoint.preprocess}.",
            hint="Leave the option out: the checkpoint knows.",
        )
    best = checkpoint.train_state is None
    newest = f"{file} holds the newest weights of a run, not its best; see best.pt."
    return make_source(
        file,
        kind="best" if best else "last",
        architecture=checkpoint.arch,
        labels=checkpoint.labels,
        spec=checkpoint.preprocess,
        network=named_network(checkpoint.arch, len(checkpoint.labels), checkpoint.model),
        recorded=checkpoint,
        notes=() if best else (newest,),
    )
