"""What one training run was asked to do.

Defaults < preset < configuration file < command line (`config_file`); what a resume may change is
in `config_resume`. ``None`` and ``auto`` mean "decide from the other options".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

from fer_train.config.phase import Phase, require
from fer_train.contract.preprocess import MAX_INPUT_SIZE, MIN_INPUT_SIZE, Color
from fer_train.machine.device import DeviceName, Precision

Finetune = Literal["auto", "head", "all"]


BatchNorm = Literal["auto", "frozen", "train"]


Normalize = Literal["imagenet", "dataset"]


ClassWeighting = Literal["auto", "none", "inverse", "sqrt-inverse", "effective"]


Schedule = Literal["plateau", "cosine", "constant"]


Selection = Literal["macro_f1", "balanced_accuracy", "accuracy", "loss"]


PruneScope = Literal["layer", "global"]


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


DEFAULT_EPOCHS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """The options of ``fertrain train``.

    Raises:
        ValueError: a value outside its range, or two options that contradict each other.
    """

    data: str
    arch: str
    # How the data are read and split
    layout: LayoutName = "auto"
    label_order: str | None = None
    labels_from: LabelsFrom | None = None
    soft_labels: bool = False
    exclude: str | None = None
    val_fraction: float | None = None
    test_fraction: float | None = None
    split_seed: int = 0
    # Pixels
    input_size: int = 48
    color: Color = "gray"
    normalize: Normalize = "imagenet"
    crop_margin: float = 0.3
    # Where it starts
    weights: str = "default"
    from_checkpoint: str | None = None
    new_classes: bool = False
    # What learns, how fast, for how long
    finetune: Finetune = "auto"
    phases: tuple[Phase, ...] = ()
    epochs: int | None = None
    lr: float | None = None
    batch_size: int = 64
    accumulate: int = 1
    weight_decay: float = 1e-4
    clip_norm: float = 1.0
    batchnorm: BatchNorm = "auto"
    schedule: Schedule = "plateau"
    patience: int = 5
    plateau_factor: float = 0.1
    warmup_epochs: float = 0.0
    early_stop: int = 0
    select: Selection = "macro_f1"
    ema: float = 0.0
    # The loss
    class_weights: ClassWeighting = "auto"
    effective_beta: float = 0.999
    logit_adjustment: float = 0.0
    label_smoothing: float = 0.0
    # Augmentation
    augment: float = 1.0
    crop_area_min: float = 0.8
    crop_ratio_max: float = 1.1
    rotation: float = 10.0
    translation: float = 0.05
    flip: float = 0.5
    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    # Pruning
    prune: float = 0.2
    prune_scope: PruneScope = "layer"
    prune_at: int | None = None
    prune_steps: int = 1
    prune_every: int = 1
    recovery_epochs: int = 3
    # The machine
    device: DeviceName = "auto"
    precision: Precision = "auto"
    views: int = 0
    seed: int = 0
    workers: int = 0

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            value = getattr(self, name)
            require(value in get_args(allowed), flag(name), value, ", ".join(get_args(allowed)))
        for name, numbers in RANGES.items():
            value = getattr(self, name)
            if value is not None:
                require(numbers.allows(value), flag(name), value, numbers.describe(value))
        self._require_data_options()
        self._refuse_contradictions()

    def _require_data_options(self) -> None:
        chosen = (None, *get_args(LabelsFrom))
        allowed = ", ".join(get_args(LabelsFrom))
        require(self.labels_from in chosen, "--labels-from", self.labels_from, allowed)
        require_held_out(self.val_fraction, self.test_fraction)

    def _refuse_contradictions(self) -> None:
        if self.logit_adjustment and self.class_weights not in ("auto", "none"):
            raise ValueError(
                f"--logit-adjustment {self.logit_adjustment:g} and --class-weights "
                f"{self.class_weights} both correct for rare classes, and together they correct "
                "twice; allowed: one of them, and --class-weights none with the first."
            )
        if self.phases and (self.finetune != "auto" or self.lr is not None):
            raise ValueError(
                "--phase says what trains at which rate; allowed: no --finetune and no --lr "
                "beside it."
            )
        if self.phases and self.epochs is not None:
            before = sum(phase.epochs for phase in self.phases[:-1])
            require(
                self.epochs > before,
                "--epochs",
                self.epochs,
                f"above {before} (the phases before the last)",
            )
        if self.views and all(phase.trains == "all" for phase in self.resolved_phases):
            raise ValueError(
                f"--views {self.views} caches what a frozen backbone sees, and here all layers "
                "learn; allowed: 0, or a phase that trains the head only (--finetune head)."
            )
        if self.new_classes and self.from_checkpoint is None:
            raise ValueError("--new-classes is for --from CHECKPOINT, which is not given.")
        self._require_short_warmup()
        if self.prune_at is not None:
            require(self.prune > 0, "--prune-at", self.prune_at, "only together with --prune")
            allowed = f"up to {self.total_epochs} (--epochs)"
            require(self.prune_at <= self.total_epochs, "--prune-at", self.prune_at, allowed)
        if self.total_epochs == 0 and self.prune_at != 0:
            raise ValueError("--epochs is 0; allowed: 1 or more.")
        if self.prune > 0:
            last = self.prune_epoch + (self.prune_steps - 1) * self.prune_every
            if last > self.total_epochs:
                raise ValueError(
                    f"The last pruning would come after epoch {last}; allowed: up to "
                    f"{self.total_epochs} (--epochs), with fewer --prune-steps, a shorter "
                    "--prune-every or an earlier --prune-at."
                )

    def _require_short_warmup(self) -> None:
        if self.total_epochs == 0:
            return  # nothing trains
        lengths = [phase.epochs for phase in self.resolved_phases[:-1]]
        # --epochs stretches or cuts the last one.
        lengths.append(self.total_epochs - sum(lengths))
        what = "the shortest phase" if len(lengths) > 1 else "the run"
        allowed = f"below {min(lengths)}, the epochs of {what}, or its rate is never reached"
        require(self.warmup_epochs < min(lengths), "--warmup-epochs", self.warmup_epochs, allowed)

    @property
    def starts_from_weights(self) -> bool:
        """Whether anything was learned before this run."""
        return self.weights != "none" or self.from_checkpoint is not None

    @property
    def total_epochs(self) -> int:
        """All epochs: ``--epochs`` stretches or cuts the last phase."""
        if self.epochs is not None:
            return self.epochs
        return sum(phase.epochs for phase in self.phases) if self.phases else DEFAULT_EPOCHS

    @property
    def resolved_phases(self) -> tuple[Phase, ...]:
        """The phases, or the one that ``--finetune``, ``--epochs`` and ``--lr`` describe."""
        if self.phases:
            return self.phases
        head = self.finetune == "head" or (self.finetune == "auto" and self.starts_from_weights)
        # Pretrained layers are changed carefully; a new head, or everything new, is not.
        lr = 1e-4 if self.starts_from_weights and not head else 1e-3
        return (
            Phase(
                trains="head" if head else "all",
                epochs=max(self.total_epochs, 1),
                lr=self.lr or lr,
            ),
        )

    @property
    def batchnorm_frozen(self) -> bool:
        """Whether BatchNorm keeps its statistics even where the backbone trains."""
        if self.batchnorm == "auto":
            return self.starts_from_weights
        return self.batchnorm == "frozen"

    @property
    def resolved_class_weights(self) -> ClassWeighting:
        """``auto`` decided: inverse counts, unless the logits are adjusted instead."""
        if self.class_weights != "auto":
            return self.class_weights
        return "none" if self.logit_adjustment else "inverse"

    @property
    def prune_epoch(self) -> int:
        """The epoch after which the (first) pruning happens, if any does."""
        if self.prune_at is not None:
            return self.prune_at
        later = (self.prune_steps - 1) * self.prune_every + self.recovery_epochs
        return max(1, self.total_epochs - later)

    def to_dict(self) -> dict[str, Any]:
        """Return plain primitives for config.json and checkpoints."""
        values = asdict(self)
        return values | {"phases": [asdict(phase) for phase in self.phases]}

    def phases_reason(self) -> str:
        """Say which layers train and why, in one sentence."""
        if len(self.phases) > 1:
            return "phases " + ", then ".join(phase.describe() for phase in self.phases)
        what = "the head only" if self.resolved_phases[0].trains == "head" else "all layers"
        if self.phases:
            return f"{what} (--phase {self.phases[0].describe()})"
        if self.finetune != "auto":
            return f"{what} (--finetune {self.finetune})"
        why = "weights are given" if self.starts_from_weights else "no weights are given"
        return f"{what}, because {why} (--finetune auto)"


_CHOICES: Mapping[str, Any] = {
    "finetune": Finetune,
    "batchnorm": BatchNorm,
    "normalize": Normalize,
    "class_weights": ClassWeighting,
    "schedule": Schedule,
    "select": Selection,
    "prune_scope": PruneScope,
    "color": Color,
    "device": DeviceName,
    "layout": LayoutName,
    "precision": Precision,
}


def require_held_out(val: float | None, test: float | None) -> None:
    """Raise ValueError unless the shares leave something to train on."""
    for name, share in (("val_fraction", val), ("test_fraction", test)):
        require(share is None or 0 < share < 1, flag(name), share, "between 0 and 1")
    held_out = (val or 0) + (test or 0)
    require(held_out < 1, "--val-fraction plus --test-fraction", held_out, "below 1")


#: Fields whose option is not simply the name with dashes.
_FLAGS = {"from_checkpoint": "--from", "phases": "--phase"}


def flag(name: str) -> str:
    """Return the command-line option of a field."""
    return _FLAGS.get(name, "--" + name.replace("_", "-"))


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
