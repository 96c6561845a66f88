"""From what a caller has (a picture, an array) to the tensor a model's input takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_convert.coreml_runtime.description import Feature
from fer_convert.coreml_runtime.element_types import Array
from fer_convert.coreml_runtime.errors import RefusedInput

if TYPE_CHECKING:
    from torch import Tensor

# Which channels of an RGB picture a layout takes, in its order.
_CHANNELS: Mapping[str, tuple[int, ...]] = {"RGB": (0, 1, 2), "BGR": (2, 1, 0)}


def feed(feature: Feature, given: Any) -> Tensor:
    """Return the fp32 tensor for one declared input.

    An image input takes a PIL image (mode RGB, or RGBA with its alpha ignored; L for a greyscale
    model), or uint8 ``[H, W, 3]`` RGB (``[H, W]`` greyscale), or floats ``[1, C, H, W]``: 0..255,
    RGB order whatever the model's layout. An array input takes an array of its declared shape.

    Raises:
        RefusedInput: another size, mode or type than declared. Nothing is resized or converted, as
            Core ML does not either.
    """
    import torch

    if feature.kind == "image":
        planes = _planes(feature, given)
    elif feature.kind == "array":
        planes = np.asarray(given, dtype=np.float32)
        if planes.shape != feature.shape:
            raise RefusedInput(
                f"Input '{feature.name}' takes {list(feature.shape)}, got {list(planes.shape)}."
            )
    else:
        raise RefusedInput(f"Input '{feature.name}' is a {feature.kind}, not an image or an array.")
    return torch.from_numpy(np.array(planes, dtype=np.float32, order="C"))


def _planes(feature: Feature, given: Any) -> Array:
    grey = feature.color_layout == "GRAYSCALE"
    channels = 1 if grey else 3
    if hasattr(given, "mode"):
        given = _picture(feature, given)
    array = np.asarray(given)
    if array.dtype.kind == "f" and array.ndim == 4:
        planes, expected = array, (1, channels, feature.height, feature.width)
        if array.shape != expected:
            raise RefusedInput(
                f"Input '{feature.name}' takes {list(expected)}, got {list(array.shape)}."
            )
    elif array.dtype == np.uint8 and array.ndim == (2 if grey else 3):
        _check_size(feature, width=array.shape[1], height=array.shape[0])
        planes = array.reshape(*array.shape[:2], -1).transpose(2, 0, 1)[None]
        if planes.shape[1] != channels:
            raise RefusedInput(
                f"Input '{feature.name}' takes {channels} channels, got {planes.shape[1]}."
            )
    else:
        raise RefusedInput(
            f"Input '{feature.name}' takes a picture, uint8 [H, W{'' if grey else ', 3'}] or float "
            f"[1, {channels}, H, W]; got {array.dtype} {list(array.shape)}."
        )
    return planes if grey else planes[:, _CHANNELS[str(feature.color_layout)]]


def _picture(feature: Feature, picture: Any) -> Array:
    _check_size(feature, width=picture.width, height=picture.height)
    allowed = ("L",) if feature.color_layout == "GRAYSCALE" else ("RGB", "RGBA")
    if picture.mode not in allowed:
        raise RefusedInput(
            f"Input '{feature.name}' is {feature.color_layout} and takes a picture of mode "
            f"{' or '.join(allowed)}, got {picture.mode}.",
            hint=f"Convert it first: picture.convert({allowed[0]!r})",
        )
    array = np.asarray(picture)
    return array[..., :3] if picture.mode == "RGBA" else array


def _check_size(feature: Feature, *, width: int, height: int) -> None:
    if (width, height) != (feature.width, feature.height):
        raise RefusedInput(
            f"Input '{feature.name}' takes {feature.width} x {feature.height} pixels "
            f"(width x height), got {width} x {height}.",
            hint="Core ML refuses it as well; crop and resize before predicting.",
        )
