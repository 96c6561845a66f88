"""The report as one self-contained HTML page: no script, no request, light and dark.

Everything shown comes from the report document; this module only sorts it and computes positions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypedDict

from fer_convert.artefact import GIT_HOST_LIMIT_BYTES
from fer_convert.report.costs import costly, points
from fer_convert.report.json import COST_FIGURES
from fer_convert.report.ladder import ladder
from fer_train.contract.page import environment, figures

_TEMPLATES = Path(__file__).with_name("templates")

#: The word of a verdict never stands alone: colour-blind readers get a sign, too.
_MARKS = {"PASS": "✓", "FAIL": "✗", "NOT RUN": "○"}


class Bar(TypedDict):
    """One class in a card: its probability by the checkpoint and by the artefact, 0..1."""

    label: str
    reference: float
    artefact: float | None


class Card(TypedDict):
    """One image with the artefact that strays furthest on it."""

    name: str
    kind: str
    label: str | None
    thumbnail: str
    exact: bool
    top1: str
    artefact: str
    artefact_top1: str
    max_abs_dp: figures.Number
    margin: figures.Number
    flipped: bool
    bars: list[Bar]


def render(document: dict[str, Any]) -> str:
    """Return the HTML view of a report document."""
    cards = _cards(document)
    return (
        environment(_TEMPLATES)
        .get_template("report.html.j2")
        .render(
            report=document,
            marks=_MARKS,
            cards=cards,
            hidden=len(document["images"]) - len(cards),
            costs=costly(document["artefacts"]),
            cost_figures=COST_FIGURES,
            points=points,
            ladder=ladder(document["artefacts"]),
            sizes=_sizes(document["artefacts"]),
            limit=GIT_HOST_LIMIT_BYTES,
            correct=_correct(document["images"]),
            reference=_reference(document),
            noun="checkpoint" if document["command"] == "build" else "reference",
            json="report.json" if document["command"] == "build" else "parity.json",
            facts=_flat(document["checkpoint"]["metrics"])
            + _flat(document["checkpoint"]["created_with"]),
        )
    )


def _reference(document: dict[str, Any]) -> str:
    """What everything was compared with, in words."""
    if document["command"] == "build":
        return "the trained checkpoint"
    return f"the reference {document['checkpoint']['file']}"


def _cards(document: dict[str, Any]) -> list[Card]:
    """Return the images that have a thumbnail, the worst first."""
    worst = _worst_by_image(document["artefacts"])
    cards = [
        _card(image, *worst[image["name"]])
        for image in document["images"]
        if image["thumbnail"] and image["name"] in worst
    ]
    return sorted(cards, key=lambda card: -figures.as_float(card["max_abs_dp"]))


def _worst_by_image(artefacts: list[dict[str, Any]]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return image name -> (artefact kind, that artefact's figures), the largest error each."""
    worst: dict[str, tuple[str, dict[str, Any]]] = {}
    for row in artefacts:
        for seen in row["images"]:
            known = worst.get(seen["image"])
            error = figures.as_float(seen["max_abs_dp"])
            if known is None or error > figures.as_float(known[1]["max_abs_dp"]):
                worst[seen["image"]] = (row["title"], seen)
    return worst


def _card(image: dict[str, Any], kind: str, seen: dict[str, Any]) -> Card:
    reference = image["reference"]
    return Card(
        name=image["name"],
        kind=image["kind"],
        label=image["label"],
        thumbnail=image["thumbnail"]["png_base64"],
        exact=image["thumbnail"]["exact_pixels"],
        top1=reference["top1"],
        artefact=kind,
        artefact_top1=seen["top1"],
        max_abs_dp=seen["max_abs_dp"],
        margin=seen["margin"],
        flipped=not seen["top1_agrees"],
        bars=[
            Bar(
                label=label,
                reference=_share(probability) or 0.0,
                artefact=_share(seen["probabilities"].get(label)),
            )
            for label, probability in reference["probabilities"].items()
        ],
    )


def _share(value: figures.Number) -> float | None:
    """Return a probability that can be drawn, or None where there is none."""
    return None if value is None or isinstance(value, str) else min(max(float(value), 0.0), 1.0)


def _sizes(artefacts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each file once, with its size as a share of the largest."""
    files = {row["file"]["name"]: row["file"] for row in artefacts if row["file"]}
    largest = max((file["bytes"] for file in files.values()), default=0)
    return [{**file, "share": file["bytes"] / max(largest, 1)} for file in files.values()]


def _correct(images: list[dict[str, Any]]) -> tuple[int, int]:
    """Return how many labelled faces the checkpoint itself gets right, and of how many."""
    known = [i for i in images if i["label"] and i["kind"] == "face" and i["reference"]]
    return sum(i["label"] == i["reference"]["top1"] for i in known), len(known)


def _flat(group: dict[str, Any], *, prefix: str = "") -> list[tuple[str, Any]]:
    """Return nested facts as ``("validation accuracy", 0.61)``; lists are left to the JSON."""
    facts: list[tuple[str, Any]] = []
    for key, value in group.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, dict):
            facts += _flat(value, prefix=f"{name} ")
        elif isinstance(value, (str, int, float)):
            facts.append((name, value))
    return facts
