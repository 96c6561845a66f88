"""The README of a published package: about the one model that is inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_convert.swift_package.use import not_recorded
from fer_train.contract.page import environment

#: GitHub warns about a file above this and refuses one above twice as much.
_LARGE_FILE_BYTES = 50_000_000

#: Parts of the manifest that the template shows.
_SHOWN = ("model", "contract", "parity", "created_at", "created_with")

_TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTexts:
    """What the model file says about its makers."""

    author: str
    license: str
    version: str


def package_readme(manifest: Mapping[str, Any], use: Mapping[str, Any], texts: ModelTexts) -> str:
    """Return README.md for a package with the model of a manifest inside.

    Args:
        manifest: what ``manifest.json`` holds.
        use: what ``use.json`` holds.
        texts: of the model file; empty ones are named as unspecified.
    """
    version = texts.version or "unspecified"
    # Not HTML: a licence named "A & B" stays what it is.
    # A build of an earlier version has none of them.
    parity = {"passed_over": [], "not_judged": [], **manifest["parity"]}
    template = environment(_TEMPLATES, escape=False).get_template("README.md.j2")
    return template.render(
        **{name: manifest[name] for name in _SHOWN} | {"parity": parity},
        texts=texts,
        use=use,
        missing=not_recorded(use),
        version=version,
        tag=semantic(version),
        largest=max(file["bytes"] for file in manifest["model"]["files"]),
        large_file=_LARGE_FILE_BYTES,
        confidence=_confidence_text(manifest["contract"].get("temperature", 1.0)),
        compared=parity_text(manifest["parity"]),
    )


def _confidence_text(temperature: float) -> str:
    if temperature == 1.0:
        return "as the network gives it; not calibrated"
    return f"calibrated on validation images: temperature {temperature:.4g}, inside the model"


def parity_text(parity: Mapping[str, Any]) -> str:
    """Say how a model was compared with its checkpoint, and what came of it."""
    text = f"{parity['verdict']} on {parity['images']} images by {parity['runtime']}"
    if parity["max_abs_dp"] is not None:
        text += f", largest difference of a probability {parity['max_abs_dp']:.2g}"
    return text


def semantic(version: str) -> str:
    """Return the nearest tag SwiftPM understands: ``1.0`` becomes ``1.0.0``, words ``1.0.0``."""
    numbers = version.split(".")
    if not all(number.isdecimal() for number in numbers):
        return "1.0.0"
    return ".".join([*(str(int(number)) for number in numbers), "0", "0"][:3])
