"""Blocks of pixels moved to channels or the batch: one pixel at a time."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime import ArtefactError
from tests.fer_convert.coreml_runtime.both_engines import check_mil
from tests.fer_convert.coreml_runtime.one_operation import Array, run_mil

RNG = np.random.default_rng(23)


def numbered(*shape: int) -> Array:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


@pytest.mark.parametrize("block", [1, 2, 3])
def test_blocks_of_channels(block: int) -> None:
    n, c, h, w = 2, 2, 2, 3
    deep = numbered(n, c * block * block, h, w)
    slow, fast = np.zeros((2, n, c, h * block, w * block), np.float32)
    for i, k, y, x, a, b in itertools.product(*map(range, (n, c, h, w, block, block))):
        # depth_to_space: the place in the block is the slow part of a channel; pixel_shuffle: the
        # fast part.
        slow[i, k, y * block + a, x * block + b] = deep[i, (a * block + b) * c + k, y, x]
        fast[i, k, y * block + a, x * block + b] = deep[i, (k * block + a) * block + b, y, x]
    check_mil("depth_to_space", {"x": deep, "block_size": block}, slow)
    check_mil("space_to_depth", {"x": slow, "block_size": block}, deep)
    check_mil("pixel_shuffle", {"x": deep, "upscale_factor": block}, fast)
    check_mil("pixel_unshuffle", {"x": fast, "downscale_factor": block}, deep)


@pytest.mark.parametrize("edges", [(0, 0, 0, 0), (1, 0, 2, 1), (0, 3, 0, 0)])
@pytest.mark.parametrize("block", [(1, 1), (2, 3), (1, 3)])
def test_blocks_of_the_batch(block: tuple[int, int], edges: tuple[int, ...]) -> None:
    rows, columns = block
    n, c, h, w = 2, 3, 2 * rows, 2 * columns
    whole = np.zeros((n, c, h, w), np.float32)
    top, bottom, left, right = (e % (s // 2) for e, s in zip(edges, (h, h, w, w), strict=True))
    inner = numbered(n, c, h - top - bottom, w - left - right) + 1
    whole[:, :, top : h - bottom, left : w - right] = inner
    batches = np.zeros((n * rows * columns, c, 2, 2), np.float32)
    for i, a, b in itertools.product(range(n), range(rows), range(columns)):
        batches[(a * columns + b) * n + i] = whole[i, :, a::rows, b::columns]
    amounts = ((top, bottom), (left, right))
    inputs: dict[str, Any] = {"x": inner, "block_shape": block, "paddings": amounts}
    check_mil("space_to_batch", inputs, batches)
    inputs = {"x": batches, "block_shape": block, "crops": amounts}
    check_mil("batch_to_space", inputs, inner)


def test_apples_own_case_of_space_to_batch() -> None:
    x = numbered(2, 1, 2, 4) + 1
    wanted = [[0, 1, 3], [0, 9, 11], [0, 2, 4], [0, 10, 12], [0, 5, 7], [0, 13, 15], [0, 6, 8],
              [0, 14, 16]]  # fmt: skip
    inputs = {"x": x, "block_shape": (2, 2), "paddings": ((0, 0), (2, 0))}
    check_mil("space_to_batch", inputs, np.array(wanted).reshape(8, 1, 1, 3))


@pytest.mark.parametrize("operation", ["space_to_batch", "batch_to_space"])
def test_an_empty_batch(operation: str) -> None:
    edges = "paddings" if operation == "space_to_batch" else "crops"
    inputs = {"x": numbered(0, 3, 4, 4), "block_shape": (2, 2), edges: ((0, 0), (0, 0))}
    assert run_mil(operation, inputs).size == 0


@pytest.mark.parametrize(
    ("operation", "options", "message"),
    [
        ("space_to_batch", {"block_shape": (2,), "paddings": ((0, 0), (0, 0))}, "block_shape"),
        ("space_to_batch", {"block_shape": (2, 2), "paddings": (0, 0)}, "paddings"),
        ("space_to_batch", {"block_shape": (1, 1), "paddings": ((0, 1 << 30), (0, 0))}, "large"),
        ("space_to_batch", {"block_shape": (4, 4), "paddings": ((0, 0), (0, 0))}, "failed"),
        ("batch_to_space", {"block_shape": (2, 2), "crops": ((0, -1), (0, 0))}, "crops"),
        ("batch_to_space", {"block_shape": (3, 1), "crops": ((0, 0), (0, 0))}, "failed"),
        ("depth_to_space", {"block_size": 0}, "failed"),
        ("space_to_depth", {"block_size": 4}, "failed"),
    ],
)
def test_refused(operation: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArtefactError, match=message):
        run_mil(operation, {"x": numbered(2, 3, 6, 6), **options})
