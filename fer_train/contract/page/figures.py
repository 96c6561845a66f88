"""How numbers look, wherever a person reads them.

A value is a number, None for an empty cell, or one of the numbers that JSON lacks, as a string.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

Number = float | int | str | None  # str: "nan", "inf", "-inf"

_EMPTY = "\N{EN DASH}"
_MISSING = {"nan": "NaN", "inf": "∞", "-inf": "-∞"}


def size_text(value: Number) -> str:
    """``8123456 -> "8.1 MB"``, ``23456 -> "23 kB"``: powers of ten, as Git hosts and Finder count.

    One decimal: enough to hold a file against a host's limit of 100 MB. The exact bytes are in the
    JSON beside every page. Below a tenth of a megabyte that decimal would say nothing.
    """
    if value is None or isinstance(value, str):
        return _missing(value)
    return f"{value / 1e6:.1f} MB" if value >= 1e5 else f"{value / 1e3:.0f} kB"


def percent(value: Number) -> str:
    """``0.6234 -> "62.3 %"``; only all and none are 100 and 0, without decimals."""
    if value is None or isinstance(value, str):
        return _missing(value)
    if value in (0, 1):
        return f"{100 * value:.0f} %"
    # Neither 100.0 nor 0.0: those would claim what is not so.
    if not 0.0005 <= value < 0.9995:
        return "< 0.1 %" if value < 0.5 else "> 99.9 %"
    return f"{100 * value:.1f} %"


def whole_percent(value: float) -> str:
    """``0.6234 -> "62 %"``; never 100 or 0 where it is not."""
    rounded = round(100 * value)
    if rounded in (0, 100) and value not in (0, 1):
        return "< 1 %" if rounded == 0 else "> 99 %"
    return f"{rounded} %"


def interval(bounds: Sequence[float] | None) -> str:
    """``(0.601, 0.645) -> "60.1 to 64.5 %"``."""
    return _EMPTY if bounds is None else f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f} %"


def count(value: Number) -> str:
    """``12345 -> "12,345"``."""
    return _formatted(value, ",.0f")


def decimal(value: Number) -> str:
    """``0.62346 -> "0.6235"``."""
    return _formatted(value, ".4f")


def scientific(value: Number) -> str:
    """``0.000123 -> "1.2e-04"``; exactly zero is ``"0"``."""
    return "0" if value == 0 else _formatted(value, ".1e")


def decibel(value: Number) -> str:
    """``93.21 -> "93.2 dB"``; infinite means identical."""
    return "identical" if value == "inf" else _formatted(value, ".1f", " dB")


def milliseconds(value: Number) -> str:
    """``2.34 -> "2.3 ms"``."""
    return _formatted(value, ".1f", " ms")


def duration(seconds: Number) -> str:
    """``2.34 -> "2.3 s"``, ``3725.0 -> "1 h 02 min"``."""
    if seconds is None or isinstance(seconds, str):
        return _missing(seconds)
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def plain(value: object) -> str:
    """``[0.97645, 1.02411] -> "0.976, 1.02"``: a value of a record, whatever it is."""
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(plain, value))
    return str(value)


#: The filters of every page's templates.
FORMATS: Mapping[str, Callable[..., str]] = {
    function.__name__: function
    for function in (
        size_text,
        percent,
        whole_percent,
        interval,
        count,
        decimal,
        scientific,
        decibel,
        milliseconds,
        duration,
        plain,
    )
}


def as_float(value: Number) -> float:
    """Return a value that can be sorted and drawn; NaN counts as worst."""
    if value is None:
        return 0.0
    return float("inf") if value == "nan" else float(value)


def _formatted(value: Number, spec: str, unit: str = "") -> str:
    if value is None or isinstance(value, str):
        return _missing(value)
    return f"{value:{spec}}{unit}"


def _missing(value: str | None) -> str:
    return _EMPTY if value is None else _MISSING.get(value, value)
