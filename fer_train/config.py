"""What one training run was asked to do, and which of it may change on resume."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from fer_train.contract.errors import ResumeMismatch
from fer_train.contract.preprocess import MAX_INPUT_SIZE, MIN_INPUT_SIZE, Color
from fer_train.device import DeviceName

Finetune = Literal["auto", "head", "all"]
Normalize = Literal["imagenet", "dataset"]
ClassWeighting = Literal["inverse", "none"]
#: ``auto``, or one of `data.layouts.LAYOUTS`; named here so that ``--help`` need not load them.
LayoutName = Literal[
    "auto",
    "affectnet-csv",
    "affectnet-npy",
    "ferplus",
    "pixel-csv",
    "rafdb",
    "rafdb-folders",
    "labels-csv",
    "folders",
    "classes",
]
#: Whose word counts where a class folder and a CSV file disagree; ``drop``: neither's.
LabelsFrom = Literal["folder", "csv", "drop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """The options of ``fertrain train``; ``None`` means "decide from the other options".

    Raises:
        ValueError: a value outside its range, or two options that contradict each other.
    """

    data: str
    arch: str
    weights: str = "default"
    finetune: Finetune = "auto"
    epochs: int = 30
    batch_size: int = 64
    lr: float | None = None
    weight_decay: float = 1e-4
    input_size: int = 48
    color: Color = "gray"
    normalize: Normalize = "imagenet"
    crop_margin: float = 0.3
    augment: float = 1.0
    class_weights: ClassWeighting = "inverse"
    clip_norm: float = 1.0
    patience: int = 5
    plateau_factor: float = 0.1
    prune: float = 0.2
    prune_at: int | None = None
    recovery_epochs: int = 3
    layout: LayoutName = "auto"
    label_order: str | None = None
    labels_from: LabelsFrom | None = None
    soft_labels: bool = False
    exclude: str | None = None
    val_fraction: float | None = None
    test_fraction: float | None = None
    split_seed: int = 0
    device: DeviceName = "auto"
    seed: int = 0
    workers: int = 0

    def __post_init__(self) -> None:
        _require(self.epochs >= 1, "--epochs", self.epochs, "1 or more")
        _require(
            self.batch_size >= 2, "--batch-size", self.batch_size, "2 or more (BatchNorm needs two)"
        )
        _require(self.lr is None or self.lr > 0, "--lr", self.lr, "above 0")
        _require(self.weight_decay >= 0, "--weight-decay", self.weight_decay, "0 or more")
        _require(
            MIN_INPUT_SIZE <= self.input_size <= MAX_INPUT_SIZE,
            "--input-size",
            self.input_size,
            f"{MIN_INPUT_SIZE} to {MAX_INPUT_SIZE} pixels",
        )
        _require(0 <= self.augment <= 1, "--augment", self.augment, "0 (none) to 1 (the recipe)")
        _require(0 <= self.crop_margin <= 2, "--crop-margin", self.crop_margin, "0 to 2")
        _require(self.clip_norm > 0, "--clip-norm", self.clip_norm, "above 0")
        _require(self.patience >= 0, "--patience", self.patience, "0 or more")
        _require(0 < self.plateau_factor < 1, "--plateau-factor", self.plateau_factor, "0 to 1")
        _require(0 <= self.prune < 1, "--prune", self.prune, "0 (off) to below 1")
        _require(self.recovery_epochs >= 0, "--recovery-epochs", self.recovery_epochs, "0 or more")
        _require(self.seed >= 0, "--seed", self.seed, "0 or more")
        for name in ("val_fraction", "test_fraction"):
            share = getattr(self, name)
            _require(share is None or 0 < share < 1, _flag(name), share, "between 0 and 1")
        held_out = (self.val_fraction or 0) + (self.test_fraction or 0)
        _require(held_out < 1, "--val-fraction plus --test-fraction", held_out, "below 1")
        _require(self.split_seed >= 0, "--split-seed", self.split_seed, "0 or more")
        for name, kind in _CHOICES.items():
            value = getattr(self, name)
            _require(value in get_args(kind), _flag(name), value, ", ".join(get_args(kind)))
        if self.prune_at is not None:
            _require(self.prune > 0, "--prune-at", self.prune_at, "only together with --prune")
            _require(
                1 <= self.prune_at <= self.epochs,
                "--prune-at",
                self.prune_at,
                f"1 to {self.epochs} (--epochs)",
            )

    @property
    def trains_head_only(self) -> bool:
        """Whether the backbone stays frozen."""
        return self.finetune == "head" or (self.finetune == "auto" and self.weights != "none")

    @property
    def learning_rate(self) -> float:
        """The given rate, or 1e-4 for fine-tuning all given weights and 1e-3 otherwise."""
        if self.lr is not None:
            return self.lr
        return 1e-4 if self.weights != "none" and not self.trains_head_only else 1e-3

    @property
    def prune_epoch(self) -> int | None:
        """The epoch after which pruning happens, or None when it is off."""
        if self.prune == 0:
            return None
        if self.prune_at is not None:
            return self.prune_at
        return max(1, self.epochs - self.recovery_epochs)

    def to_dict(self) -> dict[str, Any]:
        """Return plain primitives for config.json and checkpoints."""
        return asdict(self)

    def finetune_reason(self) -> str:
        """Say which layers train and why, in one sentence."""
        what = "the head only" if self.trains_head_only else "all layers"
        if self.finetune != "auto":
            return f"{what} (--finetune {self.finetune})"
        why = "no weights are given" if self.weights == "none" else "pretrained weights are given"
        return f"{what}, because {why} (--finetune auto)"


#: Options that only change how a run proceeds; every other one defines what is being trained.
FREE_ON_RESUME = frozenset(
    {
        "data",  # the folder may have moved; its fingerprint must not have changed
        "exclude",  # likewise
        "epochs",
        "lr",
        "weight_decay",
        "clip_norm",
        "patience",
        "plateau_factor",
        "prune_at",
        "recovery_epochs",
        "device",
        "workers",
    }
)

_CHOICES: Mapping[str, Any] = {
    "finetune": Finetune,
    "normalize": Normalize,
    "class_weights": ClassWeighting,
    "color": Color,
    "device": DeviceName,
    "layout": LayoutName,
}


def config_from_dict(values: Mapping[str, Any]) -> TrainConfig:
    """Rebuild a configuration stored in last.pt.

    Raises:
        ResumeMismatch: fields of another version of the tool.
    """
    expected = {field.name for field in fields(TrainConfig)}
    if set(values) != expected:
        raise ResumeMismatch(
            "last.pt was written by another version of fertrain: its configuration differs in "
            f"{', '.join(sorted(set(values) ^ expected))}.",
            hint="Resume with that version, or start a new run with --weights best.pt.",
        )
    return TrainConfig(**values)


def changed_options(saved: TrainConfig, given: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return what a resume changes: name -> (old, new).

    Args:
        given: only the options the user typed.

    Raises:
        ResumeMismatch: an option that would make it another training run.
    """
    changed = {
        name: (getattr(saved, name), value)
        for name, value in given.items()
        if getattr(saved, name) != value
    }
    fixed = sorted(set(changed) - FREE_ON_RESUME)
    if fixed:
        listed = "; ".join(
            f"{_flag(name)} was {changed[name][0]} and is now {changed[name][1]}" for name in fixed
        )
        raise ResumeMismatch(
            f"A resumed run cannot change what it trains: {listed}.",
            hint="Leave the option out, or start a new run (--weights best.pt keeps what was "
            "learned). These may change: "
            + ", ".join(_flag(name) for name in sorted(FREE_ON_RESUME))
            + ".",
        )
    return changed


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _require(condition: bool, flag: str, seen: object, allowed: str) -> None:
    if not condition:
        raise ValueError(f"{flag} is {seen}; allowed: {allowed}.")
