"""Where a resized pixel is sampled, as the specification says it."""

from __future__ import annotations

MODES = ["STRICT_ALIGN_CORNERS", "ALIGN_CORNERS", "DEFAULT", "OFFSET_CORNERS", "UNALIGN_CORNERS"]


def grid_point(mode: str, size: int, count: int, i: int) -> float:
    """The specification's text of resize_bilinear, one sample at a time."""
    if mode == "ALIGN_CORNERS" and count == 1:
        return (size - 1) / 2
    if mode in {"STRICT_ALIGN_CORNERS", "ALIGN_CORNERS"}:
        at = i * ((size - 1) / (count - 1)) if count > 1 else 0.0
    elif mode == "DEFAULT":
        at = i * ((size - size / count) / (count - 1)) if count > 1 else 0.0
    elif mode == "OFFSET_CORNERS":
        delta = max(1, size - 1) / count
        at = 0.5 * delta + i * delta
    else:
        at = i * size / count + 0.5 * size / count - 0.5
    return min(size - 1, max(0, at))
