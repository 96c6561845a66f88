"""A run as a document: plain primitives ready for JSON, from which page and card are rendered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np

from fer_train.config.options import DEFAULTS, flag, option_names
from fer_train.config.phase import Phase
from fer_train.contract.architectures import build_model
from fer_train.contract.checkpoint import read_checkpoint
from fer_train.contract.errors import FerError
from fer_train.contract.files import sha256_file, size_bytes
from fer_train.contract.page.figures import percent
from fer_train.contract.terms import Terms, starting_point
from fer_train.learning.calibration import calibration_record, fit_temperature
from fer_train.learning.pruning import saved_when
from fer_train.learning.statistics import average_intervals, f1_interval, wilson
from fer_train.report.judgement import judge_fit, one_sided, same_class_mix
from fer_train.report.mistakes import describe_mistakes, shown_split
from fer_train.run_folder import RunRecord


def build_document(record: RunRecord) -> dict[str, Any]:
    """Return everything that report and model card say about a run.

    What the run did not measure is None or empty, never a guess.

    Raises:
        FerError: a file of the run is damaged.
    """
    counts = record.data.get("counts", {})
    splits = {
        name: describe_split(figures)
        for name in ("val", "test")
        if (figures := record.figures(name)) is not None
    }
    shown = shown_split(list(splits))
    found = None if shown is None else record.evaluated(shown)
    return {
        "name": record.name,
        "root": str(record.folder.root),
        "arch": record.options.get("arch", "unknown"),
        "complete": record.complete,
        "changed_at": record.changed_at.strftime("%Y-%m-%d %H:%M UTC"),
        "resume": record.folder.resume_command(),
        "selection": record.selection,
        "best_epoch": record.best_epoch(),
        "best_stage": _best_stage(record),
        "splits": splits,
        "calibration": calibration_of(record),
        "mistakes": None
        if found is None or shown is None
        else describe_mistakes(record, found, split=shown),
        "history": [dict(row) for row in record.history],
        "events": list(_events(record)),
        "fit": _fit(record, counts),
        "pruning": _pruning(record),
        "recipe": _recipe(record),
        "terms": asdict(Terms.from_config(record.options)),
        "data": dict(record.data),
        "model": _model(record),
        "machine": _machine(record),
        "versions": _versions(record),
    }


def describe_split(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return one split's figures with 95 % intervals, per class too, and its confusion matrix.

    ``one_sided`` is a sentence's end where nearly all answers are one class, else None.

    A class that was never predicted has no precision, one without images no recall: None.
    """
    confusion = np.array(figures["confusion"], dtype=np.int64)
    labels = list(figures["per_class"])
    hits, support, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    total = int(confusion.sum())
    averages = average_intervals(confusion)
    return {
        "images": total,
        "labels": labels,
        "loss": figures.get("loss"),
        "cross_entropy": figures.get("cross_entropy"),
        "accuracy": figures["accuracy"],
        "accuracy_interval": list(wilson(int(hits.sum()), total)) if total else None,
        **{name: figures[name] for name in averages},
        **{f"{name}_interval": list(interval) for name, interval in averages.items()},
        "per_class": [
            {
                "label": label,
                "support": int(support[i]),
                "predicted": int(predicted[i]),
                "precision": _share(hits[i], predicted[i]),
                "recall": _share(hits[i], support[i]),
                "f1": {
                    "value": float(2 * hits[i] / (support[i] + predicted[i])),
                    "interval": list(f1_interval(int(hits[i]), int(support[i]), int(predicted[i]))),
                }
                if support[i] and support[i] + predicted[i]
                else None,
            }
            for i, label in enumerate(labels)
        ],
        "one_sided": one_sided(confusion.tolist(), labels),
        "confusion": confusion.tolist(),
        "confusion_shares": (confusion / np.maximum(support, 1)[:, None]).tolist(),
    }


def sparsity_of(record: RunRecord) -> float:
    """Return the share of zeros in convolutions and linears of best.pt, 0..1."""
    weights = sum(weights for _, weights, _ in record.sparsity)
    return sum(zeros for _, _, zeros in record.sparsity) / weights if weights else 0.0


def speed_of(record: RunRecord) -> tuple[float | None, float | None]:
    """Return seconds of training (validation excluded) and the median of images per second."""
    seconds = [row["seconds"] for row in record.history if "seconds" in row]
    rates = [row["images_per_second"] for row in record.history if "images_per_second" in row]
    return (sum(seconds) if seconds else None), (median(rates) if rates else None)


def calibration_of(record: RunRecord) -> dict[str, Any]:
    """Return split -> `calibration_record`, as the run recorded it; empty without answers.

    Runs of earlier versions recorded none: theirs is computed from their answers.

    Raises:
        FerError: a file of answers is damaged.
    """
    recorded: dict[str, Any] = dict(record.metrics.get("calibration") or {})
    missing = [n for n in ("val", "test") if record.figures(n) is not None and n not in recorded]
    if not missing:
        return recorded
    val = record.evaluated("val")
    if val is None or not len(val.answers.logits):
        return recorded
    # As a run does it today: the temperature is chosen on val and only applied to test.
    temperature = fit_temperature(val.answers)
    for name in missing:
        found = record.evaluated(name)
        if found is not None and len(found.answers.logits):
            recorded[name] = calibration_record(
                found.answers, temperature=temperature, fitted_on="val"
            )
    return recorded


def _share(hits: int, of: int) -> dict[str, Any] | None:
    if not of:
        return None
    return {"value": float(hits / of), "interval": list(wilson(int(hits), int(of)))}


def _fit(record: RunRecord, counts: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    same_mix = same_class_mix(counts)
    fit = judge_fit(record.history, selection=record.selection, same_mix=same_mix)
    return {"verdict": fit.verdict, "sentence": fit.sentence, "same_mix": same_mix}


def _events(record: RunRecord) -> Iterator[dict[str, Any]]:
    """Yield phases and prunings, each with the epochs between which it happened as a half."""
    phases = record.resolved.get("phases", [])
    for before, row in pairwise(record.history):
        if row.get("phase") != before.get("phase"):
            number = int(row["phase"])
            known = number <= len(phases)
            what = Phase(**phases[number - 1]).describe() if known else ""
            short = f"phase {number}"
            yield {
                "epoch": row["epoch"] - 0.5,
                "kind": "phase",
                "short": short,
                "text": f"{short} {what}".strip(),
            }
    for step in (record.metrics.get("pruning") or {}).get("steps", []):
        share = percent(step["sparsity"])
        yield {
            "epoch": step["after_epoch"] + 0.5,
            "kind": "pruning",
            "short": "pruned",
            "text": f"{share} of the weights pruned after epoch {step['after_epoch']}",
        }


def _best_stage(record: RunRecord) -> str | None:
    epoch = record.best_epoch()
    return None if epoch is None else saved_when(epoch, record.metrics.get("pruning"))


def _pruning(record: RunRecord) -> dict[str, Any] | None:
    """Return figures before, right after and at the best epoch since, and zeros per layer."""
    pruning = record.metrics.get("pruning")
    if not pruning:
        return None
    test_before = pruning.get("before_test")
    # fertrain prune starts before any epoch of its own.
    epoch = pruning.get("from_epoch")
    before = f"epoch {epoch}" if epoch else "the checkpoint given"
    stages = [
        ("val", f"before ({before})", pruning.get("before")),
        ("val", "right after pruning, no recovery", pruning.get("after")),
        ("val", f"best.pt ({_best_stage(record)})", record.figures("val")),
        ("test", "before", test_before),
        ("test", "best.pt", record.figures("test") if test_before else None),
    ]
    names = ("accuracy", "balanced_accuracy", "macro_f1", "cross_entropy")
    return {
        "target": pruning.get("target"),
        "scope": pruning.get("scope"),
        "steps": pruning.get("steps", []),
        "sparsity": sparsity_of(record),
        "weights": sum(weights for _, weights, _ in record.sparsity),
        "stages": [
            {"split": split, "stage": stage, **{name: figures.get(name) for name in names}}
            for split, stage, figures in stages
            if figures is not None
        ],
        "layers": [
            {"layer": layer, "weights": weights, "zeros": zeros, "share": zeros / max(weights, 1)}
            for layer, weights, zeros in record.sparsity
        ],
    }


def _recipe(record: RunRecord) -> dict[str, Any]:
    place = option_names(lambda option: option.get("no_news") == "anywhere")
    options = [
        {
            "option": flag(name),
            "value": option_text(name, value),
            "default": option_text(name, default),
            "differs": name not in place and option_text(name, value) != option_text(name, default),
        }
        for name, value in record.options.items()
        for default in (DEFAULTS.get(name),)
    ]
    return {
        "options": options,
        "differing": [option for option in options if option["differs"]],
        "phases": [Phase(**phase).describe() for phase in record.resolved.get("phases", [])],
        "class_weights": record.resolved.get("class_weights", {}),
        "augmentation": record.resolved.get("augmentation", {}),
        "preprocess": record.resolved.get("preprocess", {}),
        "starts_from": starting_point(record.options),
    }


def option_text(name: str, value: Any) -> str:
    """Return an option's value as a person would type it; empty for "not given"."""
    if name == "phases":
        return ", ".join(Phase(**phase).describe() for phase in value or ())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _model(record: RunRecord) -> dict[str, Any]:
    best = record.folder.best
    there = record.complete and best.is_file()
    return {
        "parameters": _parameters(record),
        "bytes": size_bytes(best) if there else None,
        "sha256": sha256_file(best) if there else None,
    }


def _parameters(record: RunRecord) -> int | None:
    labels = (record.figures("val") or {}).get("per_class")
    if not labels:
        return None
    try:
        model = build_model(record.options["arch"], num_classes=len(labels), device="meta")
    except (FerError, KeyError):
        return None
    return sum(parameter.numel() for parameter in model.parameters())


def _machine(record: RunRecord) -> dict[str, Any]:
    seconds, rate = speed_of(record)
    return {
        "device": record.resolved.get("device"),
        "bf16": record.resolved.get("bf16", False),
        "processes": record.resolved.get("processes", 1),
        "epochs": len(record.history),
        "seconds": seconds,
        "images_per_second": rate,
    }


def _versions(record: RunRecord) -> dict[str, str]:
    """Return what the checkpoint was made with; a run's records do not repeat it."""
    for path in (record.folder.best, record.folder.last):
        try:
            return dict(read_checkpoint(path).created_with)
        except FerError:
            continue
    return {}
