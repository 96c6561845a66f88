"""Trace the network once (every format starts here) and save the trace."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from fer_convert.artefact import SCHEMA
from fer_convert.source.model import Source
from fer_train.contract.files import write_bytes

if TYPE_CHECKING:
    import torch


def trace(source: Source) -> torch.jit.ScriptModule:
    """Return the exportable network as TorchScript: image -> (probabilities, logits).

    The logits are divided by the checkpoint's temperature: the probabilities are their softmax.

    Operations that a converter would refuse are rewritten, see `rewriting` and `pooling`.
    """
    import torch

    from fer_convert.export.network import ExportableNetwork, example_input
    from fer_convert.export.pooling import with_plain_pooling
    from fer_convert.export.rewriting import rewritten

    example = example_input(source)
    with torch.no_grad():
        # The check of torch itself compares two runs in memory; parity compares what is on disk.
        traced: torch.jit.ScriptModule = torch.jit.trace(  # type: ignore[no-untyped-call]
            ExportableNetwork(source), example, check_trace=False
        )
    return with_plain_pooling(rewritten(traced), example)


def save_torchscript(traced: torch.jit.ScriptModule, path: Path, *, contract: str) -> None:
    """Write the trace with the contract as an extra file of the archive.

    Neither frozen nor optimised: freezing folds BatchNorm into the convolutions and changes the
    last bits.
    """
    import torch

    # In memory first: on a full disk torch's own file writer does not raise, it ends the process.
    buffer = io.BytesIO()
    torch.jit.save(  # type: ignore[no-untyped-call]
        traced, buffer, _extra_files={SCHEMA: contract.encode()}
    )
    write_bytes(path, buffer.getvalue())
