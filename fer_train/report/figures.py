"""How numbers look in reports and cards; None is an empty cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_EMPTY = "\N{EN DASH}"

#: Figures by their usual names, for people.
NAMES: Mapping[str, str] = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro-F1",
    "loss": "loss",
    "cross_entropy": "cross-entropy",
    "ece": "ECE",
}


def percent(value: float | None) -> str:
    """``0.6234 -> "62.3 %"``; only all and none are 100 and 0 without decimals."""
    if value is None:
        return _EMPTY
    if value in (0, 1):
        return f"{100 * value:.0f} %"
    # Neither 100.0 nor 0.0: those would claim what is not so.
    return f"{min(max(100 * value, 0.1), 99.9):.1f} %"


def whole_percent(value: float) -> str:
    """``0.6234 -> "62 %"``; never 100 or 0 where it is not."""
    rounded = round(100 * value)
    if rounded in (0, 100) and value not in (0, 1):
        return "< 1 %" if rounded == 0 else "> 99 %"
    return f"{rounded} %"


def interval(bounds: Sequence[float] | None) -> str:
    """``(0.601, 0.645) -> "60.1 to 64.5 %"``."""
    return _EMPTY if bounds is None else f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f} %"


def decimal(value: float | None) -> str:
    """``0.62345 -> "0.6235"``."""
    return _EMPTY if value is None else f"{value:.4f}"


def count(value: float | None) -> str:
    """``12345 -> "12,345"``."""
    return _EMPTY if value is None else f"{value:,.0f}"


def megabytes(value: float | None) -> str:
    """``8123456 -> "8.1 MB"``, decimal."""
    return _EMPTY if value is None else f"{value / 1e6:.1f} MB"


def duration(seconds: float | None) -> str:
    """``3725.0 -> "1 h 02 min"``."""
    if seconds is None:
        return _EMPTY
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def figure_name(name: str) -> str:
    """``macro_f1 -> "macro-F1"``."""
    return NAMES.get(name, name.replace("_", " "))


def plain(value: object) -> str:
    """``[0.97645, 1.02411] -> "0.976, 1.02"``: a value of a record, whatever it is."""
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(plain, value))
    return str(value)
