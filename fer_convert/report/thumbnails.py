"""PNG thumbnails of the network's input."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: Inputs up to this side are kept pixel for pixel; 64 of them make about half a megabyte of page.
MAX_SIDE = 64  # px


def thumbnail_png(image: NDArray[np.uint8]) -> tuple[bytes, bool]:
    """Encode uint8 RGB ``[S, S, 3]`` as PNG.

    Returns:
        The file's bytes, and whether it holds the exact pixels (False: reduced to `MAX_SIDE`).
    """
    picture = Image.fromarray(image)
    exact = max(picture.size) <= MAX_SIDE
    if not exact:
        picture = picture.resize((MAX_SIDE, MAX_SIDE), Image.Resampling.BOX)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue(), exact
