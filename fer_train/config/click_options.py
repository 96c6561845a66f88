"""The options of ``fertrain train`` as a table, shown in groups. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, get_args

import click

from fer_train.config.options import (
    DEFAULT_EPOCHS,
    BatchNorm,
    ClassWeighting,
    Finetune,
    LabelsFrom,
    LayoutName,
    Normalize,
    PruneScope,
    Schedule,
    Selection,
    TrainConfig,
    flag,
)
from fer_train.config.phase import Phase, parse_phase
from fer_train.contract.architectures import ARCHITECTURES
from fer_train.contract.labels import LABEL_ORDERS
from fer_train.contract.preprocess import Color
from fer_train.machine.device import DEVICE_NAMES, Precision, default_workers


class Option(NamedTuple):
    """A field of TrainConfig on the command line; its default is the field's."""

    field: str
    kind: Any
    help: str


def _phase(text: Any) -> Phase:
    try:
        return text if isinstance(text, Phase) else parse_phase(text)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


GROUPS: Mapping[str, tuple[Option, ...]] = {
    "Data and pixels": (
        Option("data", str, "Folder of faces (or a CSV file) in any layout of docs/data.md."),
        Option("layout", LayoutName, "How the data is stored, if that is ambiguous."),
        Option(
            "label_order",
            str,
            f"What numeric ids mean: {', '.join(LABEL_ORDERS)}, a list or a file.",
        ),
        Option("labels_from", LabelsFrom, "Which counts where class folder and CSV disagree."),
        Option("soft_labels", bool, "Train on the distribution of FER+ votes."),
        Option("exclude", str, "Leave out what a findings.json of `fertrain data check` lists."),
        Option("val_fraction", float, "Hold out this share of the training images as val."),
        Option("test_fraction", float, "Hold out this share of the training images as test."),
        Option("split_seed", int, "Decides which images are held out."),
        Option("input_size", int, "Side of the network's input, in pixels."),
        Option("color", Color, "Grey on three channels, or RGB."),
        Option("normalize", Normalize, "Mean and deviation of ImageNet or of the training set."),
        Option("crop_margin", float, "Part added to a face box in use; dataset images have none."),
    ),
    "Network": (
        Option(
            "arch",
            str,
            f"One of {', '.join(ARCHITECTURES)}, or any classification network of torchvision.",
        ),
        Option(
            "weights", str, "Start from torchvision's weights, one of them by name, none, FILE."
        ),
        Option("from_checkpoint", str, "Retrain best.pt: its weights, labels and pixels are kept."),
        Option("new_classes", bool, "With --from: add outputs for classes it does not know."),
    ),
    "What learns": (
        Option("finetune", Finetune, "auto: the head if weights are given, else all layers."),
        Option("phases", _phase, "A phase, e.g. head:2:1e-3 then all:28:1e-3:1e-4. Repeat."),
        Option("epochs", int, f"All epochs [{DEFAULT_EPOCHS}, or those of the phases]."),
        Option("lr", float, "AdamW's rate [1e-4 for all layers of given weights, else 1e-3]."),
        Option("batch_size", int, "Images at a time."),
        Option("accumulate", int, "Batches per step; processes of torchrun share them."),
        Option("weight_decay", float, "AdamW's decay."),
        Option("clip_norm", float, "Largest global gradient norm."),
        Option("batchnorm", BatchNorm, "Its statistics; auto: frozen if weights are given."),
        Option("ema", float, "Measure and save averaged weights with this decay; 0 = off."),
    ),
    "Schedule": (
        Option("schedule", Schedule, "How the rate changes."),
        Option("patience", int, "Plateau: epochs without a better one before the rate is cut."),
        Option("plateau_factor", float, "Plateau: the cut, rate times this."),
        Option("warmup_epochs", float, "Epochs in which the rate grows, at each phase's start."),
        Option(
            "early_stop", int, "End a phase after this many epochs without a better one; 0 = off."
        ),
        Option("select", Selection, "Validation figure that decides what is better."),
    ),
    "Loss": (
        Option("class_weights", ClassWeighting, "From training counts; auto: inverse."),
        Option("effective_beta", float, "For --class-weights effective."),
        Option("logit_adjustment", float, "Instead of weights: this times log prior; 0 = off."),
        Option("label_smoothing", float, "Share of each target spread over all classes."),
    ),
    "Augmentation": (
        Option("augment", float, "Strength of all of it: 0 = none, 1 = as below."),
        Option("crop_area_min", float, "Smallest share of the face a random crop keeps."),
        Option("crop_ratio_max", float, "Most a crop changes width to height, either way."),
        Option("rotation", float, "Degrees, either way."),
        Option("translation", float, "Share of the side, either way."),
        Option("flip", float, "Probability of a horizontal flip."),
        Option("brightness", float, "Reach of the factor around 1."),
        Option("contrast", float, "Reach of the factor around 1."),
        Option("saturation", float, "Reach of the factor around 1."),
    ),
    "Pruning": (
        Option("prune", float, "Share of weights made zero (L1); 0 = off. best.pt is then pruned."),
        Option("prune_scope", PruneScope, "That share of each layer, or of all weights together."),
        Option("prune_at", int, "Prune first after this epoch [so that recovery ends the run]."),
        Option("prune_steps", int, "Reach the share in so many steps."),
        Option("prune_every", int, "Epochs between the steps."),
        Option("recovery_epochs", int, "Epochs that train on after pruning, zeros kept."),
    ),
    "Machine": (
        Option("device", DEVICE_NAMES, "Where to train."),
        Option("precision", Precision, "auto: bfloat16 on CUDA, else float32."),
        Option("views", int, "Cache so many augmented views of the frozen backbone; 0 = off."),
        Option("seed", int, "Decides every random draw."),
        Option("workers", int, "Threads that decode images."),
    ),
}


class GroupedCommand(click.Command):
    """A command whose help shows the options of `GROUPS` under their headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        records = {p.name: p.get_help_record(ctx) for p in self.get_params(ctx)}
        for heading, options in GROUPS.items():
            rows = [row for o in options if (row := records.pop(o.field, None)) is not None]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)
        with formatter.section("Run"):
            formatter.write_dl([row for row in records.values() if row is not None])


def config_options(
    *, only: frozenset[str] | None = None, without: frozenset[str] = frozenset()
) -> Callable[[Any], Any]:
    """Declare the options of `GROUPS` on a command: all, ``only`` some fields, ``without`` some."""

    def declare(function: Any) -> Any:
        for options in reversed(list(GROUPS.values())):
            for option in reversed(options):
                if option.field not in without and (only is None or option.field in only):
                    function = _click_option(option)(function)
        return function

    return declare


def _click_option(option: Option) -> Callable[[Any], Any]:
    default = TrainConfig.__dataclass_fields__[option.field].default
    default = default_workers() if option.field == "workers" else default
    if option.kind is bool:
        return click.option(flag(option.field), option.field, is_flag=True, help=option.help)
    repeated = option.kind is _phase
    kind = option.kind
    if isinstance(kind, tuple) or get_args(kind):
        kind = click.Choice(kind if isinstance(kind, tuple) else get_args(kind))
    known = isinstance(default, (int, float, str)) and not repeated
    return click.option(
        flag(option.field),
        option.field,
        type=kind,
        default=default if known else None,
        show_default=known,
        multiple=repeated,
        metavar="LAYERS:EPOCHS:LR[:BACKBONE_LR]" if repeated else None,
        help=option.help,
    )
