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
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fer_train.contract.architectures import is_head_parameter
from fer_train.contract.errors import NonFiniteWeights
from fer_train.contract.files import atomic_directory, write_json
from fer_train.data.batches import Indices, ordered_batches
from fer_train.device import to_device
from fer_train.engine import Learner
from fer_train.seeds import generator

MARKER = "features.json"
_VALUES = "features"
_VERSION = 2


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


def backbone_digest(learner: Learner) -> str:
    """Return the SHA-256 of everything before the head, buffers included."""
    digest = hashlib.sha256(learner.arch.name.encode())
    for key, value in learner.model.state_dict().items():
        if not is_head_parameter(key, learner.arch):
            digest.update(key.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


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
    device = learner.objective.weights.device
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
