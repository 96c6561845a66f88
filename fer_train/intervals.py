"""How sure a share is: Wilson's score interval."""

from __future__ import annotations

import math

#: Two-sided 95 % point of the normal distribution.
_Z = 1.959963984540054


def wilson(hits: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of the share ``hits / total`` (Wilson, JASA 22, 1927).

    Unlike share ± 1.96 standard errors it stays within 0..1 and is not empty at 0 or ``total``
    hits. Without any trial nothing is known: 0..1.
    """
    if total == 0:
        return 0.0, 1.0
    share, shrink = hits / total, 1 + _Z**2 / total
    centre = (share + _Z**2 / (2 * total)) / shrink
    half = _Z / shrink * math.sqrt(share * (1 - share) / total + _Z**2 / (4 * total**2))
    # At the ends the formula gives exactly 0 and 1, its rounding not always.
    low = 0.0 if hits == 0 else centre - half
    high = 1.0 if hits == total else centre + half
    return low, high
