"""The numbers that options may have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fer_train.contract.preprocess import MAX_INPUT_SIZE, MIN_INPUT_SIZE


@dataclass(frozen=True, slots=True)
class Range:
    """Finite numbers from ``lowest`` to ``highest``.

    Attributes:
        above: without ``lowest`` itself.
        below: without ``highest`` itself.
        note: what else helps whoever is outside.
    """

    lowest: float
    highest: float = math.inf
    above: bool = False
    below: bool = False
    note: str = ""

    def allows(self, value: float) -> bool:
        """Tell whether a number is in the range."""
        # Infinity is compared with: a whole number may be too large for math.isfinite.
        if value == math.inf or not self.lowest <= value <= self.highest:
            return False
        return not ((self.above and value == self.lowest) or (self.below and value == self.highest))

    def describe(self, seen: float) -> str:
        """Return in words what is allowed instead of ``seen``."""
        if self.highest < math.inf:
            first = f"above {self.lowest:g}" if self.above else f"{self.lowest:g}"
            text = f"{first} {'to below' if self.below else 'to'} {self.highest:g}"
        else:
            text = f"above {self.lowest:g}" if self.above else f"{self.lowest:g} or more"
            text += ", and finite" if seen == math.inf else ""
        return text + self.note


#: By field of TrainConfig; None is always allowed where it is a default.
RANGES: Mapping[str, Range] = MappingProxyType(
    {
        "epochs": Range(0),
        "lr": Range(0, above=True),
        "batch_size": Range(2),  # BatchNorm cannot train on one image
        "accumulate": Range(1),
        "weight_decay": Range(0),
        "clip_norm": Range(
            0, above=True, note=" (1e9 is never reached, so that nothing is clipped)"
        ),
        "input_size": Range(MIN_INPUT_SIZE, MAX_INPUT_SIZE),
        "crop_margin": Range(0, 2),
        "patience": Range(0),
        "plateau_factor": Range(0, 0.999, above=True),
        "warmup_epochs": Range(0),
        "early_stop": Range(0),
        "ema": Range(0, 1, below=True),
        "effective_beta": Range(0, 0.999999),
        "logit_adjustment": Range(0, 4),
        "label_smoothing": Range(0, 1, below=True),
        "augment": Range(0, 1),
        "crop_area_min": Range(0, 1, above=True),
        "crop_ratio_max": Range(1, 4),
        "rotation": Range(0, 180),
        "translation": Range(0, 1),
        "flip": Range(0, 1),
        "brightness": Range(0, 1),
        "contrast": Range(0, 1),
        "saturation": Range(0, 1),
        "prune": Range(0, 1, below=True),
        "prune_at": Range(0),
        "prune_steps": Range(1),
        "prune_every": Range(1),
        "recovery_epochs": Range(0),
        "views": Range(0, 1000),
        "seed": Range(0),
        "split_seed": Range(0),
        "workers": Range(0),
    }
)
