"""Decode every image once into a flat uint8 file; afterwards batches are gathered by index.

A cache is a folder ``<key>/`` with ``pixels.u8`` (``[N, S, S, 3]`` without a header) and
``cache.json``. The key is a hash of the content of every image, its order, its face box and the
size: a moved or copied data set finds its cache, and a changed image makes a new one. Hashing a
large data set takes as long as reading it, so the hashes are kept in ``digests/`` under the state
of the files (name, size, times) and taken from there until a file is touched.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fer_train.contract.errors import DataLayoutError, FerError, UnreadableImage
from fer_train.contract.files import atomic_directory, cannot_write, write_json
from fer_train.data.images import content_digest, crop, decode, listing_signature, read_content
from fer_train.data.samples import Sample

CACHE_VERSION = 2
MARKER, PIXELS = "cache.json", "pixels.u8"

#: Images between two looks at the stop flag, and the bytes of decoded ones that wait in memory.
_CHUNK, _CHUNK_BYTES = 512, 32 << 20

#: Names shown for unreadable images.
_SHOWN = 5

#: Seconds between two calls of who waits for a lock.
_POLL = 0.2

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelCache:
    """Decoded images of one split on disk.

    Attributes:
        pixels: the raw file.
        count: number of images.
        size: side of each stored square, in pixels.
        digests: SHA-256 of each source image, in order.
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
    samples: Sequence[Sample],
    *,
    size: int,
    margin: float,
    folder: Path,
    workers: int,
    on_progress: Callable[[int], None],
) -> PixelCache:
    """Return the cache of these images, decoding them first if it does not exist.

    Each image is cropped by the contract's rule (`images.crop`), bilinear with antialiasing. A
    second process that asks for the same cache waits for the first.

    Args:
        root: data root; sample names are relative to it.
        size: side of the stored squares, in pixels.
        margin: added to face boxes; images without a box do not depend on it.
        workers: decoding threads (Pillow releases the interpreter lock in its decoders).
        on_progress: called with the number of images just decoded; may raise to stop.

    Raises:
        UnreadableImage: some images cannot be decoded; all are tried, five are named.
        NotFound: a file is gone.
        DataLayoutError: files change while they are read.
        CannotWrite: no space or permission for the cache; nothing is left behind.
    """
    digests = content_digests(
        root, samples, folder=folder, workers=workers, check_stop=lambda: on_progress(0)
    )
    key = _key(samples, digests, size=size, margin=margin)
    target = folder / key
    cache = PixelCache(pixels=target / PIXELS, count=len(samples), size=size, digests=digests)
    if _complete(cache):
        return cache
    with exclusive(folder / f"{key}.lock", while_waiting=lambda: on_progress(0)):
        if _complete(cache):
            return cache
        # Left by a process that was killed: nobody else builds while we hold the lock.
        for stale in folder.glob(f".{key}.*.partial"):
            shutil.rmtree(stale, ignore_errors=True)
        with atomic_directory(target, marker=MARKER) as partial:
            decoded = _decode_all(
                root,
                samples,
                partial / PIXELS,
                size=size,
                margin=margin,
                workers=workers,
                on_progress=on_progress,
            )
            if decoded != digests:
                raise DataLayoutError(
                    f"Images under {root} changed while they were read.",
                    hint="Let whatever writes there finish, then run the command again.",
                )
            record = {"version": CACHE_VERSION, "count": len(samples), "size": size}
            write_json(partial / MARKER, record)
    return cache


def content_digests(
    root: Path,
    samples: Sequence[Sample],
    *,
    folder: Path,
    workers: int,
    check_stop: Callable[[], None],
) -> list[str]:
    """Return the SHA-256 of every image's content, from the last time if no file was touched.

    Raises:
        NotFound, UnreadableImage: a file is gone or cannot be read.
    """
    kept = folder / "digests" / f"{listing_signature(root, samples)[:32]}.json"
    try:
        digests: list[str] = json.loads(kept.read_text(encoding="utf-8"))
        if len(digests) == len(samples):
            return digests
    except (OSError, ValueError):
        pass
    digests = []
    with ThreadPoolExecutor(max(workers, 1)) as pool:
        for chunk in chunks(samples, _CHUNK):
            contents = pool.map(lambda s: content_digest(read_content(root, s)), chunk)
            digests.extend(contents)
            check_stop()
    write_json(kept, digests)
    return digests


def unreadable(root: Path, failures: Sequence[str], total: int) -> UnreadableImage:
    """Return the error that names the first images that could not be decoded."""
    shown = "\n  ".join(failures[:_SHOWN])
    more = f"\n  … and {len(failures) - _SHOWN} more" if len(failures) > _SHOWN else ""
    return UnreadableImage(
        f"{len(failures)} of {total} images under {root} cannot be decoded.",
        hint=f"{shown}{more}\n  Replace or remove them; or list them all with fertrain data check, "
        "and train with --exclude on what it writes.",
    )


def chunks(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    """Yield consecutive slices."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _key(samples: Sequence[Sample], digests: Iterable[str], *, size: int, margin: float) -> str:
    key = hashlib.sha256(f"v{CACHE_VERSION} {size}\n".encode())
    for sample, digest in zip(samples, digests, strict=True):
        region = "" if sample.box is None else f" {tuple(sample.box)} {margin}"
        key.update(f"{digest}{region}\n".encode())
    return key.hexdigest()[:32]


def _complete(cache: PixelCache) -> bool:
    try:
        marker = cache.pixels.with_name(MARKER)
        record: dict[str, Any] = json.loads(marker.read_text(encoding="utf-8"))
        whole = cache.pixels.stat().st_size == cache.bytes()
    except (OSError, ValueError):
        return False
    return whole and record.get("version") == CACHE_VERSION and record.get("count") == cache.count


def _decode_all(
    root: Path,
    samples: Sequence[Sample],
    target: Path,
    *,
    size: int,
    margin: float,
    workers: int,
    on_progress: Callable[[int], None],
) -> list[str]:
    digests: list[str] = []
    failures: list[str] = []
    at_once = max(16, min(_CHUNK, _CHUNK_BYTES // (size * size * 3)))
    # Written as a stream, not through a memory map: a full disk under a map is a bus error.
    with target.open("wb") as stream, ThreadPoolExecutor(max(workers, 1)) as pool:
        for chunk in chunks(samples, at_once):
            for decoded in pool.map(lambda s: _decode(root, s, size, margin), chunk):
                stream.write(decoded.pixels)
                digests.append(decoded.digest)
                if decoded.error is not None:
                    failures.append(decoded.error)
            on_progress(len(chunk))
    if failures:
        raise unreadable(root, failures, len(samples))
    return digests


def _decode(root: Path, sample: Sample, size: int, margin: float) -> _Decoded:
    try:
        content = read_content(root, sample)
        image = crop(decode(content, sample, root=root), sample, size=size, margin=margin)
    except FerError as error:
        return _Decoded(pixels=b"", digest="", error=error.message)
    return _Decoded(pixels=image.tobytes(), digest=content_digest(content), error=None)


@contextlib.contextmanager
def exclusive(path: Path, *, while_waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file ``path``; the operating system releases it however the holder dies.

    Args:
        while_waiting: called a few times per second; may raise to give up.

    Raises:
        CannotWrite: no permission for the lock's folder.
    """
    from filelock import FileLock, Timeout  # here: a tenth of a second that --help need not wait

    lock = FileLock(path)
    while not lock.is_locked:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=_POLL)
        except Timeout:
            while_waiting()
        except OSError as error:
            raise cannot_write(path, error) from error
    try:
        yield
    finally:
        # While it is still ours: filelock notices in a waiting process that this file is gone, and
        # starts over. Windows removes no file that is open; there it stays, empty.
        with contextlib.suppress(OSError):
            path.unlink()
        lock.release()
