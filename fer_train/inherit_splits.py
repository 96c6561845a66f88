"""``--from``, ``prune`` and ``eval`` on the data of the earlier run: who was held out stays so.

An image the model has learned from says nothing about how good it is. A split the tool made is
made again from its options, which the checkpoint remembers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fer_train.config import TrainConfig, flag
from fer_train.contract.checkpoint import Checkpoint
from fer_train.data.layout import DataRequest, read_listing

#: The options that decide who is held out.
SPLIT_OPTIONS = ("val_fraction", "test_fraction", "split_seed", "exclude")
#: Of these, what only makes sense for a data set without that split.
_SHARES = {"val_fraction": "val", "test_fraction": "test"}
#: How the data are read; needed to see which splits they have.
_READING = ("layout", "label_order", "labels_from", "soft_labels")


def split_options(checkpoint: Checkpoint, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that make the checkpoint's split again.

    Nothing if its run made none, or these are other data; nor if they have no training images,
    of which alone splits are made: a new test set in a folder of the same name. Shares of splits
    that the data bring by now and a findings file that is gone are left out.

    Args:
        given: options of the new run so far.

    Raises:
        FerError: the data cannot be read.
    """
    data = given.get("data")
    if data is None or not _made(checkpoint) or not is_same_data(checkpoint, data):
        return {}
    saved = checkpoint.config
    options = {name: saved[name] for name in SPLIT_OPTIONS if saved.get(name) is not None}
    if "exclude" in options and not Path(options["exclude"]).is_file():
        del options["exclude"]
    reading = {name: given[name] for name in _READING if given.get(name) is not None}
    listing, _ = read_listing(Path(data), DataRequest(**reading))
    brought = {sample.split for sample in listing.samples}
    if not brought & {None, "train"}:
        return {}
    return {name: v for name, v in options.items() if _SHARES.get(name) not in brought - {None}}


def is_same_data(checkpoint: Checkpoint, data: str) -> bool:
    """Tell whether ``data`` are what the checkpoint was trained on: its path, or its name.

    By name because data sets are moved and copied to other machines.
    """
    now = Path(data).resolve()
    before = Path(checkpoint.config.get("data", "")).resolve()
    return now == before or now.name in (before.name, checkpoint.data.get("root"))


def describe_split(
    config: TrainConfig, checkpoint: Checkpoint, made: Mapping[str, Any]
) -> tuple[str, str] | None:
    """Return topic and text of a line on who is held out, compared with the checkpoint's run.

    Args:
        made: the new run's record of the splits the tool made.

    Returns:
        None where the tool made no splits, or the data are others.
    """
    before = _made(checkpoint)
    if not (before or made) or not is_same_data(checkpoint, config.data):
        return None
    if before.get("sha256") == made.get("sha256"):
        return "", f"held out are the images its run held out (fingerprint {made['sha256'][:12]})"
    changed = {
        name: (old, new)
        for name in SPLIT_OPTIONS
        if (old := checkpoint.config.get(name)) != (new := getattr(config, name))
    }
    if not changed:
        return "warning", (
            "the images have changed since the checkpoint was trained: a few that it has learned "
            "may be held out now, and figures measured on them are too good"
        )
    listed = "; ".join(
        f"{flag(name)} was {_show(old)}, is {_show(new)}" for name, (old, new) in changed.items()
    )
    given = [flag(name) for name, (_, new) in changed.items() if new is not None]
    advice = f". To hold out the same images again, leave out {', '.join(given)}" if given else ""
    return "warning", (
        f"{listed}: images that the checkpoint has learned may be held out now, and figures "
        f"measured on them are too good{advice}"
    )


def _made(checkpoint: Checkpoint) -> Mapping[str, Any]:
    made: Mapping[str, Any] = checkpoint.data.get("made_splits") or {}
    return made


def _show(value: Any) -> str:
    return "not given" if value is None else str(value)
