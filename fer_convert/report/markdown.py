"""The report as Markdown, short enough for a pull-request comment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fer_convert.report.costs import costly, points
from fer_convert.report.json import COST_FIGURES
from fer_train.contract.page import figures

_MARKS = {"PASS": "✅", "FAIL": "❌", "NOT RUN": "⚠️"}
_SPECIAL = str.maketrans({c: f"\\{c}" for c in "\\`*_[]|~#"} | {"<": "&lt;", ">": "&gt;"})


def render(document: dict[str, Any]) -> str:
    """Return the Markdown view of a report document."""
    lines = [
        f"## {_MARKS[document['verdict']]} Parity {document['verdict']}: "
        f"{_text(document['checkpoint']['arch'])}",
        "",
        f"{_noun(document)} {_text(document['checkpoint']['file'])} "
        f"(sha256 `{document['checkpoint']['sha256'][:12]}`), {len(document['images'])} images. "
        "In full precision the verdict is the worst image's, never the mean's.",
        "",
        *(f"> **{_text(warning)}**\n" for warning in document["warnings"]),
        *(f"* {_text(note)}" for note in document["checkpoint"]["notes"]),
        "",
        *_table(document["artefacts"]),
        *_details(document),
        *_costs(document["artefacts"]),
        *_half_precision(document["artefacts"]),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _noun(document: dict[str, Any]) -> str:
    return "Checkpoint" if document["command"] == "build" else "Reference"


def _table(artefacts: list[dict[str, Any]]) -> Iterable[str]:
    yield "| artefact | verdict | runtime | max abs Δp | logit PSNR | top-1 | size | storage |"
    yield "|---|---|---|---:|---:|---:|---:|---|"
    for row in artefacts:
        summary, file = row["summary"] or {}, row["file"] or {}
        cells = (
            _text(row["title"]),
            f"{_MARKS[row['verdict']]} {row['verdict']}",
            _text(row["runtime"]),
            figures.scientific(summary.get("max_abs_dp")),
            figures.decibel(summary.get("min_psnr_db")),
            figures.percent(summary.get("top1_agreement")),
            figures.size_text(file.get("bytes")),
            " ".join((file.get("precision", ""), file.get("storage", ""))).strip(),
        )
        yield f"| {' | '.join(cells)} |"
    yield ""


def _details(document: dict[str, Any]) -> Iterable[str]:
    for row in document["artefacts"]:
        for reason in row["reasons"]:
            yield f"* **{_text(row['title'])}** ({row['verdict']}): {_text(reason)}"
        for warning in row["warnings"]:
            yield f"* **{_text(row['title'])}** (warning): {_text(warning)}"
        if row["file"] and row["file"]["note"]:
            yield f"* **{_text(row['title'])}**: {_text(row['file']['note'])}"
    if document["refused"]:
        yield f"* What the converters printed is in {_text(document['log'])}, beside the report."
    yield ""


def _costs(artefacts: list[dict[str, Any]]) -> Iterable[str]:
    rows = costly(artefacts)
    if not rows:
        return
    yield "On labelled faces (difference in points, paired 95 % interval):"
    yield ""
    titles = " | ".join(COST_FIGURES.values())
    yield f"| artefact | faces | {titles} | right to wrong | wrong to right |"
    yield f"|---|---:|{'---|' * len(COST_FIGURES)}---:|---:|"
    for row in rows:
        cost = row["cost"]
        cells = (
            _text(row["title"]),
            figures.count(cost["images"]),
            *(f"{figures.percent(cost[k]['after'])}, {points(cost[k])}" for k in COST_FIGURES),
            str(len(cost["right_to_wrong"])),
            str(len(cost["wrong_to_right"])),
        )
        yield f"| {' | '.join(cells)} |"
    yield ""


def _half_precision(artefacts: list[dict[str, Any]]) -> Iterable[str]:
    for row in artefacts:
        if row["half_precision"]:
            yield f"**{_text(row['title'])}:** {_text(row['half_precision']['conclusion'])}"
            yield ""


def _text(value: str) -> str:
    """Escape what Markdown would format, so that a file name stays a file name."""
    return " ".join(value.translate(_SPECIAL).split())
