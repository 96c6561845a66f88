"""A phase of training, on the command line and in memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

Trains = Literal["head", "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A stretch of training with its own trainable layers and rates.

    Attributes:
        trains: ``head`` (the backbone gives features without a graph) or ``all``.
        lr: AdamW's rate, of the head if ``backbone_lr`` is given.
        backbone_lr: of everything before the head; None: the same. Only with ``all``.

    Raises:
        ValueError: a value outside its range.
    """

    trains: Trains
    epochs: int
    lr: float
    backbone_lr: float | None = None

    def __post_init__(self) -> None:
        require(self.trains in get_args(Trains), "a phase's layers", self.trains, "head, all")
        require(self.epochs >= 1, "a phase's epochs", self.epochs, "1 or more")
        require(0 < self.lr < math.inf, "a phase's rate", self.lr, "above 0, and finite")
        if self.backbone_lr is not None:
            require(self.trains == "all", "a backbone rate", self.backbone_lr, "only with 'all'")
            in_range = 0 < self.backbone_lr < math.inf
            require(in_range, "a backbone rate", self.backbone_lr, "above 0, and finite")

    def describe(self) -> str:
        """Return what `parse_phase` reads."""
        parts = [self.trains, str(self.epochs), f"{self.lr:g}"]
        return ":".join(parts + ([] if self.backbone_lr is None else [f"{self.backbone_lr:g}"]))


def parse_phase(text: str) -> Phase:
    """Read ``LAYERS:EPOCHS:LR[:BACKBONE_LR]``, for example ``all:10:1e-4:1e-5``.

    Raises:
        ValueError: not of that form.
    """
    trains, *numbers = text.split(":")
    try:
        epochs, lr, *rest = numbers
        (backbone_lr,) = (float(rest[0]),) if len(rest) == 1 else (None,)
        if len(rest) > 1 or trains not in get_args(Trains):
            raise ValueError
        number, rate = int(epochs), float(lr)
    except ValueError:
        raise ValueError(
            f"--phase is {text!r}; allowed: LAYERS:EPOCHS:LR or LAYERS:EPOCHS:LR:BACKBONE_LR with "
            "LAYERS head or all, for example head:3:1e-3 and all:10:1e-4:1e-5."
        ) from None
    return Phase(
        trains="head" if trains == "head" else "all",
        epochs=number,
        lr=rate,
        backbone_lr=backbone_lr,
    )


def require(condition: bool, what: str, seen: object, allowed: str) -> None:
    """Raise ValueError that says what is allowed, unless ``condition`` holds."""
    if not condition:
        raise ValueError(f"{what} is {seen}; allowed: {allowed}.")
