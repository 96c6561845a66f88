"""Features of a frozen backbone, computed once and reused: what the head trains on with --views.

Training images are passed through the backbone ``views`` times, each time augmented anew, and
every epoch draws one view per image: K views are K augmentations of each image for the whole
training. One view is the plain image, so ``--views 1`` trains without augmentation. Validation
images are passed once; for them the cached path is exact.

A cache is a folder ``features-<key>/`` with ``features`` (``[N, C]`` without a header) and
``features.json``. The key is a hash of everything the numbers depend on: another backbone, pruned
weights, other pixels or draws make another cache.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fer_train.config.options import TrainConfig
from fer_train.contract.architectures import features, is_head_parameter
from fer_train.contract.errors import FerError, NonFiniteWeights
from fer_train.contract.files import atomic_directory, write_json
from fer_train.contract.page.figures import size_text
from fer_train.data.augment import AugmentSpec
from fer_train.data.batches import Indices, ordered_batches
from fer_train.data.feed import FaceFeed
from fer_train.learning.engine import Learner
from fer_train.learning.metrics import Answers
from fer_train.machine.device import to_device
from fer_train.machine.seeds import generator
from fer_train.progress.reporter import Reporter
from fer_train.run.faces import Faces

MARKER, _VALUES = "features.json", "features"
_VERSION = 2

#: Largest difference between logits through cached features and through the whole network, as a
#: share of the largest logit: rounding in float32, and in bfloat16.
_AGREEMENT = {False: 1e-3, True: 5e-2}


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureCache:
    """Features of one split on disk: float16 for training, float32 where exactness counts."""

    values: Path
    count: int
    channels: int
    dtype: Literal["float16", "float32"]

    def gather(self, indices: Indices) -> NDArray[Any]:
        """Return a copy of the rows at ``indices``, [B, C]."""
        # Mapped anew for every batch, as in data.cache: memory does not grow with the data.
        shape = (self.count, self.channels)
        return np.array(np.memmap(self.values, dtype=self.dtype, mode="r", shape=shape)[indices])


class FeatureFeed:
    """Cached features and targets of one split (implements `engine.Feed`)."""

    def __init__(
        self,
        views: Sequence[FeatureCache],
        targets: Tensor,
        *,
        shares: Tensor | None = None,
        seed: int,
        device: torch.device,
    ) -> None:
        self.views = views
        self.targets = targets
        self.shares = shares
        self.seed = seed
        self.device = device

    def training(self, indices: Indices, *, epoch: int, batch: int) -> tuple[Tensor, Tensor]:
        """Return features [B, C], float32, each of a view of its own draw, and targets.

        Targets are int64 [B], or float32 [B, classes] where the data has votes (``shares``).
        """
        random = generator(self.seed, "views", epoch=epoch, batch=batch)
        drawn = random.integers(0, len(self.views), len(indices))
        rows = np.empty((len(indices), self.views[0].channels), dtype=np.float32)
        for number, view in enumerate(self.views):
            chosen = drawn == number
            if chosen.any():
                rows[chosen] = view.gather(indices[chosen])
        targets = self.targets if self.shares is None else self.shares
        return self._on_device(rows, targets, indices)

    def evaluation(self, indices: Indices) -> tuple[Tensor, Tensor]:
        """Return the features of the first view, [B, C], float32, and targets."""
        rows = self.views[0].gather(indices).astype(np.float32)
        return self._on_device(rows, self.targets, indices)

    def _on_device(
        self, rows: NDArray[np.float32], targets: Tensor, indices: Indices
    ) -> tuple[Tensor, Tensor]:
        chosen = targets[torch.from_numpy(indices)]
        return to_device(torch.from_numpy(rows), self.device), to_device(chosen, self.device)


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
    total = size_text(sum(f.values.stat().st_size for feed in caches.values() for f in feed.views))
    what = "plain images, no augmentation" if config.views == 1 else "augmented views an image"
    reporter.note("views", f"{config.views} {what}; {total} of features in {folder}")
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


def open_features(
    learner: Learner,
    images_of: Callable[[Indices, int], Tensor],
    *,
    count: int,
    batch_size: int,
    folder: Path,
    depends_on: Mapping[str, Any],
    dtype: Literal["float16", "float32"],
    backbone: Callable[[Tensor], Tensor],
    on_progress: Callable[[int], None],
) -> FeatureCache:
    """Return the features of ``count`` images, computing them first if they are not cached.

    Args:
        images_of: normalised images [B, 3, S, S] of indices and a batch number.
        folder: where caches lie.
        backbone: normalised images to features, [B, C].
        depends_on: primitives that decide the images; the network and versions are added here.
        on_progress: called with the number of images just done; may raise to stop.

    Raises:
        NonFiniteWeights: features that are NaN, or too large for ``dtype``.
        CannotWrite: no space or permission; nothing is left behind.
    """
    device = learner.device
    key = {
        "version": _VERSION,
        "backbone": backbone_digest(learner),
        "torch": ".".join(torch.__version__.split(".")[:2]),
        "device": device.type,
        "bf16": learner.bf16,
        "dtype": dtype,
        "count": count,
        "batch_size": batch_size,
        **depends_on,
    }
    record = json.dumps(key, sort_keys=True)
    target = folder / f"features-{hashlib.sha256(record.encode()).hexdigest()[:32]}"
    cached = _existing(target, record, count=count, dtype=dtype)
    if cached is not None:
        return cached
    channels = 0
    learner.model.eval()
    with atomic_directory(target, marker=MARKER) as partial:
        with (partial / _VALUES).open("wb") as stream, torch.no_grad():
            for number, indices in enumerate(ordered_batches(count, batch_size=batch_size)):
                images = images_of(indices, number)
                with torch.autocast(device.type, dtype=torch.bfloat16, enabled=learner.bf16):
                    rows = backbone(images).float().cpu().numpy()
                channels = rows.shape[1]
                stream.write(_finite(rows.astype(dtype), dtype).tobytes())
                on_progress(len(indices))
        write_json(partial / MARKER, {"key": record, "channels": channels})
    return FeatureCache(values=target / _VALUES, count=count, channels=channels, dtype=dtype)


def backbone_digest(learner: Learner) -> str:
    """Return the SHA-256 of everything before the head, buffers included."""
    digest = hashlib.sha256(learner.arch.name.encode())
    for key, value in learner.model.state_dict().items():
        if not is_head_parameter(key, learner.arch):
            digest.update(key.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _existing(
    target: Path, record: str, *, count: int, dtype: Literal["float16", "float32"]
) -> FeatureCache | None:
    try:
        marker = json.loads((target / MARKER).read_text(encoding="utf-8"))
        size = (target / _VALUES).stat().st_size
        channels = int(marker["channels"])
    except (OSError, ValueError, KeyError):
        return None
    if marker.get("key") != record or size != count * channels * np.dtype(dtype).itemsize:
        return None
    return FeatureCache(values=target / _VALUES, count=count, channels=channels, dtype=dtype)


def _finite(rows: NDArray[Any], dtype: str) -> NDArray[Any]:
    if not math.isfinite(float(np.abs(rows).max(initial=0))):
        raise NonFiniteWeights(
            f"The backbone's features are not finite, or too large for {dtype}.",
            hint="Train without --views, or from other weights.",
        )
    return rows


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
