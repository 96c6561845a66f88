"""Strides, dilations and padding as the operations over windows write them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Literal, NamedTuple

from fer_convert.coreml_runtime.reference.operations import View
from fer_convert.coreml_runtime.reference.windows import Pads, same_pads


class Spatial(NamedTuple):
    """``pads`` of an image of the given sizes under a window of the given sizes."""

    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: Callable[[Sequence[int], Sequence[int]], Pads]


def spatial(op: View, *, pad_types: Sequence[str]) -> Callable[[int], Spatial]:
    """The options strides, dilations (ones), pad_type (valid) and pad (before, after) of ``op``,
    once the number of spatial dimensions is known: a weight may be computed.

    Raises:
        ArtefactError: the returned function, where an option does not fit that number.
    """
    pad_type = op.option("pad_type", str, "valid").lower()
    if pad_type not in pad_types:
        raise op.refuse(f"pad_type '{pad_type}' is none of {', '.join(pad_types)}")

    @cache
    def read(rank: int) -> Spatial:
        strides = _per_dimension(op, "strides", rank)
        dilations = _per_dimension(op, "dilations", rank)
        if pad_type in {"same", "same_lower"}:
            heavy: Literal["after", "before"] = "before" if pad_type == "same_lower" else "after"
            return Spatial(
                strides,
                dilations,
                lambda sizes, window: same_pads(sizes, window, strides, dilations, heavy=heavy),
            )
        # Without `custom` a leftover `pad` is ignored, as Core ML does.
        pads = _custom(op, rank) if pad_type == "custom" else [(0, 0)] * rank
        return Spatial(strides, dilations, lambda *_: pads)

    return read


def _per_dimension(op: View, name: str, rank: int) -> tuple[int, ...]:
    values = op.integers(name, (1,) * rank)
    if len(values) != rank or min(values, default=1) < 1:
        raise op.refuse(f"{name} {list(values)} for {rank} spatial dimensions")
    return values


def _custom(op: View, rank: int) -> Pads:
    flat = op.integers("pad", (0,) * 2 * rank)
    if len(flat) != 2 * rank or min(flat, default=0) < 0:
        raise op.refuse(f"pad {list(flat)} for {rank} spatial dimensions")
    return list(zip(flat[::2], flat[1::2], strict=True))
