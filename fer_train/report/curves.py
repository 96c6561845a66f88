"""Positions of everything drawn: line charts, reliability diagrams, interval bars. No colours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Size of a chart and its margins, in units of its viewBox; about pixels on a wide screen.
WIDTH, HEIGHT = 420, 236
_RIGHT, _TOP, _BOTTOM = 10, 34, 26
_CHARACTER = 7.5  # width of one, in a label
_SQUARE, _COUNTS = 240, 34  # reliability: side of the diagram, height of the strip below it

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line: its name, the style that the page gives it, and (epoch, value) points."""

    name: str
    style: str
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line before or after an epoch, such as a pruning; ``short`` is written at it."""

    epoch: float
    short: str
    text: str
    style: str


def line_chart(
    title: str,
    series: Sequence[Series],
    *,
    marks: Sequence[Mark] = (),
    best: int | None = None,
    share: bool = False,
) -> dict[str, Any] | None:
    """Return the positions of a chart over epochs, or None where there is nothing to draw.

    Args:
        best: epoch to ring on every line.
        share: the values are 0..1 and labelled in per cent.
    """
    drawn = [s for s in series if any(math.isfinite(y) for _, y in s.points)]
    if not drawn:
        return None
    xs = [x for s in drawn for x, _ in s.points]
    ys = [y for s in drawn for _, y in s.points if math.isfinite(y)]
    first, last = min(xs), max(xs)
    ticks = nice_ticks(min(ys), max(ys))
    low, high = min(ticks[0], min(ys)), max(ticks[-1], max(ys))
    labels = [_tick_text(tick, ticks, share=share) for tick in ticks]
    left = round(8 + _CHARACTER * max(map(len, labels)), 1)

    def x_at(epoch: float) -> float:
        inside = WIDTH - left - _RIGHT
        # A single epoch stands in the middle.
        part = 0.5 if last == first else (epoch - first) / (last - first)
        return round(left + inside * part, 1)

    def y_at(value: float) -> float:
        part = 0.5 if high == low else (value - low) / (high - low)
        return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * part, 1)

    return {
        "title": title,
        "width": WIDTH,
        "height": HEIGHT,
        "left": left,
        "right": WIDTH - _RIGHT,
        "top": _TOP,
        "bottom": HEIGHT - _BOTTOM,
        "y_ticks": [(y_at(t), text) for t, text in zip(ticks, labels, strict=True)],
        "x_ticks": [(x_at(t), f"{t:g}") for t in _epoch_ticks(int(first), int(last))],
        "marks": [
            {
                "x": x_at(min(max(m.epoch, first), last)),
                # Two rows in turn: neighbours would write over each other.
                "y": _TOP - 8 - 13 * (i % 2),
                "short": m.short,
                "text": m.text,
                "style": m.style,
            }
            for i, m in enumerate(sorted(marks, key=lambda m: m.epoch))
        ],
        "lines": [
            {
                "name": s.name,
                "style": s.style,
                "path": _path([(x_at(x), y_at(y)) for x, y in s.points if math.isfinite(y)]),
                "dots": [
                    {
                        "x": x_at(x),
                        "y": y_at(y),
                        "best": x == best,
                        "text": f"{s.name}, epoch {x:g}: {y:.1%}"
                        if share
                        else f"{s.name}, epoch {x:g}: {y:.4f}",
                    }
                    for x, y in s.points
                    if math.isfinite(y)
                ],
            }
            for s in drawn
        ],
    }


def reliability_diagram(bins: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the positions of a reliability diagram with a strip of counts below it.

    Args:
        bins: ``low``, ``high``, ``confidence``, ``accuracy``, ``count`` each; empty ones are left
            out.
    """
    filled = [b for b in bins if b["count"]]
    most = max((b["count"] for b in filled), default=1)
    return {
        "side": _SQUARE,
        "height": _SQUARE + _COUNTS,
        "bars": [
            {
                "x": round(_SQUARE * b["low"] + 0.75, 1),
                "width": round(_SQUARE * (b["high"] - b["low"]) - 1.5, 1),
                "y": round(_SQUARE * (1 - b["accuracy"]), 1),
                "height": round(_SQUARE * b["accuracy"], 1),
                # From what it says to what is true: the higher of the two down to the lower.
                "gap_y": round(_SQUARE * (1 - max(b["accuracy"], b["confidence"])), 1),
                "gap": round(_SQUARE * abs(b["accuracy"] - b["confidence"]), 1),
                "over": b["confidence"] > b["accuracy"],
                "count_height": round((_COUNTS - 6) * b["count"] / most, 1),
                "text": f"{b['count']} images said to be {b['confidence']:.1%} sure, "
                f"{b['accuracy']:.1%} right",
            }
            for b in filled
        ],
    }


def nice_ticks(low: float, high: float, *, about: int = 5) -> list[float]:
    """Return round values that cover ``low`` to ``high``."""
    span = (high - low) or abs(high) or 1.0
    raw = span / about
    power = 10 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    start = math.floor(low / step + 1e-9)
    stop = max(math.ceil(high / step - 1e-9), start + 1)
    return [round(step * i, 10) for i in range(start, stop + 1)]


def _epoch_ticks(first: int, last: int) -> list[int]:
    step = max(1, math.ceil((last - first + 1) / 10))
    step = next(s for s in (1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1000, step) if s >= step)
    room = first % step == 0 or step - first % step > step / 2  # the first beside the next
    return [e for e in range(first, last + 1) if e % step == 0 or (e == first and room)]


def _tick_text(value: float, ticks: Sequence[float], *, share: bool) -> str:
    factor, unit = (100, " %") if share else (1, "")
    step = factor * (ticks[1] - ticks[0])
    digits = next(d for d in range(9) if math.isclose(round(step, d), step, rel_tol=1e-6) or d == 8)
    return f"{factor * value:.{digits}f}{unit}"


def _path(points: Sequence[Point]) -> str:
    return "M" + " L".join(f"{x:g} {y:g}" for x, y in points)
