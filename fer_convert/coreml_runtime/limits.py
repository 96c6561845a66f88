"""How large values, weights and label lists may be: far beyond any classifier, below a machine's
memory.

A few bytes of a hostile file can ask for a terabyte of padding, so what multiplies sizes asks here
before it allocates.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod

from fer_convert.coreml_runtime.errors import ArtefactError, UnsupportedOperation

MOST_ELEMENTS = 1 << 28  # 1 GiB of fp32
MOST_WEIGHTS = 1 << 30  # 4 GiB of fp32; the largest classifier of torchvision has 645 million
MOST_LABELS = 1 << 20
MOST_BYTES = 4 << 30  # of all that onnxruntime holds at once
MOST_POSITIONS = 1 << 24


def check_size(shape: Sequence[int]) -> None:
    """Refuse a result of ``shape``.

    Raises:
        ValueError: a negative size, or more than `MOST_ELEMENTS` elements.
    """
    if any(size < 0 for size in shape) or prod(shape) > MOST_ELEMENTS:
        raise ValueError(f"a result of {list(shape)} is too large, or no shape")


def check_positions(*counts: int) -> None:
    """Refuse a table of ``counts`` positions, which a translation would write out before anything
    runs.

    Raises:
        ValueError: a negative count, or more than `MOST_POSITIONS` in all.
    """
    if min(counts) < 0 or prod(counts) > MOST_POSITIONS:
        raise ValueError(f"a table of {list(counts)} positions is too large, or none")


def check_steps(*steps: int) -> None:
    """Refuse strides, dilations and block sizes with which torch's 32-bit arithmetic would trap:
    a division by their lower half, say, which ends the process.

    Raises:
        ValueError: one below 1 or beyond 31 bits.
    """
    for step in steps:
        if not 1 <= step < 1 << 31:
            raise ValueError(f"a step of {step}; 1 to {(1 << 31) - 1} are possible")


def check_weights(count: int) -> None:
    """Refuse a program whose operations read ``count`` elements of constants.

    Many constants may share one record of the weight file: the file is then no measure of them.

    Raises:
        UnsupportedOperation: more than `MOST_WEIGHTS`.
    """
    if count > MOST_WEIGHTS:
        raise UnsupportedOperation(
            f"The program's operations read {count} elements of constants; the portable runtime "
            f"takes up to {MOST_WEIGHTS}, 4 GiB in fp32."
        )


def check_labels(count: int) -> None:
    """Refuse a classifier of ``count`` labels before they become Python objects.

    Raises:
        ArtefactError: more than `MOST_LABELS`.
    """
    if count > MOST_LABELS:
        raise ArtefactError(
            f"The classifier declares {count} class labels; {MOST_LABELS} are allowed."
        )


def is_equation(text: str, *, operands: int) -> bool:
    """Tell whether ``text`` is an einsum of so many operands; onnxruntime never returns from some
    that are none."""
    terms, _, result = text.replace(" ", "").partition("->")
    term = r"[A-Za-z]*(\.\.\.)?[A-Za-z]*"
    return (
        re.fullmatch(term, result) is not None
        and terms.count(",") == operands - 1
        and all(re.fullmatch(term, part) for part in terms.split(","))
    )
