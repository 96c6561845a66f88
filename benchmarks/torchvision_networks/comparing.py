"""A saved file, run by the portable runtime, against the answers of PyTorch."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import numpy as np

from torchvision_networks.converting import IMAGES, PICTURES_SEED
from torchvision_networks.jobs import WAYS, Job, Result, isolated, result_of
from torchvision_networks.networks import SIZES, pictures

Array = np.ndarray[Any, Any]


def compare_network(work: Path, limit: float, network: tuple[str, str]) -> None:
    """Every saved file that has not been compared, or could not be."""
    format_name, model = network
    for way in WAYS:
        job = Job(work, model, format_name, way)
        converted = result_of(job.converted_path)
        if not converted or "error" in converted:
            continue
        if "differences" not in result_of(job.compared_path):
            isolated(compare, job, job.compared_path, limit)


def compare(job: Job) -> Result:
    """Run the saved file, in the precision it declares; an fp16 file also with nothing rounded but
    its weights."""
    from fer_convert.coreml_runtime import UnsupportedOperation, load_program

    start = time.perf_counter()
    precisions = ("declared", "fp32") if job.format == "fp16" else ("declared",)
    answers: dict[str, list[tuple[Array, Array]]] = {name: [] for name in precisions}
    try:
        program = load_program(job.saved)
        logits_name = program.logits_name
        assert logits_name is not None
        for image in pictures(SIZES[job.model], IMAGES, PICTURES_SEED):
            for precision, found in answers.items():
                values = program.run(
                    {"image": image},
                    precision=precision,  # type: ignore[arg-type]
                    capture=[logits_name],
                )
                scores = values[program.probabilities_name]
                found.append((scores.reshape(-1), values[logits_name].reshape(-1)))
    except UnsupportedOperation as error:
        return {"error": str(error), "missing": missing_operations(str(error))}
    with np.load(job.reference_path) as saved:
        references = dict(saved)
    return {
        "differences": {name: differences(found, references) for name, found in answers.items()},
        "operations": sum(n for name, n in program.operation_counts.items() if name != "const"),
        "seconds": time.perf_counter() - start,
    }


def differences(found: list[tuple[Array, Array]], references: dict[str, Array]) -> Result:
    """How far the runtime is from PyTorch eager in fp32; ``to_fp64`` from PyTorch in fp64."""
    scores, logits = (np.stack(part) for part in zip(*found, strict=True))
    expected = references["fp32.logits"]
    relative = np.abs(logits - expected).max(axis=1) / np.abs(expected).max(axis=1)
    return {
        "dp": float(np.abs(scores - references["fp32.probabilities"]).max()),
        "dlogit": float(relative.max()),
        "same": int((scores.argmax(axis=1) == expected.argmax(axis=1)).sum()),
        "to_fp64": to_fp64(logits, references),
    }


def to_fp64(logits: Array, references: dict[str, Array]) -> float:
    """Distance of all logits from those of PyTorch in fp64, over the length of the latter."""
    truth = references["fp64.logits"]
    error = logits.astype(np.float64) - truth
    return float(np.linalg.norm(error) / np.linalg.norm(truth))


def missing_operations(error: str) -> list[str]:
    """The operation types that an `UnsupportedOperation` of loading names; options are not."""
    _, found, listed = error.partition(" of this model: ")
    return re.findall(r"([\w.]+) '", listed) if found else []
