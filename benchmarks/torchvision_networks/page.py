"""Everything found, as docs/torchvision-models.md."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from torchvision_networks.comparing import to_fp64
from torchvision_networks.converting import IMAGES
from torchvision_networks.jobs import FORMATS, WAYS, Job, Result, result_of
from torchvision_networks.networks import CLASSES, SIZES, family, missing_families
from torchvision_networks.words import (
    AFTER_WAYS,
    FAILED,
    HALF_IS_NAN,
    INTRODUCTION,
    OTHER_WAYS,
    ROUNDING,
    TABLE,
    VERDICTS,
)

TITLES = {
    "neuralnetwork": "neuralnetwork",
    "fp32": "ML Program fp32",
    "fp16": "ML Program fp16",
}


def document(work: Path) -> str:
    """The page, as Markdown.

    Raises:
        SystemExit: torchvision has a family of classifiers that was left out.
    """
    if missing := missing_families():
        raise SystemExit(f"torchvision also has {', '.join(sorted(missing))}: add them to SIZES.")
    failures = [line for job in _tried(work) for line in reasons(job)]
    parts = [
        INTRODUCTION.format(
            networks=len(SIZES),
            families=len(set(map(family, SIZES))),
            images=IMAGES,
            classes=CLASSES,
            versions=_versions(),
        ),
        VERDICTS,
        *_verdicts(work),
        "",
        TABLE.format(images=IMAGES),
        *_main_table(work),
        "",
        ROUNDING,
        *_rounding_table(work),
        *_not_a_number(work),
        "",
        OTHER_WAYS.rstrip(),
        *_rewrites(work),
        AFTER_WAYS,
        FAILED,
        *(failures or ["Nothing."]),
    ]
    return "\n".join(parts)


def cell(job: Job, precision: str = "declared") -> str:
    """Δp, Δlogit and perhaps how many top classes agree; or why there is no such figure."""
    converted, compared = result_of(job.converted_path), result_of(job.compared_path)
    if not converted:
        return "not tried"
    if "error" in converted:
        return "not converted"
    if compared.get("missing"):
        return "missing operation"
    if "differences" not in compared:
        return "failed" if compared else "not compared"
    found = compared["differences"][precision]
    agreed = "" if found["same"] == IMAGES else f" ({found['same']} of {IMAGES})"
    return f"{found['dp']:.0e}, {found['dlogit']:.0e}{agreed}"


def reasons(job: Job) -> list[str]:
    """Why a conversion or a comparison failed, as items of a list."""
    converted, compared = result_of(job.converted_path), result_of(job.compared_path)
    title = f"* {job.model}, {job.format}, {job.way}"
    if "error" in converted:
        return [f"{title}, converting: {_shortened(converted['error'])}"]
    if compared.get("missing"):
        return [f"{title}, the runtime lacks: {', '.join(compared['missing'])}"]
    return [f"{title}, running: {_shortened(compared['error'])}"] if "error" in compared else []


def _shortened(text: str) -> str:
    """One line of code, as far as it belongs on a page."""
    return f"`{' '.join(text.replace('`', chr(39)).split())[:160]}`"


def _tried(work: Path) -> Iterable[Job]:
    for model in sorted(SIZES):
        for way in WAYS:
            jobs = [Job(work, model, name, way) for name in FORMATS]
            if way == "trace" or any(job.converted_path.exists() for job in jobs):
                yield from jobs


def _main_table(work: Path) -> Iterable[str]:
    titles = [f"{title} Δp, Δlogit" for title in TITLES.values()]
    yield f"| network | px | way | {' | '.join(titles)} | fp16 file in fp32 Δp, Δlogit |"
    yield "|---|---|---|---|---|---|---|"
    for job in _tried(work):
        if job.format != "fp16":
            continue  # one row for the three formats
        cells = [cell(Job(work, job.model, name, job.way)) for name in FORMATS]
        cells.append(cell(job, "fp32"))
        yield f"| {job.model} | {SIZES[job.model]} | {job.way} | {' | '.join(cells)} |"


def _rounding_table(work: Path) -> Iterable[str]:
    yield "| network | PyTorch fp32 | neuralnetwork | ML Program fp32 | PyTorch half | fp16 file |"
    yield "|---|---|---|---|---|---|"
    for model in sorted(SIZES):
        pytorch = _pytorch_to_fp64(work, model)
        files = {name: _to_fp64(_usable(work, model, name)) for name in FORMATS}
        figures = [
            *(pytorch["fp32"], files["neuralnetwork"], files["fp32"]),
            *(pytorch["fp16"], files["fp16"]),
        ]
        cells = ["NaN" if math.isnan(figure) else f"{figure:.1e}" for figure in figures]
        yield f"| {model} | {' | '.join(cells)} |"


def _not_a_number(work: Path) -> Iterable[str]:
    found = [model for model in sorted(SIZES) if math.isnan(_pytorch_to_fp64(work, model)["fp16"])]
    if found:
        yield HALF_IS_NAN.format(networks=", ".join(found)).rstrip()


def _rewrites(work: Path) -> Iterable[str]:
    for model in sorted(SIZES):
        found = result_of(Job(work, model, "fp32", "rewrite").converted_path).get("moved")
        if found:
            dp, dlogit = (format(found[k], ".0e") if found[k] else "0" for k in ("dp", "dlogit"))
            yield f"| {model} | {dp} | {dlogit} |"


def _verdicts(work: Path) -> Iterable[str]:
    """One line for each column of the main table."""
    for name, title in TITLES.items():
        jobs = [_usable(work, model, name) for model in SIZES]
        results = [r for job in jobs if (r := result_of(job.compared_path).get("differences"))]
        rewritten = sum(job.way == "rewrite" for job in jobs)
        same = sum(result["declared"]["same"] for result in results)
        baseline = "fp16" if name == "fp16" else "fp32"
        every = [_to_fp64(job) / _pytorch_to_fp64(work, job.model)[baseline] for job in jobs]
        ratios = [ratio for ratio in every if not math.isnan(ratio)]
        own = "half" if name == "fp16" else "fp32"
        where = f", where that is a number ({len(ratios)})" if len(ratios) < len(jobs) else ""
        yield (
            f"* **{title}**: {len(results)} of {len(jobs)} networks convert and run"
            f" ({rewritten} of them rewritten); the top class agrees on {same} of"
            f" {IMAGES * len(results)} pictures; the distance to PyTorch fp64 is {min(ratios):.1f}"
            f" to {max(ratios):.1f} times (median {float(np.median(ratios)):.1f}) that of PyTorch's"
            f" own {own}{where}."
        )
    jobs = [_usable(work, model, "fp16") for model in SIZES]
    pairs = [result_of(job.compared_path)["differences"] for job in jobs]
    shares = [pair["fp32"]["to_fp64"] / pair["declared"]["to_fp64"] for pair in pairs]
    yield (
        f"* **fp16 file in fp32**: rounding the weights alone makes {min(shares):.0%} to"
        f" {max(shares):.0%} (median {float(np.median(shares)):.0%}) of the fp16 file's error."
    )


def _usable(work: Path, model: str, format_name: str) -> Job:
    """The way that ferconv takes: the trace, rewritten where it must be."""
    trace = Job(work, model, format_name, "trace")
    failed = "error" in result_of(trace.converted_path)
    return Job(work, model, format_name, "rewrite") if failed else trace


def _to_fp64(job: Job) -> float:
    result: Result = result_of(job.compared_path).get("differences", {})
    return float(result["declared"]["to_fp64"]) if result else float("nan")


def _pytorch_to_fp64(work: Path, model: str) -> dict[str, float]:
    with np.load(Job(work, model, "fp32", "trace").reference_path) as saved:
        references = dict(saved)
    return {name: to_fp64(references[f"{name}.logits"], references) for name in ("fp32", "fp16")}


def _versions() -> str:
    from importlib.metadata import version

    names = ("torch", "torchvision", "coremltools", "numpy")
    return ", ".join(f"{name} {version(name).partition('+')[0]}" for name in names)
