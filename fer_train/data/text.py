"""Text files as users have them: UTF-8, UTF-16 or cp1252, with a byte-order mark or without."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from fer_train.contract.errors import DataLayoutError

#: Python's name -> what people know it by.
ENCODINGS = {
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "cp1252": "cp1252",
}

#: Bytes from which the encoding is told, unless all of a file is asked for.
START = 1 << 16


def read_text(path: Path) -> str:
    """Return all of a text file.

    Raises:
        DataLayoutError: it is no text.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    encoding = encoding_of(content)
    try:
        if encoding is not None:
            return content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError:
        pass
    raise DataLayoutError(f"{path} is no text.", hint="Save it as text in UTF-8.")


def encoding_of(start: bytes, rest: Iterable[bytes] = ()) -> str | None:
    """Return the encoding of a text, a key of `ENCODINGS`; None for what is not text.

    Args:
        start: its first bytes, at most all.
        rest: the pieces that follow, in which there may be letters that are not UTF-8.
    """
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # UTF-16 without a mark: every other byte of Latin letters is zero. No text has zeros otherwise.
    even, odd = start[::2].count(0), start[1::2].count(0)
    if odd > len(start) / 4 and not even:
        return "utf-16-le"
    if even > len(start) / 4 and not odd:
        return "utf-16-be"
    if even or odd:
        return None
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for piece in chain([start], rest):
            decoder.decode(piece)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"
