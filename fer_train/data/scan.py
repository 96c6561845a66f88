"""Look once at every image of a data set: can it be read, how large is it, what does it look like.

The result is kept beside the decoded images, under the state of the files, so that neither a second
``fertrain data check`` nor a training run that splits the data decodes anything again.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fer_train.contract.errors import FerError
from fer_train.contract.files import atomic_write
from fer_train.contract.pixels import RGBImage
from fer_train.contract.preprocess import LUMA, PreprocessSpec
from fer_train.data.cache import chunks
from fer_train.data.images import crop, decode, listing_signature, read_content
from fer_train.data.perceptual import (
    THUMB,
    Pairs,
    Thumbs,
    connected,
    gradient_hashes,
    near_pairs,
    similar_thumbs,
)
from fer_train.data.samples import Sample

_VERSION = 2
_CHUNK = 256
_SMALL = 4 * THUMB  # px: colour and contrast are judged on the face at this size
#: Largest difference between colour channels that JPEG compression makes of a grey picture.
_GREY_TOLERANCE = 12
#: Standard deviation of luma, 0..255, below which there is nothing to see or to compare.
BLANK_CONTRAST = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What was seen, one entry per sample; unreadable ones have an empty digest and zeros.

    Attributes:
        digests: SHA-256 of the decoded pixels (and the face box): equal means the same picture.
        thumbs: luma of the face, uint8 [N, 12, 12].
        sizes: width and height in pixels, int64 [N, 2].
        grey: no colour in it.
        contrast: standard deviation of luma, 0..255.
        errors: why an image could not be read; empty where it could.
    """

    digests: list[str]
    thumbs: Thumbs
    sizes: NDArray[np.int64]
    grey: NDArray[np.bool_]
    contrast: NDArray[np.float64]
    errors: list[str]

    def comparable(self) -> NDArray[np.int64]:
        """Return the indices of readable images that show something."""
        readable = np.array([not error for error in self.errors], dtype=np.bool_)
        return np.flatnonzero(readable & (self.contrast >= BLANK_CONTRAST))


class _Seen(NamedTuple):
    digest: str
    face: RGBImage
    size: tuple[int, int]
    error: str


def scan_images(
    root: Path,
    samples: Sequence[Sample],
    *,
    folder: Path,
    workers: int,
    on_progress: Callable[[int], None],
) -> Scan:
    """Return what every image shows; at most 256 decoded images wait in memory.

    Args:
        folder: the cache folder.
        on_progress: called with the number of images just seen; may raise to stop.

    Raises:
        CannotWrite: no space or permission for the result.
    """
    kept = folder / "scans" / f"v{_VERSION}-{_key(root, samples)}.npz"
    known = _load(kept, len(samples))
    if known is not None:
        return known
    seen: list[_Seen] = []
    looks: list[_Looks] = []
    with ThreadPoolExecutor(max(workers, 1)) as pool:
        for chunk in chunks(samples, _CHUNK):
            part = list(pool.map(lambda sample: _look(root, sample), chunk))
            looks.append(_judge(np.stack([one.face for one in part])))
            seen += [one._replace(face=_NOTHING) for one in part]
            on_progress(len(chunk))
    scan = Scan(
        digests=[one.digest for one in seen],
        thumbs=np.concatenate([look.thumbs for look in looks]),
        sizes=np.array([one.size for one in seen], dtype=np.int64),
        grey=np.concatenate([look.grey for look in looks]),
        contrast=np.concatenate([look.contrast for look in looks]),
        errors=[one.error for one in seen],
    )
    _save(kept, scan)
    return scan


def near_duplicates(scan: Scan, *, distance: int) -> Pairs:
    """Return pairs of images that look alike, or one of which looks like the other's mirror image.

    Blank images are left out: they have no gradients to compare. Images with equal pixels are
    linked, too, at distance 0.
    """
    chosen = scan.comparable()
    count = len(chosen)
    faces = scan.thumbs[chosen]
    views = np.concatenate([faces, faces[:, :, ::-1]])
    pairs = near_pairs(gradient_hashes(views), distance=distance)
    pairs = pairs[similar_thumbs(views[pairs[:, 0]], views[pairs[:, 1]])]
    # A mirror image is only another view of the same item.
    ends = np.sort(chosen[pairs[:, :2] % max(count, 1)], axis=1)
    joined = np.column_stack([ends, pairs[:, 2]])[ends[:, 0] != ends[:, 1]]
    joined = joined[np.argsort(joined[:, 2], kind="stable")]
    _, nearest = np.unique(joined[:, :2], axis=0, return_index=True)
    near: Pairs = joined[nearest]
    return near


def duplicate_groups(scan: Scan, *, distance: int) -> NDArray[np.int64]:
    """Return for every image the first image it is an exact or near copy of, itself if none."""
    near = near_duplicates(scan, distance=distance)
    return connected(len(scan.digests), np.concatenate([equal_pixels(scan), near]))


def equal_pixels(scan: Scan) -> Pairs:
    """Return each image with the first one of the same pixels, at distance 0."""
    first: dict[str, int] = {}
    pairs = [
        (first[digest], index, 0)
        for index, digest in enumerate(scan.digests)
        if digest and first.setdefault(digest, index) != index
    ]
    return np.array(pairs, dtype=np.int64).reshape(-1, 3)


_NOTHING = np.zeros((_SMALL, _SMALL, 3), dtype=np.uint8)
_MARGIN = PreprocessSpec().crop_margin


def _triangle() -> NDArray[np.float64]:
    """Return the matrix [12, 48] of bilinear reduction, the smoothness that the hash relies on."""
    ratio = _SMALL // THUMB
    centres = (np.arange(THUMB) + 0.5) * ratio
    weights = 1 - np.abs(np.arange(_SMALL) + 0.5 - centres[:, None]) / ratio
    weights = np.maximum(weights, 0.0)
    shrink: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return shrink


_SHRINK = _triangle()


class _Looks(NamedTuple):
    thumbs: Thumbs
    grey: NDArray[np.bool_]
    contrast: NDArray[np.float64]


def _look(root: Path, sample: Sample) -> _Seen:
    try:
        image = decode(read_content(root, sample), sample, root=root)
        face = crop(image, sample, size=_SMALL, margin=_MARGIN)
    except FerError as error:
        return _Seen("", _NOTHING, (0, 0), error.message)
    height, width = image.shape[:2]
    digest = hashlib.sha256(f"{width} {height} {sample.box}".encode())
    digest.update(image.data)
    return _Seen(digest.hexdigest(), face, (width, height), "")


def _judge(faces: NDArray[np.uint8]) -> _Looks:
    """Derive everything but sizes and digests from the small faces [N, 48, 48, 3]."""
    spread = faces.max(axis=3) - faces.min(axis=3)
    luma = faces @ np.array(LUMA)
    thumbs = _SHRINK @ luma @ _SHRINK.T
    return _Looks(
        thumbs=np.rint(thumbs).astype(np.uint8),
        grey=spread.max(axis=(1, 2)) <= _GREY_TOLERANCE,
        contrast=luma.std(axis=(1, 2)),
    )


def _key(root: Path, samples: Sequence[Sample]) -> str:
    key = hashlib.sha256(listing_signature(root, samples).encode())
    for sample in samples:
        if sample.box is not None:
            key.update(repr(tuple(sample.box)).encode())
    return key.hexdigest()[:32]


def _save(path: Path, scan: Scan) -> None:
    with atomic_write(path) as temporary, temporary.open("wb") as stream:
        np.savez(
            stream,
            thumbs=scan.thumbs,
            sizes=scan.sizes,
            grey=scan.grey,
            contrast=scan.contrast,
            text=np.frombuffer(json.dumps([scan.digests, scan.errors]).encode(), dtype=np.uint8),
        )


def _load(path: Path, count: int) -> Scan | None:
    try:
        with np.load(path, allow_pickle=False) as stored:
            digests, errors = json.loads(stored["text"].tobytes())
            scan = Scan(
                digests=digests,
                thumbs=stored["thumbs"],
                sizes=stored["sizes"],
                grey=stored["grey"],
                contrast=stored["contrast"],
                errors=errors,
            )
    # A damaged file is as good as none: it is written anew.
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return scan if len(scan.digests) == count else None
