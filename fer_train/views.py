"""Which feeds a phase trains on and is measured with: images, or cached features (--views)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
from torch import Tensor

from fer_train.augment import AugmentSpec
from fer_train.config import TrainConfig
from fer_train.contract.architectures import features
from fer_train.contract.errors import FerError
from fer_train.data.batches import Indices
from fer_train.data.feed import FaceFeed
from fer_train.engine import Learner
from fer_train.features import FeatureFeed, open_features
from fer_train.metrics import Answers
from fer_train.progress import Reporter
from fer_train.setup import Faces

#: Largest difference between logits through cached features and through the whole network, as a
#: share of the largest logit: rounding in float32, and in bfloat16.
_AGREEMENT = {False: 1e-3, True: 5e-2}


def cached_feeds(
    config: TrainConfig,
    faces: Faces,
    feeds: dict[str, FaceFeed],
    learner: Learner,
    *,
    folder: Path,
    reporter: Reporter,
    check_stop: Callable[[], None],
) -> dict[str, FeatureFeed]:
    """Return train and val as cached features of the present backbone."""
    caches: dict[str, FeatureFeed] = {}
    exact = partial(features, learner.model, learner.arch)
    for split, views in (("train", config.views), ("val", 1)):
        feed = feeds[split]
        plain = split == "val" or views == 1
        source = _without_augmentation(feed) if plain and split == "train" else feed
        opened = []
        with reporter.counting(f"features {split}", views * feed.cache.count) as count_up:

            def on_progress(count: int, count_up: Callable[[int], None] = count_up) -> None:
                check_stop()
                count_up(count)

            for view in range(views):
                opened.append(
                    open_features(
                        learner,
                        _images(source, split, view),
                        count=feed.cache.count,
                        batch_size=config.batch_size,
                        folder=folder,
                        depends_on={
                            "data": faces.record["sha256"],
                            "split": split,
                            "stored": feed.cache.size,
                            "preprocess": faces.spec.to_dict(),
                            "augmentation": None if plain else asdict(faces.augmentation),
                            "draw": None if plain else [config.seed, view],
                        },
                        dtype="float32" if split == "val" else "float16",
                        backbone=exact if split == "val" else learner.backbone or exact,
                        on_progress=on_progress,
                    )
                )
        caches[split] = FeatureFeed(
            opened, feed.targets, shares=feed.shares, seed=config.seed, device=feed.device
        )
    megabytes = sum(f.values.stat().st_size for feed in caches.values() for f in feed.views) / 1e6
    what = "plain images, no augmentation" if config.views == 1 else "augmented views an image"
    reporter.note("views", f"{config.views} {what}; {megabytes:.1f} MB of features in {folder}")
    return caches


def require_agreement(cached: Answers, full: Answers, *, bf16: bool) -> float:
    """Return the largest difference of logits as a share of the largest logit.

    Raises:
        FerError: more than rounding: the features belong to another network.
    """
    scale = max(1.0, float(np.abs(full.logits).max()))
    difference = float(np.abs(cached.logits - full.logits).max()) / scale
    if difference > _AGREEMENT[bf16]:
        raise FerError(
            f"The cached features disagree with the whole network by {difference:.1e} "
            f"(allowed: {_AGREEMENT[bf16]:.0e}).",
            hint="Delete the cache folder's features-* and train again, or train without --views.",
        )
    return difference


def _without_augmentation(feed: FaceFeed) -> FaceFeed:
    return FaceFeed(
        feed.cache,
        feed.targets.tolist(),
        normalizer=feed.normalizer,
        size=feed.size,
        spec=AugmentSpec().scaled(0),
        seed=feed.seed,
        device=feed.device,
    )


def _images(feed: FaceFeed, split: str, view: int) -> Callable[[Indices, int], Tensor]:
    if split == "val":
        return lambda indices, batch: feed.evaluation(indices)[0]
    return lambda indices, batch: feed.training(indices, epoch=view, batch=batch)[0]
