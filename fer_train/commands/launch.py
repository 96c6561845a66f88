"""From a command line to a run: what ``train``, ``prune``, ``eval`` and ``data check`` share."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from fer_train.config.options import DEFAULTS, OPTIONS, TrainConfig
from fer_train.config.recipe import Inherited, build_config
from fer_train.machine.distributed import is_leader, require_shareable

if TYPE_CHECKING:
    from fer_train.progress.reporter import Reporter
    from fer_train.run.resume import ResumePoint

Built = TypeVar("Built")

cache_option = click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="FERTRAIN_CACHE",
    show_envvar=True,
    help="Folder of decoded images [~/.cache/fertrain].",
)


def checked(build: Callable[[], Built]) -> Built:
    """Return what ``build`` makes; a ValueError of it is the user's mistake (exit code 2)."""
    try:
        return build()
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def typed_options(context: click.Context, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of TrainConfig that the user gave on the command line."""
    return {
        name: value
        for name, value in options.items()
        if name in OPTIONS and context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }


def new_config(
    options: Mapping[str, Any],
    typed: Mapping[str, Any],
    *,
    base: Mapping[str, Any] | None = None,
    complete: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
) -> TrainConfig:
    """Return the configuration of a new run. Imports torch only to read the checkpoint of --from.

    Args:
        options: all that the command was given, ``preset`` and ``config`` among them.
        typed: of these `typed_options`.
        base, complete: as in `build_config`.

    Raises:
        NotFound: no such file, or no such checkpoint.
        ValueError: as `build_config`, or zeros of the checkpoint would be lost.
    """
    config = build_config(
        typed,
        preset=options["preset"],
        file=options["config"],
        base=base or {},
        inherited=_inherited,
        complete=complete,
    )
    for name, option in OPTIONS.items():
        if "here" in option and name not in typed and getattr(config, name) == DEFAULTS[name]:
            config = replace(config, **{name: option["here"]()})
    if config.from_checkpoint is not None and config.prune_at == 0:
        from fer_train.contract.checkpoint import read_checkpoint
        from fer_train.run.inherit import require_zeros_kept

        require_zeros_kept(config, read_checkpoint(config.from_checkpoint))
    return config


def _inherited(options: Mapping[str, Any]) -> Inherited:
    from fer_train.contract.checkpoint import read_checkpoint
    from fer_train.contract.terms import inherited_terms
    from fer_train.run.inherit import inherited_options, known_labels, split_options

    checkpoint = read_checkpoint(options["from_checkpoint"])
    proposed = known_labels(checkpoint) | inherited_terms(checkpoint.config)
    splits = split_options(checkpoint, {**proposed, **options})
    return Inherited(inherited_options(checkpoint), proposed | splits)


def run_training(
    context: click.Context,
    config: TrainConfig,
    options: Mapping[str, Any],
    *,
    reporter: Reporter,
    resume: ResumePoint | None = None,
) -> None:
    """Train, print the summary, and exit as a signal demands."""
    checked(lambda: require_shareable(accumulate=config.accumulate, views=config.views))

    from fer_train.data.cache import default_cache_folder
    from fer_train.machine.signals import Stopped, stop_on_signals
    from fer_train.run.train import train

    with stop_on_signals() as stop:
        try:
            summary = train(
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
            click.echo(json.dumps(summary, indent=2, allow_nan=False))
        if summary["stopped"] and is_leader():
            click.echo(f"{summary['stopped']}: saved. Continue with: {summary['resume']}", err=True)
    if summary["stopped"]:
        assert stop.signum is not None
        context.exit(128 + stop.signum)
