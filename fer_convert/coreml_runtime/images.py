"""From what a caller has (a picture, an array) to the tensor a model's input takes, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_convert.coreml_runtime.description import Feature
from fer_convert.coreml_runtime.element_types import Array
from fer_convert.coreml_runtime.errors import ArtefactError, RefusedInput

if TYPE_CHECKING:
    from torch import Tensor


# Which channels of an RGB picture a layout takes, in its order; its own inverse.
_CHANNELS: Mapping[str, tuple[int, ...]] = {"RGB": (0, 1, 2), "BGR": (2, 1, 0)}


# The picture modes that coremltools' MLModel.predict accepts for a layout.
_MODES: Mapping[str, str] = {"RGB": "RGB", "BGR": "RGB", "GRAYSCALE": "L", "GRAYSCALE_FLOAT16": "F"}


_MAX_DEFAULT = 1 << 28  # elements of an array that only the file asks for


def feed(feature: Feature, given: Any) -> Tensor:
    """Return the tensor for one declared input: fp32, or the integers the input declares.

    An image input takes a PIL image of the mode that coremltools takes (RGB; L for greyscale, F for
    16-bit greyscale), or uint8 ``[H, W, 3]`` RGB (``[H, W]`` greyscale), or floats
    ``[1, C, H, W]``: 0..255, RGB order whatever the model's layout. An array input takes an array
    of a declared shape; None stands for an optional array, which takes its default value. What a
    network computes in five dimensions comes with them.

    Raises:
        RefusedInput: another size, mode or type than declared. Nothing is resized or converted, as
            Core ML does not either.
    """
    import torch

    if feature.kind == "image":
        planes = _image(feature, given)
    elif feature.kind == "array":
        planes = _array(feature, given)
    else:
        raise RefusedInput(f"Input '{feature.name}' is a {feature.kind}, not an image or an array.")
    return torch.from_numpy(planes)


def picture(feature: Feature, planes: Array) -> Any:
    """Return the PIL image of a declared image output, ``[..., C, H, W]`` in 0..255."""
    from PIL import Image

    whole, planes = planes.shape, planes.reshape(planes.shape[-3:]) if _one(planes) else planes
    if planes.ndim != 3 or len(planes) != feature.channels or planes.size == 0:
        raise RefusedInput(
            f"Output '{feature.name}' is a {feature.color_layout} image and was computed as "
            f"{list(whole)}."
        )
    if feature.color_layout == "GRAYSCALE_FLOAT16":
        return Image.fromarray(_rounded_to_half(planes[0]))
    pixels = np.clip(np.rint(np.nan_to_num(planes)), 0, 255).astype(np.uint8)
    if feature.channels == 1:
        return Image.fromarray(pixels[0])
    return Image.fromarray(pixels[list(_CHANNELS[str(feature.color_layout)])].transpose(1, 2, 0))


def _one(planes: Array) -> bool:
    """Whether there is one image, whatever number of leading dimensions say so."""
    return planes.ndim >= 3 and set(planes.shape[:-3]) <= {1}


def _array(feature: Feature, given: Any) -> Array:
    if given is None:
        return _default(feature)
    if _is_picture(given):
        raise RefusedInput(f"Input '{feature.name}' takes an array, not a picture.")
    try:
        # A PyTorch tensor that requires gradients is no array yet.
        array = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
    except ValueError as error:  # lists of different lengths
        raise RefusedInput(f"Input '{feature.name}' takes an array: {error}") from error
    if array.dtype.kind not in "fiub":
        raise RefusedInput(f"Input '{feature.name}' takes numbers, got {array.dtype}.")
    leading: tuple[int, ...] = ()
    declared = array.shape
    if feature.five_dimensional:
        leading, declared = split_shape(array.shape, len(feature.shape))
    if not feature.shapes.allow(declared) or 0 in leading:
        also = ", or those sizes after a sequence and a batch" if feature.five_dimensional else ""
        raise RefusedInput(
            f"Input '{feature.name}' takes {feature.shapes}{also}, got {list(array.shape)}."
        )
    wanted = _fed_as(feature)
    if wanted.kind == "i" and array.dtype.kind == "f" and (array != np.trunc(array)).any():
        raise RefusedInput(
            f"Input '{feature.name}' takes {feature.element.name}, got fractions.",
            hint="Round them first: np.rint(array).astype(np.int32)",
        )
    if feature.element.name == "fp16":
        array = _rounded_to_half(array)
    return _lifted(feature, np.array(array, dtype=wanted, order="C"), leading, declared)


def _lifted(
    feature: Feature, array: Array, leading: Sequence[int], declared: Sequence[int]
) -> Array:
    if not feature.five_dimensional:
        return array
    return array.reshape(*leading, *declared, *(1,) * (3 - len(declared)))


def _rounded_to_half(array: Array) -> Array:
    """fp32, holding what fp16 can hold; beyond 65504 it is infinite."""
    with np.errstate(over="ignore"):
        return array.astype(np.float16).astype(np.float32)


def _default(feature: Feature) -> Array:
    wanted, count = _fed_as(feature), prod(feature.shape)
    if count > _MAX_DEFAULT:
        raise RefusedInput(
            f"Input '{feature.name}' is optional, but {count} elements are too many to fill in."
        )
    try:
        value = feature.default if wanted.kind == "f" else int(feature.default)
        filled = np.full(feature.shape, np.array(value, dtype=wanted))
    except (OverflowError, ValueError) as error:
        raise RefusedInput(
            f"Input '{feature.name}' has the default {feature.default}, which is no "
            f"{feature.element.name}."
        ) from error
    return _lifted(feature, filled, (1, 1), feature.shape)


def _fed_as(feature: Feature) -> np.dtype[Any]:
    return np.dtype(np.float32) if feature.element.is_float else feature.element.numpy


def _image(feature: Feature, given: Any) -> Array:
    if given is None and feature.optional:
        raise RefusedInput(
            f"Input '{feature.name}' is an optional image, and a picture has no default.",
            hint="Give it one.",
        )
    planes = np.array(_planes(feature, given), dtype=np.float32, order="C")
    if feature.color_layout == "GRAYSCALE_FLOAT16":
        planes = _rounded_to_half(planes)
    return planes[None] if feature.five_dimensional else planes


def _planes(feature: Feature, given: Any) -> Array:
    grey = feature.channels == 1
    if _is_picture(given):
        given = _picture(feature, given)
    array = np.asarray(given)
    if array.dtype.kind == "f" and array.ndim == 4:
        _check_size(feature, width=array.shape[3], height=array.shape[2])
        planes = array
        if array.shape[:2] != (1, feature.channels):
            expected = [1, feature.channels, *array.shape[2:]]
            raise RefusedInput(f"Input '{feature.name}' takes {expected}, got {list(array.shape)}.")
    elif array.dtype == np.uint8 and array.ndim == (2 if grey else 3):
        _check_size(feature, width=array.shape[1], height=array.shape[0])
        planes = array.reshape(*array.shape[:2], -1).transpose(2, 0, 1)[None]
        if planes.shape[1] != feature.channels:
            raise RefusedInput(
                f"Input '{feature.name}' takes {feature.channels} channels, got {planes.shape[1]}."
            )
    else:
        raise RefusedInput(
            f"Input '{feature.name}' takes a picture, uint8 [H, W{'' if grey else ', 3'}] or float "
            f"[1, {feature.channels}, H, W]; got {array.dtype} {list(array.shape)}."
        )
    return planes if grey else planes[:, _CHANNELS[str(feature.color_layout)]]


def _is_picture(given: Any) -> bool:
    """Whether it is a PIL image; of what arrays and tensors have, too, ``mode`` is one."""
    return hasattr(given, "getbands")


def _picture(feature: Feature, given: Any) -> Array:
    _check_size(feature, width=given.width, height=given.height)
    mode = _MODES[str(feature.color_layout)]
    if given.mode != mode:
        raise RefusedInput(
            f"Input '{feature.name}' is {feature.color_layout} and takes a picture of mode {mode}, "
            f"got {given.mode}.",
            hint=f"Convert it first: picture.convert({mode!r})",
        )
    array = np.asarray(given)
    return array[None, None] if mode == "F" else array


def _check_size(feature: Feature, *, width: int, height: int) -> None:
    if not feature.shapes.allow((height, width)):
        raise RefusedInput(
            f"Input '{feature.name}' takes {feature.shapes} pixels (height, width), got "
            f"[{height}, {width}].",
            hint="Core ML refuses it as well; crop and resize before predicting.",
        )


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
