"""``fertrain prune``: a training that prunes before its first epoch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from fer_train.commands.launch import cache_option, checked, new_config, run_training, typed_options
from fer_train.config.click_options import GroupedCommand, config_options
from fer_train.config.options import DEFAULTS, option_names
from fer_train.config.recipe import read_config_file


@click.command(cls=GroupedCommand)
@click.argument("checkpoint", type=click.Path(path_type=Path))
@config_options(option_names(lambda option: option["prune"] in ("given", "inherited")))
@click.option("--config", type=click.Path(path_type=Path), help="TOML file of these options.")
@click.option("--out", type=click.Path(path_type=Path), help="New run folder [runs/<arch>-<time>].")
@cache_option
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
        checked(lambda: refuse_schedule(options["config"]))

    from fer_train.contract.checkpoint import read_checkpoint
    from fer_train.progress.reporter import choose_reporter
    from fer_train.run.inherit import recipe_options

    typed = {**typed_options(context, options), "from_checkpoint": str(checkpoint)}
    recipe = recipe_options(read_checkpoint(checkpoint))
    given = {**options, "preset": None}
    config = checked(lambda: new_config(given, typed, base=recipe, complete=pruning_options))
    run_training(context, config, options, reporter=choose_reporter(quiet=options["quiet"]))


def pruning_options(merged: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of all layers, completed by the schedule they describe.

    Raises:
        ValueError: nothing is to be pruned.
    """

    def chosen(name: str) -> Any:
        return merged.get(name, DEFAULTS[name])

    if chosen("prune") == 0:
        raise ValueError("--prune is 0; allowed: above 0, the share of weights to zero.")
    between = (chosen("prune_steps") - 1) * chosen("prune_every")
    finetune = chosen("finetune")
    return {
        **merged,
        "prune_at": 0,
        # Never negative: the option that makes it so is refused by its own name.
        "epochs": max(0, chosen("recovery_epochs") + between),
        # The zeros are in all layers, so all have to recover.
        "finetune": "all" if finetune == "auto" else finetune,
    }


def refuse_schedule(file: Path) -> None:
    """Refuse a configuration file that says when to prune, which a pruning command decides.

    Raises:
        NotFound: no such file.
        ValueError: such a key, or anything else wrong with the file.
    """
    ours = option_names(lambda option: option["prune"] == "schedule")
    found = [name.replace("_", "-") for name in read_config_file(file) if name in ours]
    if found:
        raise ValueError(
            f"{file}: {' and '.join(found)} would not do anything, because prune prunes first and "
            "then trains; allowed instead: recovery-epochs, prune-steps and prune-every."
        )
