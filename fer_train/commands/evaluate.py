"""``fertrain eval``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from fer_train.commands.launch import cache_option, checked, typed_options
from fer_train.config.click_options import GroupedCommand, config_options
from fer_train.config.options import OPTIONS, TrainConfig, option_names, require_held_out
from fer_train.config.phase import require

#: Options of `train` that `eval` has too, beside --data.
_SHARED = option_names(lambda option: "eval" in option)


@click.command("eval", cls=GroupedCommand)
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help=OPTIONS["data"]["help"],
)
@click.option(
    "--split",
    type=click.Choice(["train", "val", "test"]),
    help="[test, else val, else the only one]",
)
@config_options(_SHARED)
@click.option("--batch-size", default=64, show_default=True, help="Images at a time.")
@cache_option
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
    given = {name: options[name] for name in ("data", *_SHARED)}
    checked(lambda: require_held_out(given["val_fraction"], given["test_fraction"]))
    batch_size = options["batch_size"]
    checked(lambda: require(batch_size >= 1, "--batch-size", batch_size, "1 or more"))

    from fer_train.contract.checkpoint import read_checkpoint
    from fer_train.data.cache import default_cache_folder
    from fer_train.progress.reporter import choose_reporter
    from fer_train.run import evaluation
    from fer_train.run.inherit import known_labels, split_options

    typed = {
        name: value for name, value in typed_options(context, options).items() if name in given
    }
    known = read_checkpoint(checkpoint)
    given |= known_labels(known) | typed
    chosen = given | split_options(known, given) | typed | {"arch": known.arch}
    config = checked(lambda: TrainConfig(**chosen))
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
        click.echo(json.dumps(result, indent=2, allow_nan=False))
    else:
        click.echo(evaluation.as_text(result))
