"""How large a computed value may be: far beyond any classifier, far below a machine's memory.

A few bytes of a hostile file can ask for a terabyte of padding, so what multiplies sizes asks here
before it allocates.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

MOST_ELEMENTS = 1 << 28  # 1 GiB of fp32


def check_size(shape: Sequence[int]) -> None:
    """Refuse a result of ``shape``.

    Raises:
        ValueError: a negative size, or more than `MOST_ELEMENTS` elements.
    """
    if any(size < 0 for size in shape) or prod(shape) > MOST_ELEMENTS:
        raise ValueError(f"a result of {list(shape)} is too large, or no shape")
