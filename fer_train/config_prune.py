"""``fertrain prune``: its options as those of a training that prunes before its first epoch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fer_train.config import TrainConfig
from fer_train.config_file import read_config_file

#: What would contradict the schedule that `pruning_options` makes.
_SCHEDULE = ("epochs", "prune_at", "phases")


def pruning_options(merged: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of all layers, completed by the schedule they describe.

    Raises:
        ValueError: nothing is to be pruned.
    """

    def chosen(name: str) -> Any:
        return merged.get(name, TrainConfig.__dataclass_fields__[name].default)

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
    found = [name.replace("_", "-") for name in read_config_file(file) if name in _SCHEDULE]
    if found:
        raise ValueError(
            f"{file}: {' and '.join(found)} would not do anything, because prune prunes first and "
            "then trains; allowed instead: recovery-epochs, prune-steps and prune-every."
        )
