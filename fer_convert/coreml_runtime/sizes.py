"""Which shapes a declared feature may have: one, a few, or ranges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from fer_convert.coreml_runtime.errors import ArtefactError

_MAX_RANK = 32  # numpy before 2 has no more dimensions
_MAX_ELEMENTS = 1 << 40


def check_shape(shape: Sequence[int], what: str) -> None:
    """Refuse a shape that no array can have, also where a dimension of 0 makes it empty.

    Raises:
        ArtefactError: more than 32 dimensions, a negative one, or a trillion elements.
    """
    if len(shape) > _MAX_RANK:
        raise ArtefactError(f"{what} declares {len(shape)} dimensions; {_MAX_RANK} are possible.")
    if any(size < 0 for size in shape) or prod(size or 1 for size in shape) > _MAX_ELEMENTS:
        raise ArtefactError(f"{what} declares the impossible shape {list(shape)}.")


@dataclass(frozen=True, slots=True)
class AllowedShapes:
    """``default`` always fits. ``others`` are further fixed shapes; ``ranges`` bound each dimension
    instead, inclusively, None meaning without end."""

    default: tuple[int, ...] = ()
    others: tuple[tuple[int, ...], ...] = ()
    ranges: tuple[tuple[int, int | None], ...] = ()

    @property
    def flexible(self) -> bool:
        return bool(self.others or self.ranges)

    def allow(self, shape: tuple[int, ...]) -> bool:
        if self.ranges:
            return len(shape) == len(self.ranges) and all(
                low <= size and (high is None or size <= high)
                for size, (low, high) in zip(shape, self.ranges, strict=True)
            )
        return shape == self.default or shape in self.others

    @property
    def dimensions(self) -> tuple[int | None, ...]:
        """The default shape, with None for the dimensions that vary."""
        if self.ranges:
            return tuple(low if low == high else None for low, high in self.ranges)
        if any(len(other) != len(self.default) for other in self.others):
            raise ArtefactError(f"Shapes of different ranks: {self}.")
        return tuple(
            size if all(other[i] == size for other in self.others) else None
            for i, size in enumerate(self.default)
        )

    def __str__(self) -> str:
        if self.ranges:
            return str([_range(low, high) for low, high in self.ranges]).replace("'", "")
        alternatives = dict.fromkeys((self.default, *self.others))
        return " or ".join(str(list(shape)) for shape in alternatives)


def read_array_shapes(array: Any, name: str) -> AllowedShapes:
    """Read ``ArrayFeatureType``: a shape, enumerated shapes, or a range per dimension.

    Raises:
        ArtefactError: an impossible shape, a range that is empty, or a range for no dimension.
    """
    others = tuple(tuple(map(int, s.shape)) for s in array.enumeratedShapes.shapes)
    ranges = tuple(_bounds(r, name) for r in array.shapeRange.sizeRanges)
    default = tuple(map(int, array.shape))
    if not default:
        default = others[0] if others else tuple(low for low, _ in ranges)
    for shape in (default, *others):
        check_shape(shape, f"Array '{name}'")
    if ranges and len(ranges) != len(default):
        raise ArtefactError(
            f"Array '{name}' declares {len(ranges)} ranges for the shape {list(default)}."
        )
    return AllowedShapes(default, others, ranges)


def read_image_sizes(image: Any, name: str) -> AllowedShapes:
    """Read ``ImageFeatureType``; shapes are (height, width) in pixels.

    Raises:
        ArtefactError: a size below 1, or a range that is empty.
    """
    others = tuple((int(s.height), int(s.width)) for s in image.enumeratedSizes.sizes)
    ranges: tuple[tuple[int, int | None], ...] = ()
    default = (int(image.height), int(image.width))
    if image.WhichOneof("SizeFlexibility") == "imageSizeRange":
        size = image.imageSizeRange
        ranges = (_bounds(size.heightRange, name), _bounds(size.widthRange, name))
    if default == (0, 0):  # not given: the first of the sizes, or the smallest
        default = others[0] if others else (ranges[0][0], ranges[1][0]) if ranges else default
    for height, width in (default, *others):
        if height < 1 or width < 1:
            raise ArtefactError(f"Image '{name}' declares {width} x {height} pixels.")
        check_shape((height, width), f"Image '{name}'")
    return AllowedShapes(default, others, ranges)


def _bounds(message: Any, name: str) -> tuple[int, int | None]:
    low, high = int(message.lowerBound), int(message.upperBound)
    if low < 0 or 0 <= high < low:
        raise ArtefactError(f"'{name}' declares a size of {low} to {high}.")
    return low, (None if high < 0 else high)  # a negative upper bound: no bound


def _range(low: int, high: int | None) -> str:
    return str(low) if low == high else f"{low}..{'' if high is None else high}"
