"""What the network gets: every image drawn anew, the same again for the same seed and epoch."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from fer_train.contract.network import PixelNormalizer
from fer_train.contract.preprocess import PreprocessSpec
from fer_train.data.augment import AugmentSpec
from fer_train.data.cache import open_cache
from fer_train.data.feed import FaceFeed
from fer_train.data.samples import Sample


@pytest.fixture
def feed(faces: Path, cache: Path) -> FaceFeed:
    paths = sorted(path.relative_to(faces).as_posix() for path in (faces / "train").rglob("*.png"))
    samples = [Sample(name=path, label="neutral", split="train") for path in paths]
    opened = open_cache(
        faces,
        samples,
        size=40,
        margin=0.3,
        folder=cache,
        workers=1,
        on_progress=lambda count: None,
    )
    return FaceFeed(
        opened,
        [0] * len(paths),
        normalizer=PixelNormalizer(PreprocessSpec(input_size=40)),
        size=40,
        spec=AugmentSpec(),
        seed=0,
        device=torch.device("cpu"),
    )


def test_every_image_and_epoch_is_drawn_anew_and_evaluation_never(feed: FaceFeed) -> None:
    """Transforms applied to a whole batch flip all of its images or none."""
    same = np.zeros(6, dtype=np.int64)
    images, _ = feed.training(same, epoch=1, batch=0)
    for first in range(6):
        for second in range(first):
            assert not torch.equal(images[first], images[second])
    again, _ = feed.training(same, epoch=1, batch=0)
    other, _ = feed.training(same, epoch=2, batch=0)
    assert torch.equal(images, again) and not torch.equal(images, other)
    plain, _ = feed.evaluation(same)
    assert all(torch.equal(plain[0], image) for image in plain)
    assert torch.equal(plain, feed.evaluation(same)[0])


def test_a_feed_can_be_sent_to_another_process(feed: FaceFeed) -> None:
    """macOS starts workers afresh: the map of the pixels must be opened there, not sent."""
    sent = pickle.dumps(feed)
    assert len(sent) < feed.cache.bytes() / 5
    indices = torch.arange(4).numpy()
    received: FaceFeed = pickle.loads(sent)
    assert torch.equal(received.evaluation(indices)[0], feed.evaluation(indices)[0])
