"""The options of one training run, each declared once.

Defaults < preset < configuration file < command line (`recipe`). ``None`` and ``auto`` mean "decide
from the other options". What an option says about itself is explained in `declaration`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, fields
from types import MappingProxyType, NoneType
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

from fer_train.config.declaration import Option, Range, declares_options, option
from fer_train.config.phase import Phase, require
from fer_train.contract.architectures import ARCHITECTURES
from fer_train.contract.labels import LABEL_ORDERS
from fer_train.contract.preprocess import MAX_INPUT_SIZE, MIN_INPUT_SIZE, TrainingColor
from fer_train.contract.terms import OPTION_HELP, require_term
from fer_train.machine.device import DeviceName, Precision, default_workers

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


@declares_options
class TrainConfig:
    """The options of ``fertrain train``, in the order in which checkpoints and files have them.

    ``--help`` has the same order under each heading.

    Raises:
        ValueError: a value outside its range, or two options that contradict each other.
    """

    data: str = option(
        help="Folder of faces (or a CSV file) in any layout of docs/data.md.",
        group="Data and pixels",
        resume="used",  # the folder may have moved; its fingerprint must not have changed
        prune="given",
        no_news="anywhere",
    )
    arch: str = option(
        help=f"One of {', '.join(ARCHITECTURES)}, any other of torchvision, or timm/NAME.",
        group="Network",
        resume="refused",
        prune="model",
        no_news="training on",
    )
    layout: LayoutName = option(
        default="auto",
        help="How the data is stored, if that is ambiguous.",
        group="Data and pixels",
        resume="refused",
        prune="given",
        eval=True,
        data="read",
    )
    label_order: str | None = option(
        default=None,
        help=f"What numeric ids mean: {', '.join(LABEL_ORDERS)}, a list or a file.",
        group="Data and pixels",
        resume="refused",
        prune="given",
        eval=True,
        data="read",
        no_news="training on",
    )
    custom_labels: str | None = option(
        default=None,
        help="Classes beyond the eight emotions, on purpose: pain,engaged,sleepy.",
        lists=True,
        group="Data and pixels",
        resume="refused",
        prune="given",
        eval=True,
        data="read",
        absent=None,
        no_news="training on",
    )
    labels_from: LabelsFrom | None = option(
        default=None,
        help="Which counts where class folder and CSV disagree.",
        group="Data and pixels",
        resume="refused",
        prune="given",
        eval=True,
        data="read",
    )
    soft_labels: bool = option(
        default=False,
        help="Train on the distribution of FER+ votes.",
        group="Data and pixels",
        resume="refused",
        prune="given",
        data="read",
    )
    exclude: str | None = option(
        default=None,
        help="Leave out what a findings.json of `fertrain data check` lists.",
        group="Data and pixels",
        resume="used",  # as the folder
        prune="given",
        eval=True,
        no_news="training on",
    )
    val_fraction: float | None = option(
        default=None,
        within=Range(0, 1, above=True, below=True),
        help="Hold out this share of the training images as val.",
        group="Data and pixels",
        resume="refused",
        prune="given",
        eval=True,
        data="split",
        share_of="val",
        no_news="training on",
    )
    test_fraction: float | None = option(
        default=None,
        within=Range(0, 1, above=True, below=True),
        help="Hold out this share of the training images as test.",
        group="Data and pixels",
        resume="refused",
        prune="given",
        eval=True,
        data="split",
        share_of="test",
        no_news="training on",
    )
    split_seed: int = option(
        default=0,
        within=Range(0),
        help="Decides which images are held out.",
        group="Data and pixels",
        resume="refused",
        prune="given",
        eval=True,
        data="split",
        no_news="training on",
    )
    input_size: int = option(
        default=48,
        within=Range(MIN_INPUT_SIZE, MAX_INPUT_SIZE),
        help="Side of the network's input, in pixels.",
        group="Data and pixels",
        resume="refused",
        prune="model",
    )
    color: TrainingColor = option(
        default="gray",
        help="Grey on three channels, or RGB.",
        group="Data and pixels",
        resume="refused",
        prune="model",
    )
    normalize: Normalize = option(
        default="imagenet",
        help="Mean and deviation of ImageNet or of the training set.",
        group="Data and pixels",
        resume="refused",
        prune="model",
    )
    crop_margin: float = option(
        default=0.3,
        within=Range(0, 2),
        help="Part added to a face box in use; dataset images have none.",
        group="Data and pixels",
        resume="refused",
        prune="model",
    )
    weights: str = option(
        default="default",
        help="Start from the library's weights, one of them by name, none, FILE.",
        group="Network",
        resume="refused",
        prune="model",
        no_news="training on",
    )
    allow_class: str | None = option(
        default=None,
        help="Classes that may be in --weights FILE: package.Class,…; their code is not run.",
        lists=True,
        group="Network",
        resume="refused",
        prune="model",
        absent=None,
        no_news="training on",
    )
    from_checkpoint: str | None = option(
        default=None,
        flag="--from",
        help="Retrain best.pt: its weights, labels and pixels are kept.",
        group="Network",
        resume="refused",
        prune="model",
        no_news="training on",
    )
    new_classes: bool = option(
        default=False,
        help="With --from: add outputs for classes it does not know.",
        group="Network",
        resume="refused",
        prune="model",
        no_news="training on",
    )
    finetune: Finetune = option(
        default="auto",
        help="auto: the head if weights are given, else all layers.",
        group="What learns",
        resume="refused",
        prune="given",
    )
    phases: tuple[Phase, ...] = option(
        default=(),
        flag="--phase",
        help="A phase, e.g. head:2:1e-3 then all:28:1e-3:1e-4. Repeat.",
        group="What learns",
        resume="refused",
        prune="schedule",
    )
    epochs: int | None = option(
        default=None,
        within=Range(0),
        help=f"All epochs [{DEFAULT_EPOCHS}, or those of the phases].",
        group="What learns",
        resume="used",
        prune="schedule",
    )
    lr: float | None = option(
        default=None,
        within=Range(0, above=True),
        help="AdamW's rate [1e-4 for all layers of given weights, else 1e-3].",
        group="What learns",
        resume="used",
        prune="given",
    )
    batch_size: int = option(
        default=64,
        within=Range(2),  # BatchNorm cannot train on one image
        help="Images at a time.",
        group="What learns",
        resume="refused",
        prune="inherited",
    )
    accumulate: int = option(
        default=1,
        within=Range(1),
        help="Batches per step; processes of torchrun share them.",
        group="What learns",
        resume="refused",
        prune="inherited",
    )
    weight_decay: float = option(
        default=1e-4,
        within=Range(0),
        help="AdamW's decay.",
        group="What learns",
        resume="used",
        prune="inherited",
    )
    clip_norm: float = option(
        default=1.0,
        within=Range(0, above=True, note=" (1e9 is never reached, so that nothing is clipped)"),
        help="Largest global gradient norm.",
        group="What learns",
        resume="used",
        prune="inherited",
    )
    batchnorm: BatchNorm = option(
        default="auto",
        help="Its statistics; auto: frozen if weights are given.",
        group="What learns",
        resume="refused",
        prune="inherited",
    )
    schedule: Schedule = option(
        default="plateau",
        help="How the rate changes.",
        group="Schedule",
        resume="kept",
        prune="given",
    )
    patience: int = option(
        default=5,
        within=Range(0),
        help="Plateau: epochs without a better one before the rate is cut.",
        group="Schedule",
        resume="used",
        prune="given",
    )
    plateau_factor: float = option(
        default=0.1,
        within=Range(0, 0.999, above=True),
        help="Plateau: the cut, rate times this.",
        group="Schedule",
        resume="used",
        prune="given",
    )
    warmup_epochs: float = option(
        default=0.0,
        within=Range(0),
        help="Epochs in which the rate grows, at each phase's start.",
        group="Schedule",
        resume="kept",
        prune="given",
    )
    early_stop: int = option(
        default=0,
        within=Range(0),
        help="End a phase after this many epochs without a better one; 0 = off.",
        group="Schedule",
        resume="used",
        prune="given",
    )
    select: Selection = option(
        default="macro_f1",
        help="Validation figure that decides what is better.",
        group="Schedule",
        resume="kept",
        prune="inherited",
    )
    ema: float = option(
        default=0.0,
        within=Range(0, 1, below=True),
        help="Measure and save averaged weights with this decay; 0 = off.",
        group="What learns",
        resume="kept",
        prune="inherited",
    )
    class_weights: ClassWeighting = option(
        default="auto",
        help="From training counts; auto: inverse.",
        group="Loss",
        resume="refused",
        prune="inherited",
    )
    effective_beta: float = option(
        default=0.999,
        within=Range(0, 0.999999),
        help="For --class-weights effective.",
        group="Loss",
        resume="refused",
        prune="inherited",
    )
    logit_adjustment: float = option(
        default=0.0,
        within=Range(0, 4),
        help="Instead of weights: this times log prior; 0 = off.",
        group="Loss",
        resume="refused",
        prune="inherited",
    )
    label_smoothing: float = option(
        default=0.0,
        within=Range(0, 1, below=True),
        help="Share of each target spread over all classes.",
        group="Loss",
        resume="refused",
        prune="inherited",
    )
    augment: float = option(
        default=1.0,
        within=Range(0, 1),
        help="Strength of all of it: 0 = none, 1 = as below.",
        group="Augmentation",
        resume="refused",
        prune="inherited",
    )
    crop_area_min: float = option(
        default=0.8,
        within=Range(0, 1, above=True),
        help="Smallest share of the face a random crop keeps.",
        group="Augmentation",
        resume="refused",
        prune="inherited",
    )
    crop_ratio_max: float = option(
        default=1.1,
        within=Range(1, 4),
        help="Most a crop changes width to height, either way.",
        group="Augmentation",
        resume="refused",
        prune="inherited",
    )
    rotation: float = option(
        default=10.0,
        within=Range(0, 180),
        help="Degrees, either way.",
        group="Augmentation",
        resume="refused",
        prune="inherited",
    )
    translation: float = option(
        default=0.05,
        within=Range(0, 1),
        help="Share of the side, either way.",
        group="Augmentation",
        resume="refused",
        prune="inherited",
    )
    flip: float = option(
        default=0.5,
        within=Range(0, 1),
        help="Probability of a horizontal flip.",
        group="Augmentation",
        resume="refused",
        prune="inherited",
    )
    brightness: float = option(
        default=0.2,
        within=Range(0, 1),
        help="Reach of the factor around 1.",
        group="Augmentation",
        resume="refused",
        prune="inherited",
    )
    contrast: float = option(
        default=0.2,
        within=Range(0, 1),
        help="Reach of the factor around 1.",
        group="Augmentation",
        resume="refused",
        prune="inherited",
    )
    saturation: float = option(
        default=0.2,
        within=Range(0, 1),
        help="Reach of the factor around 1.",
        group="Augmentation",
        resume="refused",
        prune="inherited",
    )
    prune: float = option(
        default=0.2,
        within=Range(0, 1, below=True),
        help="Share of weights made zero (L1); 0 = off. best.pt is then pruned.",
        group="Pruning",
        resume="refused",
        prune="given",
    )
    prune_scope: PruneScope = option(
        default="layer",
        help="That share of each layer, or of all weights together.",
        group="Pruning",
        resume="refused",
        prune="given",
    )
    prune_at: int | None = option(
        default=None,
        within=Range(0),
        help="Prune first after this epoch [so that recovery ends the run].",
        group="Pruning",
        resume="used",
        prune="schedule",
        no_news="training on",  # the course of that run, not its recipe
    )
    prune_steps: int = option(
        default=1,
        within=Range(1),
        help="Reach the share in so many steps.",
        group="Pruning",
        resume="kept",
        prune="given",
    )
    prune_every: int = option(
        default=1,
        within=Range(1),
        help="Epochs between the steps.",
        group="Pruning",
        resume="refused",
        prune="given",
    )
    recovery_epochs: int = option(
        default=3,
        within=Range(0),
        help="Epochs that train on after pruning, zeros kept.",
        group="Pruning",
        resume="used",
        prune="given",
    )
    device: DeviceName = option(
        default="auto",
        help="Where to train.",
        group="Machine",
        resume="used",
        prune="given",
        eval=True,
        no_news="anywhere",
    )
    precision: Precision = option(
        default="auto",
        help="auto: bfloat16 on CUDA, else float32.",
        group="Machine",
        resume="used",
        prune="given",
        no_news="training on",
    )
    views: int = option(
        default=0,
        within=Range(0, 1000),
        help="Cache so many augmented views of the frozen backbone; 0 = off.",
        group="Machine",
        resume="refused",
        prune="given",
    )
    seed: int = option(
        default=0,
        within=Range(0),
        help="Decides every random draw.",
        group="Machine",
        resume="kept",
        prune="given",
        no_news="training on",
    )
    purpose: str | None = option(
        default=None,
        prose=True,
        help=OPTION_HELP["purpose"],
        group="For the papers",
        resume="used",
        prune="inherited",
        absent=None,
        no_news="anywhere",
    )
    data_license: str | None = option(
        default=None,
        prose=True,
        help=OPTION_HELP["data_license"],
        group="For the papers",
        resume="used",
        prune="inherited",
        absent=None,
        no_news="anywhere",
    )
    weights_license: str | None = option(
        default=None,
        prose=True,
        help=OPTION_HELP["weights_license"],
        group="For the papers",
        resume="used",
        prune="inherited",
        absent=None,
        no_news="anywhere",
    )
    workers: int = option(
        default=0,
        here=default_workers,
        within=Range(0),
        help="Threads that decode images.",
        group="Machine",
        resume="used",
        prune="given",
        eval=True,
        no_news="anywhere",
    )

    def __post_init__(self) -> None:
        for name in OPTIONS:
            require_allowed(name, getattr(self, name))
        require_held_out(self.val_fraction, self.test_fraction)
        self._refuse_contradictions()

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
        if self.allow_class and (self.weights == "none" or self.from_checkpoint is not None):
            raise ValueError("--allow-class is for --weights FILE, which is not given.")
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


#: What each option says about itself, by field.
OPTIONS: Mapping[str, Option] = MappingProxyType(
    {field.name: cast(Option, field.metadata) for field in fields(TrainConfig)}
)


#: The values of options that need not be given.
DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {field.name: field.default for field in fields(TrainConfig) if field.default is not MISSING}
)


_TYPES: Mapping[str, Any] = MappingProxyType(get_type_hints(TrainConfig))


def option_names(having: Callable[[Option], bool]) -> tuple[str, ...]:
    """Return the fields that a rule speaks of, in their order."""
    return tuple(name for name, about in OPTIONS.items() if having(about))


def flag(name: str) -> str:
    """Return the command-line option of a field, also of one that another version had."""
    usual = "--" + name.replace("_", "-")
    return OPTIONS[name].get("flag", usual) if name in OPTIONS else usual


def value_type(name: str) -> Any:
    """Return the type of a field's values, None apart."""
    hint = _TYPES[name]
    kinds = [kind for kind in get_args(hint) if kind is not NoneType]
    return kinds[0] if NoneType in get_args(hint) else hint


def choices(name: str) -> tuple[str, ...]:
    """Return the words that a field may be; nothing for other fields."""
    kind = value_type(name)
    return get_args(kind) if get_origin(kind) is Literal else ()


def require_allowed(name: str, value: Any) -> None:
    """Raise ValueError unless a field may have the value; None is, where it is the default."""
    if value is None and DEFAULTS.get(name, MISSING) is None:
        return
    within = OPTIONS[name].get("within")
    if words := choices(name):
        require(value in words, flag(name), value, ", ".join(words))
    elif within is not None and value is not None:
        require(within.allows(value), flag(name), value, within.describe(value))
    elif value is not None and OPTIONS[name].get("prose"):
        require_term(flag(name), value)


def require_held_out(val: float | None, test: float | None) -> None:
    """Raise ValueError unless the shares leave something to train on."""
    require_allowed("val_fraction", val)
    require_allowed("test_fraction", test)
    held_out = (val or 0) + (test or 0)
    require(held_out < 1, "--val-fraction plus --test-fraction", held_out, "below 1")
