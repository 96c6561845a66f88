"""Decode every image once into a flat uint8 file; afterwards batches are gathered by index.

A cache is a folder ``<key>/`` with ``pixels.u8`` (``[N, S, S, 3]`` without a header) and
``cache.json``. The key is a hash of the file list with sizes and modification times and of how the
files were decoded, so an edited, added or removed image makes a new cache.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_train.contract.errors import FerError, UnreadableImage
from fer_train.contract.files import atomic_directory, sha256_file, write_json
from fer_train.contract.pixels import face_crop, load_rgb

CACHE_VERSION = 1
MARKER = "cache.json"
PIXELS = "pixels.u8"
#: Images decoded between two looks at the stop flag, and the most that wait in memory.
_CHUNK = 512
#: Names shown for unreadable images.
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelCache:
    """Decoded images of one split on disk.

    Attributes:
        pixels: the raw file.
        count: number of images.
        size: side of each stored square, in pixels.
        digests: SHA-256 of each source file, in order.
    """

    pixels: Path
    count: int
    size: int
    digests: list[str]

    def gather(self, indices: Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return a copy of the images at ``indices``, uint8 ``[B, S, S, 3]``."""
        # Mapped anew for every batch: pages of a lasting map count as our memory and grow with
        # the data set; a closed map gives them back, and opening one costs microseconds.
        shape = (self.count, self.size, self.size, 3)
        images = np.memmap(self.pixels, dtype=np.uint8, mode="r", shape=shape)
        return np.array(images[indices])

    def bytes(self) -> int:
        """Return the size of the pixels on disk."""
        return self.count * self.size * self.size * 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decoded:
    pixels: bytes
    digest: str
    error: str | None


def default_cache_folder() -> Path:
    """Return ``$XDG_CACHE_HOME/fertrain``, or its usual place in the home folder."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "fertrain"


def open_cache(
    root: Path,
    paths: Sequence[str],
    *,
    size: int,
    folder: Path,
    workers: int,
    on_progress: Callable[[int], None],
) -> PixelCache:
    """Return the cache of these images, decoding them first if it does not exist.

    Each image is the contract's `face_crop`: largest centred square, bilinear with antialiasing.

    Args:
        root: data root; ``paths`` are relative to it.
        size: side of the stored squares, in pixels.
        workers: decoding threads (Pillow releases the interpreter lock in its decoders).
        on_progress: called with the number of images just decoded; may raise to stop.

    Raises:
        UnreadableImage: some files cannot be decoded; all are tried, five are named.
        CannotWrite: no space or permission for the cache; nothing is left behind.
    """
    target = folder / _key(root, paths, size)
    cached = _existing(target, count=len(paths), size=size)
    if cached is not None:
        return cached
    with atomic_directory(target, marker=MARKER) as partial:
        digests = _decode_all(
            root, paths, partial / PIXELS, size=size, workers=workers, on_progress=on_progress
        )
        record = {"version": CACHE_VERSION, "count": len(paths), "size": size, "sha256": digests}
        write_json(partial / MARKER, record)
    return PixelCache(pixels=target / PIXELS, count=len(paths), size=size, digests=digests)


def _key(root: Path, paths: Sequence[str], size: int) -> str:
    key = hashlib.sha256(f"v{CACHE_VERSION} face_crop {size}\n{root.resolve()}\n".encode())
    for path in paths:
        status = (root / path).stat()
        key.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return key.hexdigest()[:32]


def _existing(target: Path, *, count: int, size: int) -> PixelCache | None:
    try:
        record: dict[str, Any] = json.loads((target / MARKER).read_text(encoding="utf-8"))
        complete = (target / PIXELS).stat().st_size == count * size * size * 3
    except (OSError, ValueError):
        return None
    if not complete or record.get("version") != CACHE_VERSION or record.get("count") != count:
        return None
    return PixelCache(pixels=target / PIXELS, count=count, size=size, digests=record["sha256"])


def _decode_all(
    root: Path,
    paths: Sequence[str],
    target: Path,
    *,
    size: int,
    workers: int,
    on_progress: Callable[[int], None],
) -> list[str]:
    digests: list[str] = []
    failures: list[str] = []
    # Written as a stream, not through a memory map: a full disk under a map is a bus error.
    with target.open("wb") as stream, ThreadPoolExecutor(max(workers, 1)) as pool:
        for chunk in _chunks(paths):
            for decoded in pool.map(lambda p: _decode(root / p, size), chunk):
                stream.write(decoded.pixels)
                digests.append(decoded.digest)
                if decoded.error is not None:
                    failures.append(decoded.error)
            on_progress(len(chunk))
    if failures:
        shown = "\n  ".join(failures[:_SHOWN])
        more = f"\n  … and {len(failures) - _SHOWN} more" if len(failures) > _SHOWN else ""
        raise UnreadableImage(
            f"{len(failures)} of {len(paths)} images under {root} cannot be decoded.",
            hint=f"{shown}{more}\n  Replace or remove them, then run the command again.",
        )
    return digests


def _decode(path: Path, size: int) -> _Decoded:
    try:
        image = face_crop(load_rgb(path), size=size)
        return _Decoded(pixels=image.tobytes(), digest=sha256_file(path), error=None)
    except FerError as error:
        return _Decoded(pixels=b"", digest="", error=error.message)


def _chunks(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(paths), _CHUNK):
        yield paths[start : start + _CHUNK]
