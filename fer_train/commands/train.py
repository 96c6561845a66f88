"""``fertrain train``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fer_train.commands.launch import cache_option, checked, new_config, run_training, typed_options
from fer_train.config.click_options import GroupedCommand, config_options
from fer_train.config.options import TrainConfig
from fer_train.config.recipe import PRESETS, preset_values, read_config_file

if TYPE_CHECKING:
    from fer_train.run.resume import ResumePoint


@click.command(cls=GroupedCommand)
@config_options()
@click.option("--preset", type=click.Choice(list(PRESETS)), help="A named recipe to start from.")
@click.option(
    "--config", type=click.Path(path_type=Path), help="TOML file of these options, over the preset."
)
@click.option("--out", type=click.Path(path_type=Path), help="New run folder [runs/<arch>-<time>].")
@click.option(
    "--resume", type=click.Path(path_type=Path), help="Continue a run: folder or last.pt."
)
@cache_option
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
    typed = typed_options(context, options)
    config = checked(lambda: new_config(options, typed)) if options["resume"] is None else None

    from fer_train.progress.reporter import choose_reporter

    reporter = choose_reporter(quiet=options["quiet"])
    resume = None
    if config is None:
        config, resume = _resumed(options, typed)
    run_training(context, config, options, reporter=reporter, resume=resume)


def _resumed(
    options: Mapping[str, Any], typed: Mapping[str, Any]
) -> tuple[TrainConfig, ResumePoint]:
    """Return the saved configuration with what the user gave, and where to continue."""
    if options["out"] is not None:
        raise click.UsageError("--resume continues in the run's own folder: leave out --out.")

    from fer_train.run.resume import ResumePoint, compare, config_from_dict, read_last
    from fer_train.run_folder import find_run

    given: dict[str, Any] = {}
    if options["preset"] is not None:
        given |= checked(lambda: preset_values(options["preset"]))
    if options["config"] is not None:
        given |= checked(lambda: read_config_file(options["config"]))
        given.pop("preset", None)
    given |= typed
    run = find_run(options["resume"])
    checkpoint = read_last(run)
    saved = config_from_dict(checkpoint.config)
    changes = compare(saved, given)
    used = {name: new for name, (_, new) in changes.used.items()}
    config = checked(lambda: replace(saved, **used))
    return config, ResumePoint(run=run, checkpoint=checkpoint, changes=changes)
