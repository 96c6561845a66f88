"""One sample's pixels: from an image file or from a row of numbers, as the contract crops them."""

from __future__ import annotations

import hashlib
import io
import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_train.contract.errors import NotFound, UnreadableImage
from fer_train.contract.pixels import (
    UNDECODABLE,
    RGBImage,
    centred_square,
    crop_resize,
    open_picture,
    square_region,
    to_rgb,
)
from fer_train.data.samples import Sample


def read_content(root: Path, sample: Sample) -> bytes:
    """Return the bytes that decide a sample's pixels: the file, or the numbers of its CSV row.

    Raises:
        NotFound: the file is gone.
        UnreadableImage: it cannot be read.
    """
    path = root / sample.file
    try:
        if sample.offset is None:
            return path.read_bytes()
        with path.open("rb") as stream:
            stream.seek(sample.offset)
            line = stream.readline()
    except FileNotFoundError:
        raise NotFound(f"There is no image {path}.") from None
    except OSError as error:
        raise UnreadableImage(f"{path} cannot be read: {error.strerror}.") from error
    # Of a row's fields, the pixels are by far the longest; labels are not content.
    return max(re.split(rb"[,;\t]", line), key=len).strip(b' "\r\n')


def decode(content: bytes, sample: Sample, *, root: Path) -> RGBImage:
    """Return uint8 RGB ``[H, W, 3]`` of what `read_content` returned, upright.

    Raises:
        UnreadableImage: damaged, truncated, or not an image.
    """
    try:
        if sample.offset is not None:
            return _from_numbers(content)
        with open_picture(io.BytesIO(content)) as image:
            return to_rgb(image)
    except UNDECODABLE as error:
        reason = "it is empty" if not content else _plain(error)
        raise UnreadableImage(
            f"{root / sample.name} cannot be decoded as an image: {reason}."
        ) from error


def crop(image: RGBImage, sample: Sample, *, size: int, margin: float) -> RGBImage:
    """Return the square that the network is trained on, ``[size, size, 3]``.

    With a face box it is the contract's `square_region`; otherwise the image already is a face
    crop and its largest centred square is taken.

    Args:
        margin: ``PreprocessSpec.crop_margin``.
    """
    height, width = image.shape[:2]
    region = centred_square(width, height)
    if sample.box is not None:
        region = square_region(sample.box, image_size=(width, height), margin=margin)
    return crop_resize(image, region, size=size)


def native_side(root: Path, sample: Sample, *, margin: float) -> int | None:
    """Return the side of the square before resizing, in pixels; None for an unreadable file."""
    try:
        if sample.offset is not None:
            return math.isqrt(len(read_content(root, sample).split()))
        with open_picture(root / sample.file) as image:
            width, height = image.size
    # Unreadable files are reported, all of them, by the decoding pass that follows.
    except (UnreadableImage, NotFound, *UNDECODABLE):
        return None
    if sample.box is None:
        return min(width, height)
    return round(square_region(sample.box, image_size=(width, height), margin=margin).width)


def content_digest(content: bytes) -> str:
    """Return the SHA-256 of what `read_content` returned."""
    return hashlib.sha256(content).hexdigest()


def listing_signature(root: Path, samples: Sequence[Sample]) -> str:
    """Return a hash of names, boxes, sizes and times: equal as long as nobody touched the files.

    The change time is included because, unlike the modification time, it cannot be set: a file
    replaced by another of equal size and date is noticed. A file that is gone, or a link that leads
    nowhere, is a state, too: whoever reads it says so.
    """
    signature = hashlib.sha256(f"{root.resolve()}\n".encode(errors="surrogatepass"))
    states: dict[str, tuple[int, ...]] = {}
    for sample in samples:
        state = states.get(sample.file)
        if state is None:
            state = _state(root / sample.file)
            if sample.offset is not None:
                states[sample.file] = state
        # Names need not be UTF-8.
        signature.update(f"{sample.name} {state}\n".encode(errors="surrogatepass"))
    return signature.hexdigest()


def _state(file: Path) -> tuple[int, ...]:
    try:
        status = file.stat()
    except OSError:
        return ()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _from_numbers(content: bytes) -> RGBImage:
    numbers = np.array(content.split(), dtype=np.int64)
    side = math.isqrt(numbers.size)
    if side == 0 or side * side != numbers.size:
        raise ValueError(f"{numbers.size} numbers are not a square image")
    if numbers.min() < 0 or numbers.max() > 255:
        raise ValueError(f"its values go from {numbers.min()} to {numbers.max()}, not 0 to 255")
    grey = numbers.astype(np.uint8).reshape(side, side, 1)
    return np.repeat(grey, 3, axis=2)


def _plain(error: BaseException) -> str:
    # Pillow names the buffer's address, which says nothing and changes.
    text = str(error)
    return "not an image" if "cannot identify image file" in text else text.rstrip(".")
