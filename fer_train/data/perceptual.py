"""Which images look alike: gradient hashes, and all pairs within a distance without trying all.

The hash of an image is the sign of every horizontal and vertical step of its 12 x 12 luma
thumbnail: 242 bits that survive recompression, resizing and changes of brightness. The distance of
two images is the number of bits in which they differ. The nearest of ten thousand other faces is
typically 60 bits away; a copy recompressed at JPEG quality 50 or halved in size up to 15. Smooth
pictures of one pose (drawn or aligned faces) can come nearer than that by chance, so a pair counts
only if the thumbnails themselves correlate as well: of 73 million pairs of drawn faces none is then
within 16 bits, and 29 are within 20.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

THUMB = 12  # px
BITS = 2 * (THUMB - 1) ** 2
#: Bits in which two images may differ and still count as the same picture.
NEAR_DISTANCE = 16
#: Correlation that thumbnails of the same picture reach; chance pairs have about 0.93.
NEAR_CORRELATION = 0.97

Thumbs = NDArray[np.uint8]  # luma [N, 12, 12]
Hashes = NDArray[np.uint64]  # [N, 4]
Pairs = NDArray[np.int64]  # [P, 3]: first, second, distance

#: A chunk's key must fit into 64 bits.
_FEWEST_CHUNKS = 4
#: Comparisons per image and piece, near images after which no more are sought (both bound the
#: time for frames of a film), and pairs expanded at once (bounds memory).
_MOST_PER_PIECE, _ENOUGH, _AT_ONCE = 256, 32, 1 << 21


def gradient_hashes(luma: Thumbs) -> Hashes:
    """Return the hash of every thumbnail, uint64 ``[N, 4]``."""
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
    are compared, instead of all with all. Frames of one film would still all be near each other:
    an image with 32 near ones seeks no more; chains of neighbours connect the rest.

    Returns:
        int64 ``[P, 3]``: first index < second index, distance; every pair once, sorted.
    """
    unique, first, inverse = np.unique(hashes, axis=0, return_index=True, return_inverse=True)
    inverse = inverse.reshape(-1)
    found = [np.empty((0, 3), dtype=np.int64), _chains(inverse)]
    beginnings = np.ascontiguousarray(unique[:, :1])
    neighbours = np.zeros(len(unique), dtype=np.int64)
    for left, right in _candidates(unique, distance, neighbours):
        # One quarter of the bits already tells most of them apart.
        hopeful = _popcount(beginnings[left] ^ beginnings[right]) <= distance
        left, right = left[hopeful], right[hopeful]
        apart = _popcount(unique[left] ^ unique[right])
        near = apart <= distance
        np.add.at(neighbours, left[near], 1)
        ends = np.sort(np.stack([first[left[near]], first[right[near]]], axis=1), axis=1)
        found.append(np.column_stack([ends, apart[near]]))
    return np.unique(np.concatenate(found).astype(np.int64), axis=0)


def similar_thumbs(first: Thumbs, second: Thumbs) -> NDArray[np.bool_]:
    """Return for each pair of thumbnails whether their pixels correlate by `NEAR_CORRELATION`."""

    def standardised(thumbs: Thumbs) -> NDArray[np.float64]:
        flat = thumbs.reshape(len(thumbs), THUMB**2).astype(np.float64)
        flat -= flat.mean(axis=1, keepdims=True)
        unit: NDArray[np.float64] = flat / np.maximum(np.linalg.norm(flat, axis=1), 1e-9)[:, None]
        return unit

    alike: NDArray[np.bool_] = (standardised(first) * standardised(second)).sum(axis=1) >= (
        NEAR_CORRELATION
    )
    return alike


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
    hashes: Hashes, distance: int, neighbours: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield pairs worth comparing; ``neighbours`` grows meanwhile by the near ones among them."""
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
        seeking = np.flatnonzero(neighbours[order] < _ENOUGH)
        after = np.searchsorted(ordered, ordered[seeking], side="right")
        yield from _expand(order[seeking], seeking + 1, after, order)
        for bit in range(width):
            mask = np.int64(1) << np.int64(bit)
            seeking = np.flatnonzero(((ordered & mask) == 0) & (neighbours[order] < _ENOUGH))
            flipped = ordered[seeking] | mask
            start = np.searchsorted(ordered, flipped, side="left")
            stop = np.searchsorted(ordered, flipped, side="right")
            yield from _expand(order[seeking], start, stop, order)


def _expand(
    left: NDArray[np.int64],
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    order: NDArray[np.int64],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pair each of ``left`` with ``order[start:stop]``, some millions at a time."""
    counts = np.minimum(stop - start, _MOST_PER_PIECE)
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
