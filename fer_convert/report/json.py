"""The report as one JSON document: the truth the other formats are views of.

Numbers that JSON lacks are the strings ``"nan"``, ``"inf"`` and ``"-inf"``.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fer_convert.export.log import LOG
from fer_convert.parity.measures import rms_abs_dp
from fer_convert.parity.result import ArtefactParity, Cost, ImageMeasure, Prediction, Subject
from fer_convert.parity.thresholds import THRESHOLDS
from fer_convert.report.model import Face, Report
from fer_convert.report.questions import half_precision_questions

SCHEMA, SCHEMA_VERSION = "ferconv.report", 1

#: The figures of a cost, in the order in which a page lists them, and what it calls them.
COST_FIGURES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro-F1",
    "ece": "ECE",
}

Document = dict[str, Any]


def to_document(report: Report) -> Document:
    """Return the report as JSON-ready primitives."""
    own = {subject_name(s): s.parity.thresholds for s in report.subjects}
    used = dict(THRESHOLDS) | own if report.command == "build" else own
    document = {
        "schema": SCHEMA,
        "version": SCHEMA_VERSION,
        "command": report.command,
        "verdict": report.verdict,
        "gate_verdict": report.gate_verdict,
        "gated": report.gated,
        "publication": {
            "choice": report.publication.choice,
            "form": report.publication.form,
            "kind": report.publication.kind,
            "passed_over": list(report.publication.passed_over),
            "not_judged": list(report.publication.not_judged),
        },
        "created_at": report.created_at,
        "warnings": list(report.warnings),
        "not_run": [
            {
                "kind": subject_name(s),
                "runtime": s.parity.runtime,
                "reasons": list(s.parity.reasons),
            }
            for s in report.subjects
            if s.parity.verdict == "NOT RUN"
        ],
        "refused": [s.parity.key for s in report.subjects if s.parity.refused],
        "log": LOG,
        "checkpoint": asdict(report.checkpoint),
        "contract": dict(report.contract),
        "thresholds": {key: asdict(limits) for key, limits in used.items()},
        "artefacts": [artefact_row(subject) for subject in report.subjects],
        "images": _images(report),
        "stages": [asdict(stage) for stage in report.stages],
        "machine": dict(report.machine),
        "versions": dict(report.versions),
    }
    return {key: _plain(value) for key, value in document.items()}


def subject_name(subject: Subject) -> str:
    """What a row is called."""
    return subject.title or subject.parity.key


def artefact_row(subject: Subject) -> Document:
    """Return all that one runtime said about one file."""
    parity, artefact = subject.parity, subject.artefact
    return {
        "kind": parity.key,
        "title": subject_name(subject),
        "verdict": parity.verdict,
        "required": parity.required,
        "runtime": parity.runtime,
        "reasons": list(parity.reasons),
        "warnings": list(parity.warnings),
        "file": None
        if artefact is None
        else {
            "name": artefact.path.name,
            "bytes": artefact.bytes,
            "sha256": artefact.sha256,
            "precision": artefact.precision,
            "storage": artefact.storage,
            "conversion_seconds": artefact.seconds,
            "note": artefact.note,
        },
        "thresholds": asdict(parity.thresholds),
        "checks": [asdict(check) for check in parity.checks],
        "half_precision": half_precision_questions(parity),
        "summary": _summary(parity) if parity.measures else None,
        "cost": None if parity.cost is None else _cost(parity.cost),
        "images": [
            {**asdict(measure), **_prediction(prediction)}
            for measure, prediction in zip(parity.measures, parity.predictions, strict=True)
        ],
    }


def _summary(parity: ArtefactParity) -> Document:
    """Worst figures over all images, and which image was the worst."""
    measures = parity.measures
    assert parity.worst is not None
    return {
        "images": len(measures),
        "worst_image": parity.worst.image,
        "max_abs_dp": parity.max_abs_dp,
        "mean_abs_dp": _mean(measures, "mean_abs_dp"),
        "min_psnr_db": parity.min_psnr_db,
        "min_cosine": _extreme(measures, "cosine", largest=False),
        "max_kl": _extreme(measures, "kl", largest=True),
        "top1_agreement": parity.top1_agreement,
        "rank_agreement": sum(m.ranks_agree for m in measures) / len(measures),
        "flips": list(parity.flips),
        "rms_abs_dp": rms_abs_dp(measures),
        "half_max_abs_dp": _extreme(parity.half, "max_abs_dp", largest=True),
        "half_images": len(parity.half),
        "half_rms_abs_dp": rms_abs_dp(parity.half) if parity.half else None,
        "milliseconds_per_image": parity.milliseconds,
    }


def _cost(cost: Cost) -> Document:
    figures = {name: getattr(cost, name) for name in COST_FIGURES}
    return {
        "images": cost.images,
        **{
            name: {
                "before": change.before,
                "after": change.after,
                "difference": change.difference,
                "interval": list(change.interval),
            }
            for name, change in figures.items()
        },
        "right_to_wrong": list(cost.lost),
        "wrong_to_right": list(cost.won),
        "chance": cost.chance,
    }


def _mean(measures: tuple[ImageMeasure, ...], field: str) -> float:
    return math.fsum(getattr(m, field) for m in measures) / len(measures)


def _extreme(measures: tuple[ImageMeasure, ...], field: str, *, largest: bool) -> float | None:
    values = [float(getattr(m, field)) for m in measures]
    if not values:
        return None
    if any(math.isnan(value) for value in values):
        return math.nan
    return max(values) if largest else min(values)


def _prediction(prediction: Prediction) -> Document:
    values = zip(prediction.labels, prediction.probabilities.tolist(), strict=True)
    return {"top1": prediction.top1, "probabilities": dict(values)}


def _images(report: Report) -> list[Document]:
    references = _references(report)
    return [
        {
            "name": face.name,
            "kind": face.kind,
            "label": face.label,
            "box": face.box,
            "region": face.region,
            "reference": references.get(face.name),
            "thumbnail": _thumbnail(face),
        }
        for face in report.faces
    ]


def _references(report: Report) -> dict[str, Document]:
    """Return the checkpoint's own prediction of each image; every parity was given the same."""
    for parity in (subject.parity for subject in report.subjects):
        if parity.measures:
            pairs = zip(parity.measures, parity.references, strict=True)
            return {measure.image: _prediction(reference) for measure, reference in pairs}
    return {}


def _thumbnail(face: Face) -> Document | None:
    if face.thumbnail is None:
        return None
    return {
        "png_base64": base64.b64encode(face.thumbnail).decode("ascii"),
        "exact_pixels": face.exact,
    }


def _plain(value: Any) -> Any:
    """Return ``value`` with tuples as lists and with numbers JSON lacks as strings."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value
