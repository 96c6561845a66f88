"""Every random number of a training run as a pure function of (seed, stream, epoch, batch).

Nothing about a generator has to be saved for an exact resume, and validating or not cannot change
what training draws.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

Stream = Literal["init", "order", "augment", "dropout", "views"]


_STREAM_IDS: dict[Stream, int] = {"init": 0, "order": 1, "augment": 2, "dropout": 3, "views": 4}


def seed_sequence(
    seed: int, stream: Stream, *, epoch: int = 0, batch: int = 0
) -> np.random.SeedSequence:
    """Return the entropy of one draw; distinct arguments give independent streams."""
    return np.random.SeedSequence([seed, _STREAM_IDS[stream], epoch, batch])


def generator(seed: int, stream: Stream, *, epoch: int = 0, batch: int = 0) -> np.random.Generator:
    """Return NumPy's generator for one draw, always on the CPU."""
    return np.random.default_rng(seed_sequence(seed, stream, epoch=epoch, batch=batch))


def seed_torch(seed: int, stream: Stream, *, epoch: int = 0, batch: int = 0) -> None:
    """Seed torch's global generators (CPU and every accelerator): dropout, initial weights."""
    import torch

    state = seed_sequence(seed, stream, epoch=epoch, batch=batch).generate_state(1, np.uint64)
    torch.manual_seed(int(state[0]) & (2**63 - 1))
