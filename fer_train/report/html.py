"""A run's document for people: a page, and a model card.

The page is one self-contained HTML file: no script, no request, light and dark. The card is
Markdown; it says what was measured, and names what was not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_train.contract.page import environment, figures
from fer_train.learning.calibration import at_limit
from fer_train.report.curves import Mark, Series, line_chart, reliability_diagram
from fer_train.report.names import figure_name

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).with_name("templates")

#: What the calibration's sentence calls equal, as ECE.
_SAME = 0.005


def render_page(document: Mapping[str, Any]) -> str:
    """Return report.html for `model.build_document`'s document."""
    splits, data = document["splits"], document["data"]
    counts = data.get("counts", {})
    return (
        page_environment()
        .get_template("report.html.j2")
        .render(
            run=document,
            shown=next((name for name in ("test", "val") if name in splits), None),
            charts=_charts(document),
            averaged=any(
                option["option"] == "--ema" and option["differs"]
                for option in document["recipe"]["options"]
            ),
            diagrams=_diagrams(document["calibration"]),
            data_labels=list(dict.fromkeys(x for split in counts.values() for x in split)),
            largest_class=max((n for split in counts.values() for n in split.values()), default=1)
            or 1,
            made_splits=made_splits_text(data.get("made_splits") or {}),
        )
    )


def render_card(document: Mapping[str, Any]) -> str:
    """Return model-card.md for `model.build_document`'s document."""
    splits, counts = document["splits"], document["data"].get("counts", {})
    made = document["data"].get("made_splits")
    template = page_environment(escape=False).get_template("model-card.md.j2")
    text = template.render(
        run=document,
        labels=next((split["labels"] for split in splits.values()), []),
        pixels=document["recipe"]["preprocess"],
        shown=next((name for name in ("test", "val") if name in splits), None),
        counts=counts,
        data_labels=list(dict.fromkeys(x for split in counts.values() for x in split)),
        made_splits=made_splits_text(made) if made else "",
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def page_environment(*, escape: bool = True) -> Environment:
    """Return the environment of the templates of this folder.

    Args:
        escape: every value is text within HTML.
    """
    made = environment(_TEMPLATES, escape=escape)
    made.filters.update(at_limit=at_limit, figure_name=figure_name)
    return made


def _charts(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows, selection = document["history"], document["selection"]
    marks = [Mark(e["epoch"], e["short"], e["text"], e["kind"]) for e in document["events"]]
    wanted: list[tuple[str, str, bool, tuple[str, ...]]] = [
        ("loss", "Loss", False, ("val_loss", "train_loss")),
        ("accuracy", "Accuracy", True, ("val_accuracy", "train_accuracy")),
    ]
    if selection not in ("loss", "accuracy"):
        title = f"{figure_name(selection)}, which chooses the best epoch"
        columns = (f"val_{selection}", f"train_{selection}")
        wanted.append((selection, title[0].upper() + title[1:], True, columns))
    drawn = [
        line_chart(
            title,
            [series for column in columns if (series := _series(rows, column)) is not None],
            marks=marks,
            best=document["best_epoch"],
            share=share,
        )
        for _, title, share, columns in wanted
    ]
    return [chart for chart in drawn if chart is not None]


def _series(rows: Sequence[Mapping[str, Any]], column: str) -> Series | None:
    points = [(row["epoch"], row[column]) for row in rows if column in row]
    style = column.partition("_")[0]
    name = {"val": "validation", "train": "training"}[style]
    return Series(name=name, style=style, points=points) if points else None


def _diagrams(calibration: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what is drawn of the split that says most: test, which chose no temperature."""
    split = next((name for name in ("test", "val") if name in calibration), None)
    if split is None:
        return None
    record = calibration[split]
    return {
        "split": split,
        "record": record,
        "before": reliability_diagram(record["before"]),
        "after": reliability_diagram(record["after"]),
        "sentence": calibration_sentence(record),
    }


def calibration_sentence(record: Mapping[str, Any]) -> str:
    """Say in which direction confidence is off, and whether the temperature mends it."""
    filled = [b for b in record["before"] if b["count"]]
    images = sum(b["count"] for b in filled)
    surplus = sum(b["count"] * (b["confidence"] - b["accuracy"]) for b in filled) / images
    before, after = record["ece_before"], record["ece_after"]
    direction = "too sure of itself" if surplus > 0 else "not sure enough"
    first = (
        "This one is well calibrated as it is"
        if before < 2 * _SAME
        else f"This one is {direction}, by {figures.percent(abs(surplus))} on average"
    )
    limit = at_limit(record["temperature"])
    if limit is not None:
        # A smaller ECE is no merit then: it says next to nothing of any image, or much too much.
        return (
            f"{first}. Its temperature, {record['temperature']:.3g}, is {limit}. "
            f"ECE goes from {figures.percent(before)} to {figures.percent(after)}."
        )
    change = f"from {figures.percent(before)} to {figures.percent(after)}"
    if after < before - _SAME:
        return f"{first}; dividing its logits by {record['temperature']:.3g} brings ECE {change}."
    if after > before + _SAME:
        return f"{first}; temperature scaling makes it worse here, ECE {change}."
    return f"{first}; temperature scaling changes little, ECE {change}."


def made_splits_text(record: Mapping[str, Any]) -> str:
    """Return the record of splits the tool made as one line."""
    shares = ", ".join(f"{name} {share:g}" for name, share in record.get("fractions", {}).items())
    return f"{shares} of the training images, seed {record.get('seed')}, duplicates kept together"
