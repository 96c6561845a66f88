"""Batches as the network wants them: gather, move to the device, augment, normalise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fer_train.data.augment import AugmentSpec, augment, draw
from fer_train.data.batches import Indices
from fer_train.data.cache import PixelCache
from fer_train.machine.device import memory_format, to_device
from fer_train.machine.seeds import generator


class FaceFeed:
    """One split's images and targets (implements `engine.Feed`).

    Pixels travel to the device as bytes, a quarter of their size as floats, and everything after
    that happens there on the whole batch.
    """

    def __init__(
        self,
        cache: PixelCache,
        targets: Sequence[int],
        *,
        normalizer: nn.Module,
        size: int,
        spec: AugmentSpec,
        seed: int,
        device: torch.device,
        shares: NDArray[np.float32] | None = None,
    ) -> None:
        self.cache = cache
        self.targets = torch.tensor(targets, dtype=torch.int64)
        self.shares = None if shares is None else torch.from_numpy(shares)
        self.normalizer = normalizer
        self.size = size
        self.spec = spec
        self.seed = seed
        self.device = device

    def training(self, indices: Indices, *, epoch: int, batch: int) -> tuple[Tensor, Tensor]:
        """Return augmented, normalised images [B, 3, size, size] and targets.

        Targets are int64 [B], or float32 [B, C] where the data has votes (``shares``).
        """
        images = self.augmented(indices, epoch=epoch, batch=batch)
        targets = self._targets(indices)
        if self.shares is not None:
            targets = to_device(self.shares[torch.from_numpy(indices)], self.device)
        return self.normalizer(images), targets

    def evaluation(self, indices: Indices) -> tuple[Tensor, Tensor]:
        """Return the images exactly as an exported model would see them, and targets [B].

        The cache must hold them at the input size.
        """
        return self.normalizer(self._pixels(indices)), self._targets(indices)

    def augmented(self, indices: Indices, *, epoch: int, batch: int) -> Tensor:
        """Return augmented images before colour rule and normalisation, RGB 0..255."""
        random = generator(self.seed, "augment", epoch=epoch, batch=batch)
        drawn = draw(self.spec, len(indices), random=random)
        return augment(self._pixels(indices), drawn, size=self.size)

    def _pixels(self, indices: Indices) -> Tensor:
        pixels = to_device(torch.from_numpy(self.cache.gather(indices)), self.device)
        images = pixels.permute(0, 3, 1, 2).float()
        return images.contiguous(memory_format=memory_format(self.device))

    def _targets(self, indices: Indices) -> Tensor:
        return to_device(self.targets[torch.from_numpy(indices)], self.device)
