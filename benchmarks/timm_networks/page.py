"""Everything found, as docs/timm-models.md."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from timm_networks.building import IMAGES, LABELS, result_path
from timm_networks.comparing import logits_path
from timm_networks.networks import SIZES
from timm_networks.training import EPOCHS, FACES_OF_A_CLASS, PHONES, SIDE, trained_path
from timm_networks.words import INTRODUCTION, REASONS, TABLE, TRAINED

KINDS = ("torchscript", "onnx", "mlmodel", "mlpackage-fp32", "mlpackage-fp16")

Result = dict[str, Any]


def document(work: Path) -> str:
    """The page, as Markdown."""
    found = {
        name: json.loads(result_path(work, name).read_text())
        for name in SIZES
        if result_path(work, name).exists()
    }
    results = {
        name: result
        for name, result in found.items()
        if "error" in result or logits_path(work, name).exists()
    }
    built = {name: result for name, result in results.items() if "error" not in result}
    passed = {
        kind: sum(_of(result, kind)["verdict"] == "PASS" for result in built.values())
        for kind in KINDS
    }
    versions = next(iter(built.values()))["versions"]
    same = sum(_half(result, "same_network") == "PASS" for result in built.values())
    rows = [_row(work, name, results[name]) for name in SIZES if name in results]
    reasons = [line for name, result in results.items() for line in _reasons(name, result)]
    left = [name for name in SIZES if name not in results]
    parts = [
        INTRODUCTION.format(
            networks=len(results),
            built=len(built),
            images=IMAGES,
            labels=LABELS,
            versions=", ".join(
                f"{name} {versions[name]}"
                for name in ("timm", "torch", "coremltools", "onnx", "onnxruntime", "numpy")
            ),
            passed="\n".join(
                f"* **{kind}**: {n} of {len(built)} PASS" for kind, n in passed.items()
            ),
            same=same,
        ),
        TABLE.format(images=IMAGES),
        f"| network | px | spread | {' | '.join(KINDS)} | half precision |",
        "|---|---|---|" + "---|" * len(KINDS) + "---|",
        *rows,
        REASONS,
        *(reasons or ["Nothing."]),
        *([f"\nNot run: {', '.join(left)}."] if left else []),
        *_trained(work),
    ]
    return "\n".join(parts) + "\n"


def _of(result: Result, kind: str) -> Result:
    """A format's entry in a report: that of the runtime that judges it everywhere."""
    found: Result = next(a for a in result["artefacts"] if a["kind"] == kind)
    return found


def _half(result: Result, question: str) -> str:
    judged = _of(result, "mlpackage-fp16")["half_precision"]
    return judged[question]["verdict"] if judged else "NOT RUN"


def _row(work: Path, name: str, result: Result) -> str:
    if "error" in result:
        return f"| {name} | {SIZES[name]} | | " + "refused | " * len(KINDS) + "|"
    logits = json.loads(logits_path(work, name).read_text())
    cells = [_cell(_of(result, kind), logits["differences"].get(kind)) for kind in KINDS]
    half = f"{_half(result, 'same_network')}, {_half(result, 'precise_enough')}"
    spread = f"{logits['spread']:.1f}"
    return f"| {name} | {SIZES[name]} | {spread} | {' | '.join(cells)} | {half} |"


def _cell(artefact: Result, difference: float | str | None) -> str:
    if difference is None:
        return "not built"
    if isinstance(difference, str):
        return "does not run"
    verdict = artefact["verdict"]
    return f"{difference:.0e}" + ("" if verdict == "PASS" else f" {verdict}")


def _reasons(name: str, result: Result) -> Iterator[str]:
    if "error" in result:
        yield f"* {name}: {_shortened(result['error'])}"
        return
    for kind in KINDS:
        artefact = _of(result, kind)
        for reason in artefact["reasons"]:
            yield f"* {name}, {kind}, {artefact['verdict']}: {_shortened(reason)}"


def _trained(work: Path) -> Iterator[str]:
    found = {
        name: json.loads(trained_path(work, name).read_text())
        for name in PHONES
        if trained_path(work, name).exists()
    }
    if not found:
        return
    faces = len(next(iter(found.values()))["report"]["images"])
    yield TRAINED.format(
        networks=len(found), side=SIDE, epochs=EPOCHS, each=FACES_OF_A_CLASS, faces=faces
    )
    kinds = " | ".join(KINDS)
    yield f"| network | weights before | accuracy | balanced | {kinds} | half precision |"
    yield "|---|---|---|---|" + "---|" * len(KINDS) + "---|"
    for name, result in found.items():
        measured, report = result["eval"]["metrics"], result["report"]
        cells = [_probability(_of(report, kind)) for kind in KINDS]
        half = f"{_half(report, 'same_network')}, {_half(report, 'precise_enough')}"
        figures = f"{measured['accuracy']:.3f} | {measured['balanced_accuracy']:.3f}"
        yield f"| {name} | {result['weights']} | {figures} | {' | '.join(cells)} | {half} |"
    reasons = [line for name, result in found.items() for line in _reasons(name, result["report"])]
    yield "\n" + ("\n".join(reasons) if reasons else "All of them are PASS.")


def _probability(artefact: Result) -> str:
    return f"{artefact['summary']['max_abs_dp']:.0e}" + (
        "" if artefact["verdict"] == "PASS" else f" {artefact['verdict']}"
    )


def _shortened(text: str) -> str:
    return " ".join(text.split())[:240]
