"""The converting stages of a build: one trace, then one artefact after the other."""

from __future__ import annotations

import gc
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fer_convert.artefact import FILE_NAMES, Artefact, ArtefactKind, Description
from fer_convert.export.quiet import converting
from fer_convert.export.sparse import Storage
from fer_convert.progress import Progress
from fer_convert.source.model import Source
from fer_train.contract.errors import CannotWrite
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
    description: Description,
    storage: Storage,
    progress: Progress,
) -> list[Artefact]:
    """Write the artefacts into ``folder``.

    Raises:
        ConversionFailed: a converter refused the network; nothing after it is tried.
        CannotWrite: the disk is, or would become, full.
    """
    from fer_convert.export.torchscript import trace

    require_space(source, folder, kinds=kinds)
    artefacts = []
    with tempfile.TemporaryDirectory(prefix=".work.", dir=folder) as name:
        workspace = Path(name)
        with progress.stage("trace"), converting("trace", workspace=workspace):
            traced = trace(source)
        for kind in kinds:
            path = folder / FILE_NAMES[kind]
            with progress.stage(f"convert {kind}") as stage:
                start = time.perf_counter()
                with converting(path.name, workspace=workspace):
                    _convert(kind, traced, path, source, description, storage)
                # A converter's graph is full of cycles; freed late, two of them would add up.
                gc.collect()
                artefact = _artefact(
                    kind, path, storage=storage, seconds=time.perf_counter() - start
                )
                stage.bytes = artefact.bytes
            artefacts.append(artefact)
    return artefacts


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
) -> None:
    from fer_convert.export import coreml, onnx, torchscript

    match kind:
        case "torchscript":
            torchscript.save_torchscript(traced, path, contract=description.contract)
        case "onnx":
            onnx.save_onnx(traced, path, source=source, description=description)
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


def _artefact(kind: ArtefactKind, path: Path, *, storage: Storage, seconds: float) -> Artefact:
    return Artefact(
        kind=kind,
        path=path,
        precision="fp16" if kind == "mlpackage-fp16" else "fp32",
        storage=storage if kind.startswith("mlpackage") else "dense",
        bytes=size_bytes(path),
        sha256=sha256_tree(path),
        seconds=seconds,
    )
