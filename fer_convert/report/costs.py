"""Which rows have labelled faces enough to speak of accuracy, and how a cost looks in figures."""

from __future__ import annotations

from typing import Any

#: With fewer labelled faces an interval says nothing, and the drawn faces that come with ferconv
#: are fewer: they are no sample of anything.
_ENOUGH = 50


def costly(artefacts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows whose cost a page shows."""
    return [row for row in artefacts if row["cost"] and row["cost"]["images"] >= _ENOUGH]


def points(figure: dict[str, Any]) -> str:
    """``-0.1 (-0.4 to +0.2)``: a difference and its interval in percentage points."""
    low, high = figure["interval"]
    return f"{_signed(figure['difference'])} ({_signed(low)} to {_signed(high)})"


def _signed(share: float) -> str:
    rounded = f"{100 * share:+.2f}"
    return "0.00" if float(rounded) == 0 else rounded.replace("-", "\N{MINUS SIGN}")
