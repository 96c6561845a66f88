"""Models before iOS 13: every value is [sequence, batch, channel, height, width].

Such a model declares an array as C or as C, H, W; the caller may give it so, or with sequence and
batch in front, which may then be other than 1 (`RANK5_ARRAY_MAPPING` of NeuralNetwork.proto). A
declared output comes back in the declared shape if it has as many elements, else as it is computed,
with five dimensions: what Core ML is known to return.
"""

from __future__ import annotations

from collections.abc import Sequence

from fer_convert.coreml_runtime.element_types import Array
from fer_convert.coreml_runtime.errors import ArtefactError

_ALLOWED = (1, 3)  # how many sizes a declared shape has


def lifted(shape: Sequence[int | None], name: str) -> tuple[int | None, ...]:
    """The five dimensions of an array declared as ``shape``; None stands for sequence and batch.

    Raises:
        ArtefactError: the declared shape is neither C nor C, H, W.
    """
    if len(shape) not in _ALLOWED:
        raise ArtefactError(
            f"Array '{name}' declares the shape {list(shape)}; a network of the five-dimensional "
            "mapping (before iOS 13) takes C or C, H, W."
        )
    return (None, None, *shape, *(1,) * (3 - len(shape)))


def split_shape(given: Sequence[int], rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What a caller's array has as sequence and batch, and as the ``rank`` declared sizes.

    A shape that cannot be split so is returned whole, as the declared sizes.
    """
    shape = tuple(given)
    if len(shape) == 5 and shape[2 + rank :] == (1,) * (3 - rank):
        return shape[:2], shape[2 : 2 + rank]
    if len(shape) == rank + 2:
        return shape[:2], shape[2:]
    return (1, 1), shape


def presented(array: Array, declared: Sequence[int]) -> Array:
    """A computed array as the caller gets it; see the module's head."""
    if array.ndim == 5 and declared and array.size == _elements(declared):
        return array.reshape(tuple(declared))
    return array


def _elements(shape: Sequence[int]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count
