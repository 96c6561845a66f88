"""The ``fertrain`` command line. Nothing here imports torch until a command really runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click
from click.core import ParameterSource

from fer_train import __version__
from fer_train.config import TrainConfig, require_held_out
from fer_train.config_file import Inherited, build_config, preset_values, read_config_file
from fer_train.config_phase import require
from fer_train.config_prune import pruning_options, refuse_schedule
from fer_train.config_resume import compare, config_from_dict
from fer_train.contract.cli_errors import exit_on_sigterm, main_with_errors
from fer_train.contract.preprocess import MIN_INPUT_SIZE
from fer_train.data_commands import data
from fer_train.device import default_workers, prepare_environment
from fer_train.distributed import is_leader, require_shareable
from fer_train.options import GroupedCommand, config_options
from fer_train.presets import PRESETS
from fer_train.report_commands import compare as compare_runs
from fer_train.report_commands import report

if TYPE_CHECKING:
    from fer_train.opening import ResumePoint
    from fer_train.progress import Reporter

PROGRAM = "fertrain"
Built = TypeVar("Built")

# torch reads this environment when it is first imported, so before any command.
prepare_environment()

#: Options of `train` that a pruned checkpoint has answered already.
_DECIDED_WHEN_PRUNING = frozenset(
    {"arch", "weights", "from_checkpoint", "new_classes", "input_size", "color", "normalize"}
    | {"crop_margin", "phases", "epochs", "prune_at"}
)

#: Options of `train` that `eval` has too.
_EVALUATING = frozenset(
    {"layout", "label_order", "labels_from", "exclude", "val_fraction", "test_fraction"}
    | {"split_seed", "device", "workers"}
)

#: Parameters of `train` that are not fields of TrainConfig.
_NOT_CONFIG = frozenset({"out", "resume", "cache", "as_json", "quiet", "config", "preset"})


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name=PROGRAM)
def app() -> None:
    """Train a facial-expression classifier whose checkpoint can be trusted downstream."""


_cache_option = click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="FERTRAIN_CACHE",
    show_envvar=True,
    help="Folder of decoded images [~/.cache/fertrain].",
)


@app.command(cls=GroupedCommand)
@config_options()
@click.option("--preset", type=click.Choice(list(PRESETS)), help="A named recipe to start from.")
@click.option(
    "--config", type=click.Path(path_type=Path), help="TOML file of these options, over the preset."
)
@click.option("--out", type=click.Path(path_type=Path), help="New run folder [runs/<arch>-<time>].")
@click.option(
    "--resume", type=click.Path(path_type=Path), help="Continue a run: folder or last.pt."
)
@_cache_option
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on stdout.")
@click.option("--quiet", is_flag=True, help="No progress; errors only.")
@click.pass_context
def train(context: click.Context, /, **options: Any) -> None:
    """Train a network on a folder of faces.

    Options override --config, which overrides --preset. The best epoch on the validation split
    becomes RUN/checkpoints/best.pt. Training figures are running averages over the epoch, measured
    while the network learns on augmented images; validation figures are of the finished epoch.
    Ctrl-C saves and exits; --resume continues. Several processes:
    torchrun --nproc-per-node 2 --no-python fertrain train …
    """
    # Checked before torch is imported: a typing mistake should not take a second to report.
    typed = _typed(context, options)
    config = _checked(lambda: _new_config(options, typed)) if options["resume"] is None else None

    from fer_train.progress import choose_reporter

    reporter = choose_reporter(quiet=options["quiet"])
    resume = None
    if config is None:
        config, resume = _resumed(options, typed)
    _train(context, config, options, reporter=reporter, resume=resume)


@app.command(cls=GroupedCommand)
@click.argument("checkpoint", type=click.Path(path_type=Path))
@config_options(without=_DECIDED_WHEN_PRUNING)
@click.option("--config", type=click.Path(path_type=Path), help="TOML file of these options.")
@click.option("--out", type=click.Path(path_type=Path), help="New run folder [runs/<arch>-<time>].")
@_cache_option
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on stdout.")
@click.option("--quiet", is_flag=True, help="No progress; errors only.")
@click.pass_context
def prune(context: click.Context, /, checkpoint: Path, **options: Any) -> None:
    """Prune a trained CHECKPOINT (best.pt) and let it recover.

    Zeroes the smallest weights (--prune, --prune-scope, --prune-steps), measures before and after,
    and trains --recovery-epochs with the zeros kept, all layers at a rate of 1e-4 unless
    --finetune head or --lr say otherwise; loss, augmentation and batches are those the checkpoint
    was trained with unless given, and on the same data the same images are held out. 0 recovery
    epochs only prune. The new run's best.pt is the best pruned epoch; zeros per layer are in its
    sparsity.csv. Zeros save nothing by themselves: ferconv stores them sparse.
    """
    if options["config"] is not None:
        _checked(lambda: refuse_schedule(options["config"]))

    from fer_train.contract.checkpoint import read_checkpoint
    from fer_train.inherit import recipe_options
    from fer_train.progress import choose_reporter

    typed = {**_typed(context, options), "from_checkpoint": str(checkpoint)}
    recipe = recipe_options(read_checkpoint(checkpoint))
    given = {**options, "preset": None}
    config = _checked(lambda: _new_config(given, typed, base=recipe, complete=pruning_options))
    _train(context, config, options, reporter=choose_reporter(quiet=options["quiet"]))


@app.command("eval", cls=GroupedCommand)
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of faces (or a CSV file) in any layout of docs/data.md.",
)
@click.option(
    "--split",
    type=click.Choice(["train", "val", "test"]),
    help="[test, else val, else the only one]",
)
@config_options(only=_EVALUATING)
@click.option("--batch-size", default=64, show_default=True, help="Images at a time.")
@_cache_option
@click.option("--out", type=click.Path(path_type=Path), help="Write every answer to this npz file.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--quiet", is_flag=True, help="No progress; figures and errors only.")
@click.pass_context
def evaluate(
    context: click.Context, /, checkpoint: Path, as_json: bool, quiet: bool, **options: Any
) -> None:
    """Measure CHECKPOINT on a split of --data, with the pixels and labels it promises.

    Only that split is needed, and not every class of the model; data without splits are measured
    as a whole. On the data of its training, a split that the training made is made again: the same
    images.
    """
    options["data"] = str(options["data"])
    given = {name: options[name] for name in _EVALUATING | {"data"}}
    _checked(lambda: require_held_out(given["val_fraction"], given["test_fraction"]))
    batch_size = options["batch_size"]
    _checked(lambda: require(batch_size >= 1, "--batch-size", batch_size, "1 or more"))

    from fer_train import evaluation
    from fer_train.contract.checkpoint import read_checkpoint
    from fer_train.data.cache import default_cache_folder
    from fer_train.inherit_splits import split_options
    from fer_train.progress import choose_reporter

    typed = {name: value for name, value in _typed(context, options).items() if name in given}
    known = read_checkpoint(checkpoint)
    chosen = given | split_options(known, given) | typed | {"arch": known.arch}
    config = _checked(lambda: TrainConfig(**chosen))
    result = evaluation.evaluate(
        checkpoint,
        known,
        config,
        split=options["split"],
        batch_size=batch_size,
        cache=options["cache"] or default_cache_folder(),
        out=options["out"],
        reporter=choose_reporter(quiet=quiet),
    )
    if as_json:
        click.echo(json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        click.echo(evaluation.as_text(result))


def _train(
    context: click.Context,
    config: TrainConfig,
    options: Mapping[str, Any],
    *,
    reporter: Reporter,
    resume: ResumePoint | None = None,
) -> None:
    """Train, print the summary, and exit as a signal demands."""
    _checked(lambda: require_shareable(accumulate=config.accumulate, views=config.views))

    from fer_train.data.cache import default_cache_folder
    from fer_train.signals import Stopped, stop_on_signals
    from fer_train.train import train as run_training

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
        # Still guarded: when the other processes are done first, torchrun ends this one.
        if options["as_json"] and is_leader():
            click.echo(json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False))
        if summary["stopped"] and is_leader():
            click.echo(f"{summary['stopped']}: saved. Continue with: {summary['resume']}", err=True)
    if summary["stopped"]:
        assert stop.signum is not None
        context.exit(128 + stop.signum)


def _number(name: str, *, least: int, default: int, help: str) -> Callable[[Any], Any]:
    kind = click.IntRange(min=least)
    return click.option(name, type=kind, default=default, show_default=True, help=help)


@app.command()
@click.argument("out", type=click.Path(path_type=Path))
@_number("--per-class", least=1, default=250, help="Training faces per emotion.")
@_number("--val-per-class", least=1, default=60, help="Validation faces.")
@_number("--test-per-class", least=0, default=0, help="Test faces; 0 = no split.")
@_number("--size", least=MIN_INPUT_SIZE, default=96, help="Side of each image, in pixels.")
@_number("--seed", least=0, default=0, help="Decides every face.")
@click.option("--workers", default=default_workers(), show_default=True, help="Drawing processes.")
@click.option("--quiet", is_flag=True, help="No progress; errors only.")
def synth(out: Path, **options: Any) -> None:
    """Draw faces into OUT/train, OUT/val in the AffectNet folder layout.

    For trying the tools without anyone's photographs. Disgust and contempt are rarer in the
    training split, as in AffectNet. OUT/synthetic.json marks the faces as drawn, and every model
    trained on them says so. Faces drawn into OUT earlier are replaced as a whole, when the new ones
    are complete.
    """
    from fer_train.progress import choose_reporter
    from fer_train.synthetic.dataset import demo_counts, earlier_dataset, write_dataset

    reporter = choose_reporter(quiet=options["quiet"])
    earlier = earlier_dataset(out)
    if earlier is not None:
        reporter.note("replacing", f"what was drawn in {out} earlier: {earlier}")
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
app.add_command(report)
app.add_command(compare_runs)


def main() -> NoReturn:
    """Entry point of the console script."""
    exit_on_sigterm()
    main_with_errors(app, PROGRAM)


def _typed(context: click.Context, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration fields that the user gave on the command line."""
    return {
        name: value
        for name, value in options.items()
        if name not in _NOT_CONFIG
        and context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }


def _new_config(
    options: Mapping[str, Any],
    typed: Mapping[str, Any],
    *,
    base: Mapping[str, Any] | None = None,
    complete: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
) -> TrainConfig:
    config = build_config(
        typed,
        preset=options["preset"],
        file=options["config"],
        base=base or {},
        inherited=_inherited,
        complete=complete,
    )
    if "workers" not in typed and config.workers == 0:
        config = replace(config, workers=default_workers())
    if config.from_checkpoint is not None and config.prune_at == 0:
        from fer_train.contract.checkpoint import read_checkpoint
        from fer_train.inherit_zeros import require_zeros_kept

        require_zeros_kept(config, read_checkpoint(config.from_checkpoint))
    return config


def _inherited(options: Mapping[str, Any]) -> Inherited:
    from fer_train.contract.checkpoint import read_checkpoint
    from fer_train.inherit import inherited_options
    from fer_train.inherit_splits import split_options

    checkpoint = read_checkpoint(options["from_checkpoint"])
    return Inherited(inherited_options(checkpoint), split_options(checkpoint, options))


def _resumed(
    options: Mapping[str, Any], typed: Mapping[str, Any]
) -> tuple[TrainConfig, ResumePoint]:
    """Return the saved configuration with what the user gave, and where to continue."""
    if options["out"] is not None:
        raise click.UsageError("--resume continues in the run's own folder: leave out --out.")

    from fer_train.opening import ResumePoint
    from fer_train.resuming import read_last
    from fer_train.run import find_run

    given: dict[str, Any] = {}
    if options["preset"] is not None:
        given |= _checked(lambda: preset_values(options["preset"]))
    if options["config"] is not None:
        given |= _checked(lambda: read_config_file(options["config"]))
        given.pop("preset", None)
    given |= typed
    run = find_run(options["resume"])
    checkpoint = read_last(run)
    saved = config_from_dict(checkpoint.config)
    changes = compare(saved, given)
    used = {name: new for name, (_, new) in changes.used.items()}
    config = _checked(lambda: replace(saved, **used))
    return config, ResumePoint(run=run, checkpoint=checkpoint, changes=changes)


def _checked(build: Callable[[], Built]) -> Built:
    try:
        return build()
    except ValueError as error:
        raise click.UsageError(str(error)) from error


if __name__ == "__main__":
    main()
