"""Batches that a thread loads ahead are those that would have been loaded in turn."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import torch
from torch import Tensor

from fer_train.data.batches import Indices
from fer_train.learning.engine import load_in_turn
from fer_train.learning.prefetch import load_ahead, loader_for


class SlowFeed:
    """Batches whose contents say which they are."""

    def __init__(self, fail_at: int = -1) -> None:
        self.fail_at = fail_at

    def training(self, indices: Indices, *, epoch: int, batch: int) -> tuple[Tensor, Tensor]:
        if batch == self.fail_at:
            raise RuntimeError("unreadable")
        time.sleep(0.001)
        return torch.from_numpy(indices).float() + 100 * epoch, torch.tensor([batch])

    def evaluation(self, indices: Indices) -> tuple[Tensor, Tensor]:
        return self.training(indices, epoch=0, batch=0)


def micro_batches(count: int) -> list[tuple[int, Indices]]:
    return [(number, np.arange(number, number + 3)) for number in range(count)]


def prefetching() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_loading_ahead_gives_the_same_batches_in_order() -> None:
    ahead = list(load_ahead(SlowFeed(), micro_batches(20), epoch=2))
    in_turn = list(load_in_turn(SlowFeed(), micro_batches(20), epoch=2))
    for one, two in zip(ahead, in_turn, strict=True):
        assert one.number == two.number and torch.equal(one.inputs, two.inputs)
        assert torch.equal(one.targets, two.targets)
    assert not prefetching()
    assert loader_for(torch.device("cpu")) is load_in_turn
    assert loader_for(torch.device("cuda")) is load_ahead


def test_loading_ahead_raises_and_stops_with_its_reader() -> None:
    seen = []
    with pytest.raises(RuntimeError, match="unreadable"):
        for loaded in load_ahead(SlowFeed(fail_at=3), micro_batches(9), epoch=1):
            seen.append(loaded.number)
    assert seen == [0, 1, 2] and not prefetching()
    stream = load_ahead(SlowFeed(), micro_batches(1000), epoch=1)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert not prefetching()
