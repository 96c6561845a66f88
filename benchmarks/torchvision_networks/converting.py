"""A network -> a saved Core ML file, and the answers of PyTorch beside it."""

from __future__ import annotations

import copy
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from torchvision_networks.jobs import WAYS, Job, Result, isolated, result_of
from torchvision_networks.networks import CLASSES, SIZES, Classifier, as_batch, build, pictures

IMAGES = 8
PICTURES_SEED = 3
#: PyTorch's answers are kept in three precisions: fp32 is what a file must reproduce; fp64 tells
#: whose rounding a difference is; PyTorch's own half is what an fp16 file may be measured by.
PRECISIONS = {"fp32": torch.float32, "fp64": torch.float64, "fp16": torch.float16}


def convert_network(work: Path, limit: float, network: tuple[str, str]) -> None:
    """Trace; the other ways only if that has failed."""
    format_name, model = network
    for way in WAYS:
        job = Job(work, model, format_name, way)
        if not job.converted_path.exists():
            isolated(convert, job, job.converted_path, limit)
        if way == "trace" and "error" not in result_of(job.converted_path):
            break


def convert(job: Job) -> Result:
    """Convert and save."""
    import coremltools as ct

    classifier = build(job.model)
    size = SIZES[job.model]
    if not job.reference_path.exists():
        partial = job.work / f"{job.stem}.npz"
        np.savez(partial, **answers(classifier, size))
        partial.replace(job.reference_path)

    start = time.perf_counter()
    target: dict[str, Any] = {"minimum_deployment_target": ct.target.iOS16}
    if job.format == "neuralnetwork":
        target = {"convert_to": "neuralnetwork", "minimum_deployment_target": ct.target.iOS14}
    else:
        names = {"fp32": ct.precision.FLOAT32, "fp16": ct.precision.FLOAT16}
        target["compute_precision"] = names[job.format]
    model = ct.convert(
        captured(classifier, size, job.way),
        inputs=[ct.ImageType(name="image", shape=(1, 3, size, size))],
        classifier_config=ct.ClassifierConfig([f"class-{i}" for i in range(CLASSES)]),
        skip_model_load=True,
        **target,
    )
    model.save(str(job.saved))
    result = {
        "seconds": time.perf_counter() - start,
        "parameters": sum(p.numel() for p in classifier.parameters()),
    }
    return result | ({"moved": moved(classifier, size)} if job.way == "rewrite" else {})


def captured(classifier: Classifier, size: int, way: str) -> Any:
    """The network as coremltools takes it, probabilities alone."""
    from fer_convert.export.network import ProbabilitiesOnly
    from fer_convert.export.rewriting import rewritten

    example = torch.full((1, 3, size, size), 127.5)
    if way == "export":
        program = torch.export.export(ProbabilitiesOnly(classifier).eval(), (example,))
        return program.run_decompositions({})
    module = rewritten(_traced(classifier, size)) if way == "rewrite" else classifier
    return torch.jit.trace(ProbabilitiesOnly(module).eval(), example, check_trace=False)  # type: ignore[no-untyped-call]


def _traced(classifier: Classifier, size: int) -> torch.jit.ScriptModule:
    example = torch.full((1, 3, size, size), 127.5)
    trace: torch.jit.ScriptModule = torch.jit.trace(classifier, example, check_trace=False)  # type: ignore[no-untyped-call]
    return trace


@torch.no_grad()
def moved(classifier: Classifier, size: int) -> Result:
    """By how much rewriting a trace changes its answers in fp32."""
    from fer_convert.export.rewriting import rewritten

    rewrite, largest = rewritten(_traced(classifier, size)), {"dp": 0.0, "dlogit": 0.0}
    for image in pictures(size, IMAGES, PICTURES_SEED):
        batch = as_batch(image[None])
        for name, seen, given in zip(largest, rewrite(batch), classifier(batch), strict=True):
            largest[name] = max(largest[name], float((seen - given).abs().max()))
    return largest


@torch.no_grad()
def answers(classifier: Classifier, size: int) -> dict[str, np.ndarray[Any, Any]]:
    """``{fp32,fp64,fp16}.{probabilities,logits}``, each ``[IMAGES, CLASSES]``, of PyTorch eager."""
    found = {}
    for name, dtype in PRECISIONS.items():
        network = copy.deepcopy(classifier).to(dtype)
        parts = [
            network(as_batch(image[None]).to(dtype))
            for image in pictures(size, IMAGES, PICTURES_SEED)
        ]
        for key, part in zip(("probabilities", "logits"), zip(*parts, strict=True), strict=True):
            found[f"{name}.{key}"] = torch.cat(part).numpy()
    return found
