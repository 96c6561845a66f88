"""How numbers look in every view. A value is a number, or one of JSON's missing numbers."""

from __future__ import annotations

Number = float | int | str | None  # str: "nan", "inf", "-inf"

_DASH = "\N{EN DASH}"  # an empty cell
_MISSING = {"nan": "NaN", "inf": "∞", "-inf": "-∞"}


def scientific(value: Number) -> str:
    """``0.000123 -> "1.2e-04"``; exactly zero is ``"0"``."""
    return _special(value) or ("0" if value == 0 else f"{value:.1e}")


def decibel(value: Number) -> str:
    """``93.21 -> "93.2 dB"``; infinite means identical."""
    if value == "inf":
        return "identical"
    return _special(value) or f"{value:.1f} dB"


def percent(value: Number) -> str:
    """``0.5 -> "50 %"``; never rounded up to 100 %."""
    if value == 1:
        return "100 %"
    return _special(value) or f"{min(100 * float(value or 0), 99.9):.1f} %"


def megabytes(value: Number) -> str:
    """``8123456 -> "8.12 MB"`` (decimal megabytes, as Git hosts count)."""
    return _special(value) or f"{float(value or 0) / 1e6:.2f} MB"


def seconds(value: Number) -> str:
    """``2.34 -> "2.3 s"``."""
    return _special(value) or f"{value:.1f} s"


def milliseconds(value: Number) -> str:
    """``2.34 -> "2.3 ms"``."""
    return _special(value) or f"{value:.1f} ms"


def as_float(value: Number) -> float:
    """Return a value that can be sorted and drawn; NaN counts as worst."""
    if value is None:
        return 0.0
    return float("inf") if value == "nan" else float(value)


def _special(value: Number) -> str:
    if value is None:
        return _DASH
    return _MISSING.get(value, value) if isinstance(value, str) else ""
