"""Read a program of ``torch.export`` (``.pt2``): the labels and the pixels must be given."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from fer_convert.source.form import find_form
from fer_convert.source.given import Given, assumptions, require_words
from fer_convert.source.model import Source, make_source
from fer_convert.source.scores import adapt
from fer_convert.source.tracing import trace_in_form
from fer_train.contract.errors import CheckpointCorrupt, CheckpointError, CheckpointPickled

if TYPE_CHECKING:
    import torch
    from torch import nn


#: How a part begins that torch.load would unpickle: torch's own archives, and bare pickles. Raw
#: weights, as later versions of torch write them, do not.
_PICKLES = (b"PK\x03\x04", *(b"\x80" + bytes([protocol]) for protocol in range(2, 6)))


def from_exported(file: Path, given: Given) -> Source:
    """Load an exported program, as a network that takes one image.

    Raises:
        CheckpointError: something is not given, another version wrote it, or `adapt` refuses it.
        CheckpointPickled: it carries more than tensors and primitives.
        CheckpointCorrupt, NonFiniteWeights, LabelMismatch, ConversionFailed: see the contract.
    """
    labels, spec = require_words(file, given, kind="an exported program")
    exported = _load(file)
    network: nn.Module = exported.module()
    # They only hold callers to the example's batch size, which is found out by trying.
    network._forward_pre_hooks.clear()
    network = network.float().requires_grad_(False)
    form = find_form(file, network, spec=spec, batches=_batch_sizes(exported))
    program = trace_in_form(file, network, form=form, spec=spec)
    adapted = adapt(program, spec=spec, labels=labels, output=given.output, file=file, form=form)
    return make_source(
        file,
        kind="exported program",
        architecture=given.arch or "exported",
        labels=labels,
        spec=spec,
        network=adapted.network.eval(),
        notes=(*assumptions(given), *adapted.notes),
    )


def _load(file: Path) -> torch.export.ExportedProgram:
    import torch

    content = file.read_bytes()
    _refuse_code(file, content)
    try:
        return torch.export.load(io.BytesIO(content))
    except Exception as error:  # its reader fails in as many ways as there are versions
        lines = str(error).strip().splitlines()
        raise CheckpointError(
            f"{file} is an exported program that torch {torch.__version__} cannot read.",
            hint=f"It says: {lines[0] if lines else type(error).__name__}. Export it with this "
            "version of torch, or give the TorchScript file that torch.jit.trace makes.",
        ) from error


def _batch_sizes(exported: torch.export.ExportedProgram) -> list[int]:
    """Return the batch size of the example, if the program may hold on to it."""
    inputs = [
        node for node in exported.graph.nodes if node.name in exported.graph_signature.user_inputs
    ]
    first = inputs[0].meta["val"].shape[:1] if inputs else ()
    return [size for size in first if isinstance(size, int) and size > 1]


def _refuse_code(file: Path, content: bytes) -> None:
    """Refuse pickles that would run code: torch.export.load itself would run them.

    Raises:
        CheckpointCorrupt: the archive is damaged.
        CheckpointPickled: a part needs more than tensors and primitives.
    """
    import torch

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        raise CheckpointCorrupt(f"{file} is a damaged or truncated archive: {error}.") from error
    for name, part in parts.items():
        if part.startswith(_PICKLES):
            try:
                torch.load(io.BytesIO(part), map_location="cpu", weights_only=True)
            except pickle.UnpicklingError as error:
                raise CheckpointPickled(
                    f"{file} holds {name}, a pickled Python object; loading it would run whatever "
                    "code it carries, so it is refused.",
                    hint="Export the network alone, with a plain tensor as its example input.",
                ) from error
            except (RuntimeError, EOFError, ValueError, KeyError) as error:
                raise CheckpointCorrupt(f"{file} is damaged: {name} cannot be read.") from error
