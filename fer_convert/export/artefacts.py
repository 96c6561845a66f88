"""The converting stages of a build: one trace, then one artefact after the other."""

from __future__ import annotations

import gc
import shutil
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fer_convert.artefact import FILE_NAMES, Artefact, ArtefactKind, Description, Refusal
from fer_convert.export.log import ConverterLog
from fer_convert.export.quiet import converting
from fer_convert.export.sparse import Storage
from fer_convert.progress import Progress
from fer_convert.source.model import Source
from fer_train.contract.errors import CannotWrite, ConversionFailed
from fer_train.contract.files import sha256_tree, size_bytes
from fer_train.contract.page.figures import size_text

if TYPE_CHECKING:
    import torch


#: Space an artefact needs while it is made, as a multiple of the float32 weights: coremltools
#: writes an ML Program's weights to a temporary folder first.
_SPACE: Mapping[ArtefactKind, float] = {
    "torchscript": 1.0,
    "onnx": 1.0,
    "mlmodel": 1.0,
    "mlpackage-fp32": 2.0,
    "mlpackage-fp16": 1.5,
}


def convert_all(
    source: Source,
    folder: Path,
    *,
    kinds: Sequence[ArtefactKind],
    required: Collection[ArtefactKind] = (),
    description: Description,
    storage: Storage,
    progress: Progress,
) -> list[Artefact | Refusal]:
    """Write the artefacts, and `ConverterLog`, into ``folder``.

    Args:
        required: kinds without which the others are worth nothing.

    Returns:
        What became of each kind, in the order given; at least one was made.

    Raises:
        ConversionFailed: the network cannot be traced, or a required kind, or every kind, was
            refused by its converter.
        CannotWrite: the disk is, or would become, full.
    """
    from fer_convert.export.torchscript import trace

    require_space(source, folder, kinds=kinds)
    results: list[Artefact | Refusal] = []
    log = ConverterLog()
    with tempfile.TemporaryDirectory(prefix=".work.", dir=folder) as name:
        workspace = Path(name)
        with progress.stage("trace"), converting("trace", workspace=workspace, log=log):
            traced = trace(source)
        for kind in kinds:
            path = folder / FILE_NAMES[kind]
            with progress.stage(f"convert {kind}") as stage:
                start = time.perf_counter()
                try:
                    with converting(path.name, workspace=workspace, log=log):
                        note = _convert(kind, traced, path, source, description, storage)
                except ConversionFailed as error:
                    if kind in required or len(kinds) == 1:
                        raise
                    _discard(path)  # what it had written before it gave up
                    results.append(Refusal(kind=kind, reason=error.hint or error.message))
                    stage.outcome = "refused"
                else:
                    seconds = time.perf_counter() - start
                    artefact = _artefact(kind, path, storage=storage, seconds=seconds, note=note)
                    stage.bytes = artefact.bytes
                    results.append(artefact)
                # A converter's graph is full of cycles; freed late, two of them would add up.
                gc.collect()
    if all(isinstance(result, Refusal) for result in results):
        raise _all_refused(results) from RuntimeError(log.text)  # which FER_DEBUG=1 shows
    log.write(folder)
    return results


def _discard(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _all_refused(results: Sequence[Artefact | Refusal]) -> ConversionFailed:
    reasons = [f"{r.kind}: {r.reason}" for r in results if isinstance(r, Refusal)]
    return ConversionFailed("Every converter refused this network.", hint="\n  ".join(reasons))


def require_space(source: Source, folder: Path, *, kinds: Sequence[ArtefactKind]) -> None:
    """Refuse to start what cannot end.

    Raises:
        CannotWrite: the artefacts will not fit on the disk of ``folder``.
    """
    needed = int(source.weight_bytes * sum(_SPACE[kind] for kind in kinds))
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise CannotWrite(
            f"Not enough space beside {folder.parent}: about {size_text(needed)} are needed, "
            f"{size_text(free)} are free.",
            hint="Free some space, choose another --out, or make fewer artefacts with --only.",
        )


def _convert(
    kind: ArtefactKind,
    traced: torch.jit.ScriptModule,
    path: Path,
    source: Source,
    description: Description,
    storage: Storage,
) -> str:
    """Write one artefact; return a note on it, mostly empty."""
    from fer_convert.export import coreml, onnx, torchscript

    match kind:
        case "torchscript":
            torchscript.save_torchscript(traced, path, contract=description.contract)
        case "onnx":
            return onnx.save_onnx(traced, path, source=source, description=description)
        case "mlmodel":
            network = coreml.convert_neuralnetwork(traced, source=source, description=description)
            coreml.save_coreml(network, path)
        case "mlpackage-fp32" | "mlpackage-fp16":
            program = coreml.convert_mlprogram(
                traced,
                source=source,
                description=description,
                precision="fp16" if kind == "mlpackage-fp16" else "fp32",
                storage=storage,
            )
            coreml.save_coreml(program, path)
    return ""


def _artefact(
    kind: ArtefactKind, path: Path, *, storage: Storage, seconds: float, note: str
) -> Artefact:
    return Artefact(
        kind=kind,
        path=path,
        precision="fp16" if kind == "mlpackage-fp16" else "fp32",
        storage=storage if kind.startswith("mlpackage") else "dense",
        bytes=size_bytes(path),
        sha256=sha256_tree(path),
        seconds=seconds,
        note=note,
    )
