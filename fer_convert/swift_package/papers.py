"""ModelCard.md and AppReview.md: what the app's author, App Review and people may ask."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fer_convert.swift_package.readme import ModelTexts, parity_text
from fer_convert.swift_package.use import not_recorded
from fer_train.contract.page import environment

#: File name in the package and its template.
MODEL_CARD, APP_REVIEW = "ModelCard.md", "AppReview.md"

_TEMPLATES = Path(__file__).with_name("templates")


def papers(
    manifest: Mapping[str, Any], use: Mapping[str, Any], texts: ModelTexts
) -> dict[str, str]:
    """Return file name -> text.

    Args:
        manifest: what ``manifest.json`` holds.
        use: what ``use.json`` holds.
        texts: of the model file.
    """
    made = environment(_TEMPLATES, escape=False)
    facts = {
        **{name: manifest[name] for name in ("model", "contract", "created_at", "created_with")},
        "use": use,
        "texts": texts,
        "version": texts.version or "unspecified",
        "missing": not_recorded(use),
        "splits": [row["split"] for row in use["figures"]],
        "compared": parity_text(manifest["parity"]),
        "sources": _sources(use),
    }
    return {
        name: made.get_template(f"{name}.j2").render(**facts) for name in (MODEL_CARD, APP_REVIEW)
    }


def _sources(use: Mapping[str, Any]) -> list[tuple[str, Mapping[str, str] | None, str]]:
    """Return what the model was made of: its name, its terms, and what stands in their place."""
    data, weights = use["data"], use["weights"]
    name = "the training data" if data["name"] is None else f"the training data, {data['name']}"
    nobody = "drawn by a program: nobody's pictures"
    rows = [(name, data["license"], nobody if data["synthetic"] else "**NOT RECORDED**")]
    start = weights["start"] or "not recorded"
    fresh = start == "random weights"
    otherwise = "nobody's" if fresh else "**NOT RECORDED**"
    return [*rows, (f"what it started from: {start}", weights["license"], otherwise)]
