"""Tell what a file is and have it read."""

from __future__ import annotations

from pathlib import Path

from fer_convert.source.fertrain import from_checkpoint
from fer_convert.source.given import understand
from fer_convert.source.model import Source
from fer_convert.source.state_dict import from_state_dict
from fer_convert.source.torchscript import from_torchscript
from fer_train.contract.checkpoint import FORMAT, is_torchscript, load_weights_only


def load_source(
    path: Path | str,
    *,
    arch: str | None = None,
    labels: str | None = None,
    custom_labels: str | None = None,
    preprocess: str | None = None,
    output: str | None = None,
) -> Source:
    """Read a checkpoint of any accepted kind.

    Args:
        arch: needed for a bare state dict.
        labels: needed for a state dict and TorchScript: names in logit order separated by
            commas, or the name of a known order (``LABEL_ORDERS``).
        custom_labels: names in ``labels`` that are no emotions and are meant so, with commas.
        preprocess: likewise: a JSON file or inline JSON, see `pixels.parse_preprocess`.
        output: needed for a program with several outputs: the position or name of its scores.

    Raises:
        NotFound, CheckpointCorrupt, CheckpointPickled, CheckpointError, ArchitectureMismatch,
        NonFiniteWeights, LabelMismatch: see the contract; each has its exit code.
    """
    file = Path(path)
    given = understand(
        arch=arch,
        labels=labels,
        custom_labels=custom_labels,
        preprocess=preprocess,
        output=output,
    )
    if file.is_file() and is_torchscript(file):
        return from_torchscript(file, given)
    record = load_weights_only(file, plain_weights="give --arch, --labels, --preprocess")
    if isinstance(record, dict) and record.get("format") == FORMAT:
        del record  # up to three times the weights in last.pt: not to be held twice
        return from_checkpoint(file, given)
    return from_state_dict(file, record, given)
