"""Figures by their usual names, for people."""

from __future__ import annotations

from collections.abc import Mapping

NAMES: Mapping[str, str] = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro-F1",
    "loss": "loss",
    "cross_entropy": "cross-entropy",
    "ece": "ECE",
}


def figure_name(name: str) -> str:
    """``macro_f1 -> "macro-F1"``."""
    return NAMES.get(name, name.replace("_", " "))
