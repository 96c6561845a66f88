"""Runs side by side: their figures, what differs in their recipes, whether chance explains it.

One document; as a table on the terminal, or as a page with the runs' curves over each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_train.config.options import flag
from fer_train.contract.files import size_bytes
from fer_train.contract.page import figures
from fer_train.learning.statistics import larger_than_chance, mcnemar
from fer_train.report.curves import Series, line_chart
from fer_train.report.html import page_environment
from fer_train.report.model import calibration_of, option_text, sparsity_of, speed_of
from fer_train.report.names import figure_name
from fer_train.run_folder import Evaluated, RunRecord, read_run

#: Figures of one split in the table.
MEASURED = ("accuracy", "balanced_accuracy", "macro_f1")

#: Colours in report.css; further runs use them again.
_COLOURS = 8


def compare_runs(paths: Sequence[Path]) -> tuple[dict[str, Any], list[RunRecord]]:
    """Return the comparison as a JSON-ready document, and the runs, in its order: the best first.

    Runs are ordered by the validation figure that chose their best epochs, because nothing should
    be chosen on test; the other figures are of test where every run has them.

    Raises:
        NotFound: a folder is no run, or has no finished epoch.
        FerError: a damaged file.
    """
    records = [read_run(path) for path in paths]
    selections = {record.selection for record in records}
    by = selections.pop() if len(selections) == 1 else "macro_f1"
    records.sort(key=lambda record: _rank(_selected(record, by), by))
    names = _names(records)
    split = "test" if all(record.figures("test") for record in records) else "val"
    same_data = len({record.data.get("sha256") for record in records}) == 1
    notes = _notes(records, names, same_data=same_data, split=split)
    if selections:
        notes.append("Their best epochs were chosen by different figures; ordered by macro-F1.")
    rows = [
        _row(record, name, by=by, split=split) for record, name in zip(records, names, strict=True)
    ]
    first, second = (row["selected"] for row in rows[:2])
    rows[0]["best"] = same_data and first is not None and first != second
    test, sentence = _first_two(records, names, split=split)
    document = {
        "by": by,
        "split": split,
        "runs": rows,
        "first_two": {"mcnemar": test, "sentence": sentence},
        "differences": _differences(records),
        "notes": notes,
    }
    return document, records


def as_text(document: Mapping[str, Any]) -> str:
    """Return a comparison as tables for people."""
    header, rows = table(document)
    lines = [*_aligned([header, *rows], left=(0, 1, len(header) - 1)), ""]
    lines += [document["first_two"]["sentence"], *document["notes"], ""]
    names = [run["name"] for run in document["runs"]]
    if document["differences"]:
        lines.append("What differs in their options:")
        differing = [
            [d["option"], *(v or "-" for v in d["values"])] for d in document["differences"]
        ]
        lines += _aligned([["", *names], *differing], left=range(len(names) + 1))
    else:
        lines.append("Their options do not differ.")
    return "\n".join(lines)


def render_comparison(document: Mapping[str, Any], records: Sequence[RunRecord]) -> str:
    """Return the page for `compare.compare_runs`' document and runs."""
    header, rows = table(document)
    names = [run["name"] for run in document["runs"]]
    styles = [f"r{index % _COLOURS}" for index in range(len(names))]
    by = document["by"]
    # Cross-entropy instead of the loss: class weights and smoothing make losses differ in kind.
    wanted = dict.fromkeys(
        (by, "accuracy", "cross_entropy") if by != "loss" else ("loss", "accuracy", "cross_entropy")
    )
    charts = [
        line_chart(
            f"Validation {figure_name(name)}",
            [
                Series(
                    name=run,
                    style=style,
                    points=[
                        (row["epoch"], row[f"val_{name}"])
                        for row in record.history
                        if f"val_{name}" in row
                    ],
                )
                for record, run, style in zip(records, names, styles, strict=True)
            ],
            share=name not in ("loss", "cross_entropy"),
        )
        for name in wanted
    ]
    return (
        page_environment()
        .get_template("compare.html.j2")
        .render(
            comparison=document,
            header=header[1:],
            rows=[row[1:] for row in rows],
            names=names,
            styles=styles,
            by=figure_name(by),
            charts=[chart for chart in charts if chart is not None],
        )
    )


def table(document: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows; a run's first cell marks the best."""
    by, split = document["by"], document["split"]
    shown = [name for name in MEASURED if not (split == "val" and name == by)]
    header = ["", "run", f"val {figure_name(by)}"]
    header += [f"{split} {figure_name(name)}" for name in (*shown, "ece")]
    header += ["epochs", "time", "images/s", "on disk", "zeros", "network"]
    rows = []
    for run in document["runs"]:
        rows.append(
            [
                "*" if run["best"] else "",
                run["name"] + ("" if run["complete"] else " (unfinished)"),
                figures.decimal(run["selected"])
                if by == "loss"
                else figures.percent(run["selected"]),
                *(figures.percent(run["figures"].get(name)) for name in (*shown, "ece")),
                str(run["epochs"]),
                figures.duration(run["seconds"]),
                figures.count(run["images_per_second"]),
                figures.size_text(run["bytes"]),
                figures.percent(run["sparsity"]),
                run["arch"],
            ]
        )
    return header, rows


def _row(record: RunRecord, name: str, *, by: str, split: str) -> dict[str, Any]:
    measured = record.figures(split)
    if measured is None and split == "val":
        measured = _unmeasured(record)
    seconds, rate = speed_of(record)
    calibration = calibration_of(record).get(split)
    best = record.folder.best
    return {
        "name": name,
        "root": str(record.folder.root),
        "complete": record.complete,
        "best": False,
        "selected": _selected(record, by),
        "figures": {
            **{key: (measured or {}).get(key) for key in MEASURED},
            "images": (measured or {}).get("images"),
            "ece": calibration["ece_before"] if calibration else None,
        },
        "epochs": len(record.history),
        "best_epoch": record.best_epoch(),
        "seconds": seconds,
        "images_per_second": rate,
        "bytes": size_bytes(best) if best.is_file() else None,
        "sparsity": sparsity_of(record),
        "arch": str(record.options.get("arch", "unknown")),
        "data_sha256": record.data.get("sha256"),
    }


def _unmeasured(record: RunRecord) -> dict[str, Any]:
    """Return the best epoch so far of an unfinished run, from its history."""
    best = record.best_epoch()
    row = next((row for row in record.history if row["epoch"] == best), {})
    return {name: row.get(f"val_{name}") for name in (*MEASURED, "loss")}


def _selected(record: RunRecord, by: str) -> float | None:
    figure = (record.figures("val") or _unmeasured(record)).get(by)
    return None if figure is None else float(figure)


def _rank(value: float | None, by: str) -> tuple[bool, float]:
    if value is None:
        return True, 0.0
    return False, value if by == "loss" else -value


def _names(records: Sequence[RunRecord]) -> list[str]:
    """Return the folders' names, or their paths where two have the same name."""
    names = [record.name for record in records]
    if len(set(names)) < len(names):
        return [str(record.folder.root) for record in records]
    return names


def _notes(
    records: Sequence[RunRecord], names: Sequence[str], *, same_data: bool, split: str
) -> list[str]:
    notes = []
    if not same_data:
        prints = [
            f"{name} {(record.data.get('sha256') or 'none')[:8]}"
            for record, name in zip(records, names, strict=True)
        ]
        notes.append(
            "Not comparable: the runs were not made on the same data (fingerprints "
            f"{', '.join(prints)}), so no best one is marked."
        )
    if split == "val" and any(record.figures("test") for record in records):
        notes.append("Not every run measured test, so the figures are of val.")
    unfinished = [n for r, n in zip(records, names, strict=True) if not r.complete]
    if unfinished:
        notes.append(f"Unfinished, with the best epoch so far: {', '.join(unfinished)}.")
    return notes


def _first_two(
    records: Sequence[RunRecord], names: Sequence[str], *, split: str
) -> tuple[dict[str, Any] | None, str]:
    """Return McNemar's test between the first two runs and its sentence, or why there is none."""
    a, b = records[0], records[1]
    if a.data.get("sha256") != b.data.get("sha256"):
        return None, (
            f"{names[0]} and {names[1]} were not measured on the same data: whether their "
            "difference is larger than chance cannot be tested."
        )
    first, second = a.evaluated(split), b.evaluated(split)
    if first is None or second is None:
        lacking, record = (names[0], a) if first is None else (names[1], b)
        why = f"has no eval/{split}.npz" if record.complete else "is unfinished"
        return None, (
            f"{lacking} {why}: whether the difference of the first two is larger than chance "
            "cannot be tested."
        )
    hits_a, hits_b = _hits_by_name(first), _hits_by_name(second)
    common = [path for path in first.paths if path in hits_b]
    if not common:
        return None, f"{names[0]} and {names[1]} have no {split} image in common."
    test = mcnemar(_column(hits_a, common), _column(hits_b, common))
    sentence = larger_than_chance(test, first=names[0], second=names[1])
    if split == "val":
        sentence += " Both chose their best epochs on these images."
    return asdict(test), sentence


def _hits_by_name(found: Evaluated) -> dict[str, bool]:
    hits = found.answers.logits.argmax(axis=1) == found.answers.classes
    return dict(zip(found.paths, hits.tolist(), strict=True))


def _column(hits: Mapping[str, bool], paths: Sequence[str]) -> NDArray[np.bool_]:
    return np.array([hits[path] for path in paths], dtype=bool)


def _differences(records: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """Return the options in which the runs differ, with each run's value as text."""
    names = dict.fromkeys(name for record in records for name in record.options)
    values = {name: [option_text(name, r.options.get(name)) for r in records] for name in names}
    return [
        {"option": flag(name), "values": texts}
        for name, texts in values.items()
        if len(set(texts)) > 1
    ]


def _aligned(rows: Sequence[Sequence[str]], *, left: Sequence[int]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            f"{cell:<{width}}" if i in left else f"{cell:>{width}}"
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
