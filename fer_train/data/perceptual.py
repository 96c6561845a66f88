"""Which images look alike: gradient hashes, and all pairs within a distance without trying all.

The hash of an image is the sign of every horizontal and vertical step of its 12 x 12 luma
thumbnail: 242 bits that survive recompression, resizing and changes of brightness. The distance of
two images is the number of bits in which they differ. Unrelated faces differ in about 60 bits at
the closest of ten thousand; copies recompressed at JPEG quality 50 or halved in size in up to 15.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

THUMB = 12  # px
BITS = 2 * (THUMB - 1) ** 2
#: Bits in which two images may differ and still count as the same picture.
NEAR_DISTANCE = 20
MAX_DISTANCE = 24

Hashes = NDArray[np.uint64]  # [N, 4]
Pairs = NDArray[np.int64]  # [P, 3]: first, second, distance

#: A chunk's key must fit into 64 bits.
_FEWEST_CHUNKS = 4
#: Comparisons per image and bucket, and pairs expanded at once (bounds time and memory).
_MOST_PER_BUCKET, _AT_ONCE = 256, 1 << 21


def gradient_hashes(luma: NDArray[np.float64]) -> Hashes:
    """Return the hash of every thumbnail, uint64 ``[N, 4]``, from luma ``[N, 12, 12]``."""
    inner = luma[:, :-1, :-1]
    steps = np.stack([luma[:, :-1, 1:] > inner, luma[:, 1:, :-1] > inner], axis=1)
    packed = np.zeros((len(luma), 32), dtype=np.uint8)
    bits = np.packbits(steps.reshape(len(luma), BITS), axis=1)
    packed[:, : bits.shape[1]] = bits
    return packed.view(np.uint64)


def near_pairs(hashes: Hashes, *, distance: int) -> Pairs:
    """Return pairs of different hashes at most ``distance`` bits apart, and a chain of equal ones.

    Hashes are cut into m pieces with ``distance < 2 m``: two that are near enough differ in at
    most one bit in one of the pieces. So only images whose piece is equal, or has one bit flipped,
    are compared, instead of all with all. Where more than 256 images share a piece (frames of one
    film), each is compared with 256 of them; chains of neighbours still connect the rest.

    Returns:
        int64 ``[P, 3]``: first index < second index, distance; every pair once, sorted.
    """
    unique, first, inverse = np.unique(hashes, axis=0, return_index=True, return_inverse=True)
    inverse = inverse.reshape(-1)
    found = [np.empty((0, 3), dtype=np.int64), _chains(inverse)]
    beginnings = np.ascontiguousarray(unique[:, :1])
    for left, right in _candidates(unique, distance):
        # One quarter of the bits already tells most of them apart.
        hopeful = _popcount(beginnings[left] ^ beginnings[right]) <= distance
        left, right = left[hopeful], right[hopeful]
        apart = _popcount(unique[left] ^ unique[right])
        near = apart <= distance
        ends = np.sort(np.stack([first[left[near]], first[right[near]]], axis=1), axis=1)
        found.append(np.column_stack([ends, apart[near]]))
    return np.unique(np.concatenate(found).astype(np.int64), axis=0)


def connected(count: int, pairs: Pairs) -> NDArray[np.int64]:
    """Return for each of ``count`` items the smallest index among those it is connected with."""
    parent = list(range(count))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for first, second in pairs[:, :2].tolist():
        a, b = root(first), root(second)
        parent[max(a, b)] = min(a, b)
    return np.array([root(item) for item in range(count)], dtype=np.int64)


def _chains(groups: NDArray[np.int64]) -> Pairs:
    """Link each member of a group to the next one, at distance 0."""
    order = np.argsort(groups, kind="stable")
    same = groups[order[1:]] == groups[order[:-1]]
    linked = np.stack([order[:-1][same], order[1:][same]], axis=1)
    return np.column_stack([linked, np.zeros(len(linked), dtype=np.int64)])


def _candidates(
    hashes: Hashes, distance: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    bits = np.unpackbits(hashes.view(np.uint8), axis=1)[:, :BITS]
    pieces = max(_FEWEST_CHUNKS, distance // 2 + 1)
    for piece in range(pieces):
        # Every pieces-th bit: neighbouring steps of a picture tell the same story.
        chosen = bits[:, piece::pieces].astype(np.int64)
        width = chosen.shape[1]
        keys = chosen @ (np.int64(1) << np.arange(width, dtype=np.int64))
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        # Equal keys: each with those after it in the order, so that no pair comes twice.
        after = np.searchsorted(ordered, ordered, side="right")
        yield from _expand(order, np.arange(1, len(order) + 1), after, order)
        for bit in range(width):
            mask = np.int64(1) << np.int64(bit)
            lower = np.flatnonzero((ordered & mask) == 0)
            flipped = ordered[lower] | mask
            start = np.searchsorted(ordered, flipped, side="left")
            stop = np.searchsorted(ordered, flipped, side="right")
            yield from _expand(order[lower], start, stop, order)


def _expand(
    left: NDArray[np.int64],
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    order: NDArray[np.int64],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pair each of ``left`` with ``order[start:stop]``, some millions at a time."""
    counts = np.minimum(stop - start, _MOST_PER_BUCKET)
    some = np.flatnonzero(counts)
    left, start, counts = left[some], start[some], counts[some]
    done = 0
    while done < len(left):
        upto = done + max(1, int(np.searchsorted(np.cumsum(counts[done:]), _AT_ONCE)))
        part = counts[done:upto]
        ends = np.cumsum(part)
        within = np.arange(ends[-1]) - np.repeat(ends - part, part)
        right = order[np.repeat(start[done:upto], part) + within]
        yield np.repeat(left[done:upto], part), right
        done = upto


def _popcount(words: Hashes) -> NDArray[np.int64]:
    """Return the number of set bits of each row (numpy before 2.0 has no bit_count)."""
    counts = np.zeros(len(words), dtype=np.int64)
    for column in words.view(np.uint16).T:
        counts += _BITS_SET[column]
    return counts


def _bits_set() -> NDArray[np.uint8]:
    numbers = np.arange(1 << 16, dtype=np.uint16)
    bits = np.unpackbits(numbers.view(np.uint8)).reshape(-1, 16)
    counts: NDArray[np.uint8] = bits.sum(axis=1, dtype=np.uint8)
    return counts


_BITS_SET = _bits_set()
