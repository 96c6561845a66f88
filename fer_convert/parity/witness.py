"""The way from a photograph to a network's pixels, written a second time.

Training cuts faces with `fer_train.contract.pixels`. A comparison that used the same lines for both
sides would find no mistake in them. This module shares none of them: files are decoded by
torchvision where it can (JPEG, PNG), the square is computed from docs/design/001 once more, and the
resampling is a matrix product in float64. Both ways may differ by a level of 255 where one of them
rounds between its passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_train.contract.pixels import Box, load_rgb
from fer_train.contract.preprocess import PreprocessSpec

Pixels = NDArray[np.uint8]

NAME = "second way"

#: EXIF orientation -> how the stored picture becomes upright: quarter turns to the left after a
#: mirroring from left to right, or none.
_UPRIGHT = {
    1: (0, False),
    2: (0, True),
    3: (2, False),
    4: (2, True),
    5: (1, True),
    6: (3, False),
    7: (3, True),
    8: (1, False),
}


@dataclass(frozen=True, slots=True)
class Cut:
    """A face's pixels, and whether the file was decoded by another library than training's."""

    pixels: Pixels
    decoded_apart: bool


def cut_face(path: Path, box: Box | None, *, spec: PreprocessSpec) -> Cut:
    """Return uint8 RGB ``[S, S, 3]`` of a face.

    Args:
        box: of the face, in the upright picture; None for a picture that is a face already.

    Raises:
        NotFound, UnreadableImage: as `load_rgb`.
    """
    decoded = _decode(path)
    picture = load_rgb(path) if decoded is None else decoded
    height, width = picture.shape[:2]
    left, top, side = (
        _centred(width, height) if box is None else _square(box, width, height, spec.crop_margin)
    )
    size = spec.input_size
    rows, down = _triangle(height, top, side, size)
    columns, across = _triangle(width, left, side, size)
    square = picture[rows, columns].astype(np.float64)  # of a photograph the part that counts
    lower = np.tensordot(down, square, axes=(1, 0))  # [S, columns, 3]
    resized = np.tensordot(across, lower, axes=(1, 1)).transpose(1, 0, 2)
    rounded = np.clip(np.floor(resized + 0.5), 0, 255).astype(np.uint8)
    return Cut(rounded, decoded is not None)


def _centred(width: int, height: int) -> tuple[float, float, float]:
    side = min(width, height)
    return (width - side) / 2, (height - side) / 2, float(side)


def _square(box: Box, width: int, height: int, margin: float) -> tuple[float, float, float]:
    """Grow the box to a square about its centre; make it fit, then move it inside."""
    side = max(box.width, box.height) * (1 + margin)
    side = float(min(side, width, height))
    left = box.x + (box.width - side) / 2
    top = box.y + (box.height - side) / 2
    return float(np.clip(left, 0, width - side)), float(np.clip(top, 0, height - side)), side


def _triangle(
    length: int, start: float, extent: float, size: int
) -> tuple[slice, NDArray[np.float64]]:
    """Weights ``[size, n]`` of a bilinear filter that is widened when it shrinks, and the n of
    ``length`` samples that it reaches."""
    scale = extent / size
    reach = max(scale, 1.0)
    first = max(0, int(np.floor(start - reach)))
    last = min(length, int(np.ceil(start + extent + reach)))
    centres = start + (np.arange(size) + 0.5) * scale
    distances = (np.arange(first, last) + 0.5)[None, :] - centres[:, None]
    weights = np.maximum(0.0, 1.0 - np.abs(distances) / reach)
    return slice(first, last), weights / weights.sum(axis=1, keepdims=True)


def _decode(path: Path) -> Pixels | None:
    """The upright picture by torchvision; None for what it cannot read."""
    import torch
    from torchvision.io import ImageReadMode, decode_image

    from fer_train.contract.pixels import UNDECODABLE

    try:
        raw = path.read_bytes()
        if not (raw.startswith(b"\xff\xd8\xff") or _is_plain_png(raw)):
            return None
        stored = decode_image(
            torch.frombuffer(bytearray(raw), dtype=torch.uint8), mode=ImageReadMode.UNCHANGED
        )
    except (*UNDECODABLE, RuntimeError):
        return None
    picture = _to_rgb(stored.permute(1, 2, 0).numpy())
    return None if picture is None else _upright(picture, _orientation(path))


def _is_plain_png(raw: bytes) -> bool:
    """Without a palette and without a colour that stands for transparency: torchvision hands out
    neither as a picture that says what it is."""
    if not raw.startswith(b"\x89PNG\r\n\x1a\n") or raw[25:26] == b"\x03":
        return False
    return b"tRNS" not in raw[: raw.find(b"IDAT")]


def _to_rgb(stored: NDArray[Any]) -> Pixels | None:
    """One to four channels of 8 or 16 bits as RGB; transparency on black."""
    channels = stored.shape[2]
    samples = stored >> 8 if stored.dtype == np.uint16 else stored
    if samples.dtype != np.uint8 and samples.max(initial=0) > 255:
        return None
    values = samples.astype(np.float64)
    if channels in (2, 4):
        alpha = values[..., -1:] / 255
        values = np.floor(values[..., :-1] * alpha + 0.5)
    if values.shape[2] == 1:
        values = np.repeat(values, 3, axis=2)
    return values.astype(np.uint8)


def _orientation(path: Path) -> int:
    from PIL import Image

    with Image.open(path) as image:
        return int(image.getexif().get(0x0112, 1))


def _upright(picture: Pixels, orientation: int) -> Pixels:
    turns, mirrored = _UPRIGHT.get(orientation, (0, False))
    return np.ascontiguousarray(np.rot90(picture[:, ::-1] if mirrored else picture, turns))
