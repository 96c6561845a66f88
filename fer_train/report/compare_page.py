"""A comparison as one self-contained HTML page, with the runs' curves over each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fer_train.report import figures
from fer_train.report.compare import table
from fer_train.report.curves import Series, line_chart
from fer_train.report.html import page_environment
from fer_train.report.reading import RunRecord

#: Colours in report.css; further runs use them again.
_COLOURS = 8


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
            f"Validation {figures.figure_name(name)}",
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
            by=figures.figure_name(by),
            charts=[chart for chart in charts if chart is not None],
        )
    )
