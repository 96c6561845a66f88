"""The part of the pixel contract outside the network: decode, square region, resize.

On a phone Vision does this; here it is NumPy and Pillow. The rule for a region is shared with
EmotionKit through golden vectors (``fixtures/golden``).
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from fer_train.contract.errors import NotFound, UnreadableImage
from fer_train.contract.picture_files import is_archive, is_special, teach_pillow

#: What Pillow raises over damaged pictures: SyntaxError for chunks of a PNG, ValueError for
#: impossible sizes, RuntimeError for AVIF, and what else its readers meet in senseless bytes.
UNDECODABLE = (
    *(ArithmeticError, EOFError, LookupError, OSError, RuntimeError, SyntaxError, TypeError),
    *(ValueError, struct.error, zlib.error, Image.DecompressionBombError),
)

RGBImage = NDArray[np.uint8]  # [H, W, 3], 0..255


class Box(NamedTuple):
    """A rectangle in pixels with a top-left origin."""

    x: float
    y: float
    width: float
    height: float


def open_picture(source: Path | str | BinaryIO) -> Image.Image:
    """Open a picture without decoding it, of any kind that Pillow can read here.

    Raises:
        UNDECODABLE: any of them, for what Pillow cannot read.
    """
    teach_pillow()
    return Image.open(source)


def load_rgb(path: Path | str) -> RGBImage:
    """Decode an image file to uint8 RGB ``[H, W, 3]``, upright.

    EXIF orientation is applied; transparent pixels are composited on black; 16-bit samples keep
    their upper byte; palette and grey images are expanded.

    Raises:
        NotFound: no such file.
        UnreadableImage: the file is not an image, or is truncated, or is no file.
    """
    if is_special(path):
        raise UnreadableImage(
            f"{path} is a named pipe, a socket or a device, not a file.",
            hint="Save the picture to a file first.",
        )
    try:
        with open_picture(path) as image:
            return to_rgb(image)
    except FileNotFoundError:
        raise NotFound(f"There is no image {path}.") from None
    except UNDECODABLE as error:
        raise UnreadableImage(
            f"{path} cannot be decoded as an image: {error}.",
            hint="It is an archive: unpack it first."
            if is_archive(path)
            else "Replace or remove the file, then run the command again.",
        ) from error


def to_rgb(image: Image.Image) -> RGBImage:
    """Convert a Pillow image of any mode to uint8 RGB ``[H, W, 3]``, upright."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I;16") or upright.mode == "I":
        # Pillow clips I -> L at 255; a 16-bit grey image needs its upper byte.
        samples = np.asarray(upright).astype(np.int64)
        grey = np.clip(samples >> 8, 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
        rgba = upright.convert("RGBA")
        black = Image.new("RGBA", rgba.size, (0, 0, 0, 255))
        upright = Image.alpha_composite(black, rgba)
    return np.asarray(upright.convert("RGB"))


def centred_square(width: int, height: int) -> Box:
    """Return the largest centred square: the region of an image that is already a face crop."""
    side = min(width, height)
    return Box((width - side) / 2, (height - side) / 2, side, side)


def square_region(face: Box, *, image_size: tuple[int, int], margin: float) -> Box:
    """Expand a face box to the square the network was trained on.

    The side is ``(1 + margin)`` times the longer side of ``face``, about the same centre. A square
    that leaves the image is shifted back inside; one larger than the image is shrunk to the
    image's shorter side first.

    Args:
        face: pixels, top-left origin.
        image_size: ``(width, height)`` in pixels.
        margin: ``PreprocessSpec.crop_margin``.
    """
    width, height = image_size
    side = min(max(face.width, face.height) * (1 + margin), width, height)
    x = face.x + face.width / 2 - side / 2
    y = face.y + face.height / 2 - side / 2
    return Box(min(max(x, 0.0), width - side), min(max(y, 0.0), height - side), side, side)


def crop_resize(image: RGBImage, region: Box, *, size: int) -> RGBImage:
    """Resample ``region`` of ``image`` to ``[size, size, 3]``, bilinear with antialiasing."""
    box = (region.x, region.y, region.x + region.width, region.y + region.height)
    resized = Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR, box=box)
    return np.asarray(resized)


def face_crop(image: RGBImage, *, size: int) -> RGBImage:
    """Resample an image that is already a face crop to ``[size, size, 3]``."""
    height, width = image.shape[:2]
    return crop_resize(image, centred_square(width, height), size=size)
