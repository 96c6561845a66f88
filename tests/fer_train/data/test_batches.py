"""Every image once per epoch, in an order of the seed."""

from __future__ import annotations

import numpy as np

from fer_train.data.batches import shuffled_batches


def test_every_image_once_per_epoch_in_another_order() -> None:
    first = shuffled_batches(20, batch_size=6, seed=3, epoch=1)
    assert sorted(np.concatenate(first).tolist()) == list(range(20))
    assert [len(batch) for batch in first] == [6, 6, 6, 2]
    again = shuffled_batches(20, batch_size=6, seed=3, epoch=1)
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert (first[0] != shuffled_batches(20, batch_size=6, seed=3, epoch=2)[0]).any()


def test_a_single_left_over_image_joins_the_last_batch() -> None:
    assert [len(b) for b in shuffled_batches(9, batch_size=4, seed=0, epoch=1)] == [4, 5]
