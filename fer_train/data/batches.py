"""Which images make up which batch, and the statistics of the training pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_train.contract.preprocess import LUMA, TrainingColor
from fer_train.data.augment import AugmentSpec
from fer_train.data.cache import PixelCache
from fer_train.data.images import native_side
from fer_train.data.samples import Sample
from fer_train.machine.seeds import generator

Indices = NDArray[np.int64]

#: Stored side / input side for training images, at least. The tightest crop of the default options
#: has a side of sqrt(0.8 / 1.1) = 0.85: at about 1 / 0.85 even that is sampled pixel for pixel.
STORED_RATIO = 1.15
_TIGHTEST_BY_DEFAULT = math.sqrt(0.8 / 1.1)

#: Image headers read to learn how large the originals are.
_HEADERS = 500


def stored_size(
    root: Path,
    samples: Sequence[Sample],
    *,
    input_size: int,
    margin: float,
    augmentation: AugmentSpec,
) -> int:
    """Return the side at which training images are stored, in pixels.

    ``ceil(1.15 * input_size)``, and more the smaller the crops are, so that the smallest is still
    sampled pixel for pixel; but no more than the median original (enlarging first and sampling
    again would blur twice what evaluation sees once) and never less than ``input_size``.

    Args:
        margin: ``PreprocessSpec.crop_margin``, for images with a face box.
        augmentation: how small random crops may be.
    """
    tighter = _TIGHTEST_BY_DEFAULT / augmentation.tightest_crop
    # Rounded, so that the last bit of a quotient that should be 1 adds no pixel.
    wanted = math.ceil(round(STORED_RATIO * max(1.0, tighter) * input_size, 6))
    step = max(1, len(samples) // _HEADERS)
    seen = [native_side(root, sample, margin=margin) for sample in samples[::step]]
    sides = [side for side in seen if side is not None]
    median = int(np.median(sides)) if sides else input_size
    return min(wanted, max(input_size, median))


def shuffled_batches(count: int, *, batch_size: int, seed: int, epoch: int) -> list[Indices]:
    """Return the batches of one epoch as index arrays; every image appears once.

    A single left-over image joins the batch before it: batch normalisation cannot train on one.
    """
    order = generator(seed, "order", epoch=epoch).permutation(count)
    starts = list(range(0, count, batch_size))
    if len(starts) > 1 and count - starts[-1] == 1:
        starts.pop()
    return [order[a:b] for a, b in zip(starts, [*starts[1:], count], strict=True)]


def ordered_batches(count: int, *, batch_size: int) -> Iterator[Indices]:
    """Yield index arrays in file order, for evaluation."""
    for start in range(0, count, batch_size):
        yield np.arange(start, min(start + batch_size, count))


def pixel_statistics(
    cache: PixelCache, *, color: TrainingColor
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return mean and standard deviation per channel on the 0..1 scale, after the colour rule.

    Give it the training split only: statistics of validation images would leak into training.
    """
    mix = np.tile(LUMA, (3, 1)) if color == "gray" else np.eye(3)
    total, squares, pixels = np.zeros(3), np.zeros(3), 0
    for indices in ordered_batches(cache.count, batch_size=256):
        values = cache.gather(indices).reshape(-1, 3) / 255.0 @ mix.T
        total += values.sum(axis=0)
        squares += (values**2).sum(axis=0)
        pixels += len(values)
    mean = total / pixels
    std = np.sqrt(np.maximum(squares / pixels - mean**2, 0.0))
    return _triple(mean), _triple(std)


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third
