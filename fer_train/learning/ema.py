"""An exponential moving average of what is trained: what gets evaluated and exported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class Ema:
    """Averages of a model's moving tensors, by name.

    Early on the average follows quickly, ``min(decay, (1 + t) / (10 + t))`` after t updates: it
    would otherwise remember the random start for thousands of steps.

    Attributes:
        values: parameter or buffer name -> average, on the model's device.
        updates: steps counted.
    """

    def __init__(self, model: nn.Module, *, decay: float, buffers: bool) -> None:
        """Start from the model as it is.

        Args:
            buffers: average BatchNorm's statistics too (they move only when it trains).
        """
        self.decay = decay
        self.updates = 0
        moving: dict[str, Tensor] = {n: p for n, p in model.named_parameters() if p.requires_grad}
        if buffers:
            moving |= {n: b for n, b in model.named_buffers() if b.is_floating_point()}
        self._moving = moving
        self.values = {name: tensor.detach().clone() for name, tensor in moving.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Count one optimiser step."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, tensor in self._moving.items():
            self.values[name].lerp_(tensor, 1 - decay)

    @torch.no_grad()
    def restart(self) -> None:
        """Begin anew from the model as it is."""
        self.updates = 0
        for name, tensor in self._moving.items():
            self.values[name].copy_(tensor)

    @torch.no_grad()
    def apply_masks(self, masks: Mapping[str, Tensor]) -> None:
        """Set the averages of pruned weights to zero."""
        for name in self.values.keys() & masks.keys():
            value = self.values[name]
            value.masked_fill_(~masks[name].to(value.device), 0.0)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the averages into the model for the block; afterwards it is bit for bit as before."""
        kept = {name: tensor.detach().clone() for name, tensor in self._moving.items()}
        self._load(self.values)
        try:
            yield
        finally:
            self._load(kept)

    def state(self) -> dict[str, Any]:
        """Return plain values for last.pt."""
        return {"updates": self.updates, "values": dict(self.values)}

    @torch.no_grad()
    def restore(self, saved: Mapping[str, Any]) -> None:
        """Load `state`.

        Raises:
            KeyError: averages of other tensors.
        """
        self.updates = saved["updates"]
        for name, value in self.values.items():
            value.copy_(saved["values"][name])

    @torch.no_grad()
    def _load(self, values: Mapping[str, Tensor]) -> None:
        for name, tensor in self._moving.items():
            tensor.copy_(values[name])
