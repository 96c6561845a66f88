"""Positions for the error ladder: one row per artefact, one dot per image, a logarithmic axis."""

from __future__ import annotations

import math
from typing import Any, TypedDict

from fer_train.contract.page.figures import as_float

#: Ends of the axis as powers of ten; an exact 0 is drawn at the left end.
_LOWEST, _HIGHEST = -9, 0

WIDTH, LEFT, RIGHT, ROW = 920, 150, 20, 34  # px of the SVG's own coordinate system

#: Letters of a title for which LEFT is enough, the width of each further one, and the most.
_FITTING, _LETTER, _LONGEST = 16, 8.2, 36


class Dot(TypedDict):
    x: float
    y: float
    name: str
    bad: bool


class Row(TypedDict):
    kind: str
    y: float
    limit_x: float
    dots: list[Dot]


class Ladder(TypedDict):
    width: int
    height: int
    left: int
    right: int
    ticks: list[tuple[float, int]]
    rows: list[Row]


def ladder(artefacts: list[dict[str, Any]]) -> Ladder | None:
    """Lay out max |Δp| of every image of every artefact that ran; None when nothing did."""
    ran = [row for row in artefacts if row["images"]]
    if not ran:
        return None
    left = LEFT + round(_LETTER * max(0, max(len(_short(row["title"])) for row in ran) - _FITTING))
    rows = [_row(row, y=ROW * (index + 0.5), left=left) for index, row in enumerate(ran)]
    return Ladder(
        width=WIDTH,
        height=ROW * len(rows) + 30,
        left=left,
        right=WIDTH - RIGHT,
        ticks=[(_x(10.0**power, left), power) for power in range(_LOWEST, _HIGHEST + 1)],
        rows=rows,
    )


def _row(row: dict[str, Any], *, y: float, left: int) -> Row:
    limit = float(row["thresholds"]["max_abs_dp"])
    dots = []
    for index, image in enumerate(row["images"]):
        error = as_float(image["max_abs_dp"])
        # Five lanes, so that equal errors do not hide one another.
        lane = (index % 5 - 2) * 3.2
        dots.append(Dot(x=_x(error, left), y=y + lane, name=image["image"], bad=not error <= limit))
    return Row(kind=_short(row["title"]), y=y, limit_x=_x(limit, left), dots=dots)


def _short(title: str) -> str:
    """A title that leaves room for the dots: its end says more than its beginning."""
    return title if len(title) <= _LONGEST else f"…{title[1 - _LONGEST :]}"


def _x(error: float, left: int) -> float:
    power = _LOWEST if error <= 0 else max(_LOWEST, min(_HIGHEST, math.log10(error)))
    return round(left + (WIDTH - left - RIGHT) * (power - _LOWEST) / (_HIGHEST - _LOWEST), 1)
