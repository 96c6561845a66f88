"""The ``fertrain`` command line. Nothing here imports torch until a command really runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, get_args

import click
from click.core import ParameterSource

from fer_train import __version__
from fer_train.config import (
    ClassWeighting,
    Finetune,
    LabelsFrom,
    LayoutName,
    Normalize,
    TrainConfig,
    changed_options,
    config_from_dict,
)
from fer_train.contract.architectures import ARCHITECTURES, architecture
from fer_train.contract.cli_errors import exit_on_sigterm, main_with_errors
from fer_train.contract.labels import LABEL_ORDERS
from fer_train.contract.preprocess import Color
from fer_train.data_commands import data
from fer_train.device import DEVICE_NAMES, default_workers, prepare_environment

if TYPE_CHECKING:
    from fer_train.progress import Reporter
    from fer_train.session import ResumePoint

PROGRAM = "fertrain"

# torch reads this environment when it is first imported, so before any command.
prepare_environment()

#: Parameters of `train` that are not fields of TrainConfig.
_NOT_CONFIG = frozenset({"out", "resume", "cache", "as_json", "quiet"})


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name=PROGRAM)
def app() -> None:
    """Train a facial-expression classifier whose checkpoint can be trusted downstream."""


def _default(name: str) -> Any:
    return TrainConfig.__dataclass_fields__[name].default


def _option(flag: str, kind: Any, help_text: str, **extra: Any) -> Callable[[Any], Any]:
    """Declare an option whose default is TrainConfig's own."""
    name = flag.removeprefix("--").replace("-", "_")
    default = extra.pop("default", _default(name))
    shown = default is not None
    return click.option(
        flag, type=kind, default=default, show_default=shown, help=help_text, **extra
    )


def _choice(kind: Any) -> click.Choice[str]:
    return click.Choice(get_args(kind))


@app.command()
@click.option("--data", help="Folder of faces (or a CSV file) in any layout of docs/data.md.")
@click.option("--arch", help=f"One of: {', '.join(ARCHITECTURES)}.")
@click.option("--out", type=click.Path(path_type=Path), help="New run folder [runs/<arch>-<time>].")
@_option("--weights", str, "Start from torchvision's weights, from none, or from a file.")
@_option("--finetune", _choice(Finetune), "What trains; auto: head if weights are given, else all.")
@_option("--epochs", int, "All epochs, those of recovery after pruning included.")
@_option("--batch-size", int, "Images per step.")
@_option("--lr", float, "AdamW's rate [1e-4 for all layers of given weights, else 1e-3].")
@_option("--weight-decay", float, "AdamW's decay.")
@_option("--input-size", int, "Side of the network's input, in pixels.")
@_option("--color", _choice(Color), "Grey on three channels, or RGB.")
@_option(
    "--normalize", _choice(Normalize), "Mean and deviation of ImageNet or of the training set."
)
@_option(
    "--crop-margin", float, "Part added to a face box later, in use; dataset images have none."
)
@_option("--augment", float, "Strength of all augmentations: 0 = none, 1 = the recipe.")
@_option("--class-weights", _choice(ClassWeighting), "Weights of the loss, from training counts.")
@_option("--clip-norm", float, "Largest global gradient norm.")
@_option("--patience", int, "Epochs without a better macro-F1 before the rate is cut.")
@_option("--plateau-factor", float, "The cut: rate times this.")
@_option(
    "--prune", float, "Share of zeros per layer (L1); 0 = off. best.pt is then a pruned epoch."
)
@_option("--prune-at", int, "Prune after this epoch [epochs minus recovery epochs].")
@_option("--recovery-epochs", int, "Epochs that train on after pruning, zeros kept.")
@_option("--layout", _choice(LayoutName), "How the data is stored, if that is ambiguous.")
@_option(
    "--label-order", str, f"What numeric ids mean: {', '.join(LABEL_ORDERS)}, a list or a file."
)
@_option("--labels-from", _choice(LabelsFrom), "Which counts where class folder and CSV disagree.")
@_option("--soft-labels", bool, "Train on the distribution of FER+ votes.", is_flag=True)
@_option("--exclude", str, "Leave out what a findings.json of `fertrain data check` lists.")
@_option("--val-fraction", float, "Hold out this share of the training images as val.")
@_option("--test-fraction", float, "Hold out this share of the training images as test.")
@_option("--split-seed", int, "Decides which images are held out.")
@_option("--device", click.Choice(DEVICE_NAMES), "Where to train.")
@_option("--seed", int, "Decides every random draw.")
@_option("--workers", int, "Threads that decode images.", default=default_workers())
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="FERTRAIN_CACHE",
    show_envvar=True,
    help="Folder of decoded images [~/.cache/fertrain].",
)
@click.option(
    "--resume", type=click.Path(path_type=Path), help="Continue a run: folder or last.pt."
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on stdout.")
@click.option("--quiet", is_flag=True, help="No progress; errors only.")
@click.pass_context
def train(context: click.Context, /, **options: Any) -> None:
    """Train a network on a folder of faces.

    The best epoch by validation macro-F1 becomes RUN/checkpoints/best.pt. Training figures are
    running averages over the epoch, measured while the network learns on augmented images;
    validation figures are of the finished epoch. Ctrl-C saves and exits; --resume continues.
    """
    # Checked before torch is imported: a typing mistake should not take a second to report.
    config = _new_config(options) if options["resume"] is None else None

    from fer_train.data.cache import default_cache_folder
    from fer_train.progress import choose_reporter
    from fer_train.signals import Stopped, stop_on_signals
    from fer_train.train import train as run_training

    reporter = choose_reporter(quiet=options["quiet"])
    resume = None
    if config is None:
        config, resume = _resumed(context, options, reporter)
    with stop_on_signals() as stop:
        try:
            summary = run_training(
                config,
                out=options["out"],
                cache=options["cache"] or default_cache_folder(),
                reporter=reporter,
                stop=stop,
                resume=resume,
            )
        except Stopped as stopped:
            click.echo(f"{stopped}: stopped before training began.", err=True)
            context.exit(128 + stopped.signum)
    if options["as_json"]:
        click.echo(json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False))
    if stop.signum is not None and summary["stopped"]:
        click.echo(f"{summary['stopped']}: saved. Continue with: {summary['resume']}", err=True)
        context.exit(128 + stop.signum)


@app.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--per-class", default=250, show_default=True, help="Training faces per emotion.")
@click.option("--val-per-class", default=60, show_default=True, help="Validation faces.")
@click.option("--test-per-class", default=0, show_default=True, help="Test faces; 0 = no split.")
@click.option("--size", default=96, show_default=True, help="Side of each image, in pixels.")
@click.option("--seed", default=0, show_default=True, help="Decides every face.")
@click.option("--workers", default=default_workers(), show_default=True, help="Drawing processes.")
@click.option("--quiet", is_flag=True, help="No progress; errors only.")
def synth(out: Path, **options: Any) -> None:
    """Draw faces into OUT/train, OUT/val in the AffectNet folder layout.

    For trying the tools without anyone's photographs. Disgust and contempt are rarer in the
    training split, as in AffectNet. OUT/synthetic.json marks the faces as drawn, and every model
    trained on them says so.
    """
    from fer_train.progress import choose_reporter
    from fer_train.synthetic.dataset import demo_counts, write_dataset

    reporter = choose_reporter(quiet=options["quiet"])
    counts = demo_counts(
        train=options["per_class"], val=options["val_per_class"], test=options["test_per_class"]
    )
    total = sum(sum(classes.values()) for classes in counts.values())
    with reporter.counting("drawing faces", total) as count_up:
        drawn = 0

        def on_progress(done: int, _total: int) -> None:
            nonlocal drawn
            count_up(done - drawn)
            drawn = done

        summary = write_dataset(
            out,
            per_class=counts,
            size=options["size"],
            seed=options["seed"],
            workers=options["workers"],
            progress=on_progress,
        )
    reporter.note("drawn", f"{summary.images} faces of {options['size']} px in {summary.root}")


app.add_command(data)


def main() -> NoReturn:
    """Entry point of the console script."""
    exit_on_sigterm()
    main_with_errors(app, PROGRAM)


def _new_config(options: dict[str, Any]) -> TrainConfig:
    for name in ("data", "arch"):
        if options[name] is None:
            raise click.UsageError(f"--{name} is needed (or --resume RUN).")
    architecture(options["arch"])
    return _checked(lambda: TrainConfig(**_config_fields(options)))


def _resumed(
    context: click.Context, options: dict[str, Any], reporter: Reporter
) -> tuple[TrainConfig, ResumePoint]:
    """Return the saved configuration with what the user typed, and where to continue."""
    if options["out"] is not None:
        raise click.UsageError("--resume continues in the run's own folder: leave out --out.")

    from fer_train.contract.checkpoint import read_checkpoint
    from fer_train.run import find_run
    from fer_train.session import ResumePoint

    run = find_run(options["resume"])
    checkpoint = read_checkpoint(run.last)
    saved = config_from_dict(checkpoint.config)
    typed = {
        name: value
        for name, value in _config_fields(options).items()
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    changed = changed_options(saved, typed)
    for name, (old, new) in changed.items():
        reporter.note("resume", f"--{name.replace('_', '-')} was {old}, is now {new}")
    return _checked(lambda: replace(saved, **typed)), ResumePoint(run=run, checkpoint=checkpoint)


def _config_fields(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in _NOT_CONFIG}


def _checked(build: Callable[[], TrainConfig]) -> TrainConfig:
    try:
        return build()
    except ValueError as error:
        raise click.UsageError(str(error)) from error


if __name__ == "__main__":
    main()
