"""``--from``, ``prune`` and ``eval``: what is taken over from a trained model, and what differs.

Three things: its recipe and contract; who was held out (an image the model has learned from says
nothing about how good it is, so a split that the tool made is made again from its options, which
the checkpoint remembers); and the zeros of a pruned model that trains on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from fer_train.config.options import OPTIONS, PruneScope, TrainConfig, flag, option_names
from fer_train.config.phase import Phase
from fer_train.contract.architectures import architecture, build_model, is_head_parameter
from fer_train.contract.checkpoint import Checkpoint
from fer_train.contract.errors import LabelMismatch
from fer_train.contract.preprocess import IMAGENET_MEAN, IMAGENET_STD
from fer_train.data.dataset import DataRequest, read_listing
from fer_train.learning.pruning import prunable
from fer_train.run.plan import build_plan

#: The options that decide who is held out; images that are left out are not among them.
_SPLIT = (*option_names(lambda option: option.get("data") == "split"), "exclude")


def inherited_options(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the options that the checkpoint's contract decides.

    Mean and deviation themselves are taken from the contract, whatever the new data's are.
    """
    spec = checkpoint.preprocess
    imagenet = (spec.mean, spec.std) == (IMAGENET_MEAN, IMAGENET_STD)
    return {
        "arch": checkpoint.arch,
        "input_size": spec.input_size,
        "color": spec.color,
        "crop_margin": spec.crop_margin,
        "normalize": "imagenet" if imagenet else "dataset",
    }


def known_labels(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the option that allows the checkpoint's own labels, where it has custom ones."""
    custom = checkpoint.custom_labels
    return {"custom_labels": ",".join(custom)} if custom else {}


def recipe_options(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the options of the earlier run that `prune` inherits: loss, augmentation, batches."""
    inherited = option_names(lambda option: option["prune"] == "inherited")
    return {name: value for name, value in checkpoint.config.items() if name in inherited}


def joined_labels(
    known: tuple[str, ...], found: tuple[str, ...], *, allow_new: bool
) -> tuple[str, ...]:
    """Return the labels of the new model: the checkpoint's in their order, then new ones.

    Raises:
        LabelMismatch: the data have classes the checkpoint lacks, and nobody asked for more.
    """
    new = tuple(label for label in found if label not in known)
    if new and not allow_new:
        raise LabelMismatch(
            f"The data have {', '.join(new)}, which the checkpoint does not know.",
            hint=f"It knows {', '.join(known)}. --new-classes adds outputs for the others; apps "
            "that use the model must expect them.",
        )
    return known + new


def load_inherited(model: nn.Module, checkpoint: Checkpoint) -> None:
    """Load the checkpoint's weights; outputs of new classes keep their random start."""
    arch = architecture(checkpoint.arch)
    fresh = model.state_dict()

    def widened(key: str, value: Tensor) -> Tensor:
        if not is_head_parameter(key, arch) or fresh[key].shape == value.shape:
            return value
        rows: Tensor = fresh[key].clone()
        rows[: len(value)] = value
        return rows

    model.load_state_dict({key: widened(key, value) for key, value in checkpoint.model.items()})


def describe_differences(
    config: TrainConfig, checkpoint: Checkpoint, *, found: tuple[str, ...]
) -> list[str]:
    """Return one line for each thing that is not as in the run that made the checkpoint."""
    lines = []
    absent = [label for label in checkpoint.labels if label not in found]
    if absent:
        lines.append(
            f"no new images of {', '.join(absent)}: these outputs stay, and may be forgotten"
        )
    added = [label for label in found if label not in checkpoint.labels]
    if added:
        lines.append(f"new classes: {', '.join(added)}")
    if checkpoint.temperature != 1.0:
        lines.append(
            f"temperature {checkpoint.temperature:.4g} is left behind: the run fits its own"
        )
    for name, now in config.to_dict().items():
        before = checkpoint.config.get(name, now)
        if "no_news" not in OPTIONS[name] and before != now:
            lines.append(f"{flag(name)} was {_show(before)}, is {_show(now)}")
    zeros = describe_zeros(config, checkpoint)
    return lines if zeros is None else [*lines, zeros]


def _show(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(Phase(**phase).describe() for phase in value) or "not given"
    return "not given" if value is None else str(value)


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
    options = {name: saved[name] for name in _SPLIT if saved.get(name) is not None}
    if "exclude" in options and not Path(options["exclude"]).is_file():
        del options["exclude"]
    reads = option_names(lambda option: option.get("data") == "read")
    reading = {name: given[name] for name in reads if given.get(name) is not None}
    listing, _ = read_listing(Path(data), DataRequest(**reading))
    brought = {sample.split for sample in listing.samples}
    if not brought & {None, "train"}:
        return {}
    return {n: v for n, v in options.items() if OPTIONS[n].get("share_of") not in brought - {None}}


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
        for name in _SPLIT
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


#: A share of zeros that is nobody's pruning, and a difference that rounding explains.
_NEGLIGIBLE = 0.001


class _Layer(NamedTuple):
    name: str
    weights: int
    zeros: int


def require_zeros_kept(config: TrainConfig, checkpoint: Checkpoint) -> None:
    """Refuse a pruning before the first epoch that would hold fewer zeros than there are.

    Masks hold only the share they are made for: the other zeros would be trained like any weight,
    and the sparsity first shown would not last.

    Raises:
        ValueError: zeros of ``checkpoint`` would be lost.
    """
    layers = _layers(checkpoint)
    target = build_plan(config).prunings[0].sparsity
    losing = _losing(layers, target, config.prune_scope)
    if not losing:
        return
    held = f"--prune {config.prune:g} --prune-scope {config.prune_scope}"
    if config.prune_steps > 1:
        held += f" in {config.prune_steps} steps (first {target:.1%})"
    share = _share(layers)
    of_all = share > target + _NEGLIGIBLE
    worst = max(losing, key=lambda layer: layer.zeros / layer.weights)
    where = "" if of_all else f", {worst.zeros / worst.weights:.1%} in {worst.name}"
    raise ValueError(
        f"{config.from_checkpoint} has {share:.1%} zeros already{where}; {held} would hold fewer, "
        f"and the others would be filled again. Allowed: {_keeping(layers, checkpoint)} or more"
        f"{', or fewer --prune-steps' if config.prune_steps > 1 else ''}."
    )


def describe_zeros(config: TrainConfig, checkpoint: Checkpoint) -> str | None:
    """Return a line on what becomes of a checkpoint's zeros, or None if it has none or all stay."""
    layers = _layers(checkpoint)
    share = _share(layers)
    held = config.prune > 0 and config.prune_epoch == 0
    if share < _NEGLIGIBLE or held:
        return None
    everywhere = any(phase.trains == "all" for phase in config.resolved_phases)
    filled = "training fills them" if everywhere else "training fills those of the head"
    again = f", until --prune {config.prune:g} prunes anew after epoch {config.prune_epoch}"
    return (
        f"{share:.1%} of its weights are zero, and {filled}{again if config.prune > 0 else ''}. "
        f"{_keeping(layers, checkpoint)} --prune-at 0 keeps them zero"
    )


def _layers(checkpoint: Checkpoint) -> list[_Layer]:
    # Counted, not read from the record: a run that did not prune records nothing of zeros that its
    # frozen backbone still has.
    names = prunable(
        build_model(checkpoint.arch, num_classes=len(checkpoint.labels), device="meta")
    )
    weights = ((name, checkpoint.model[name]) for name in names)
    return [_Layer(name, w.numel(), int((w == 0).sum())) for name, w in weights]


def _share(layers: Sequence[_Layer]) -> float:
    return sum(layer.zeros for layer in layers) / sum(layer.weights for layer in layers)


def _losing(layers: Sequence[_Layer], target: float, scope: PruneScope) -> list[_Layer]:
    """Return the layers (or the whole, as one) with more zeros than masks of ``target`` hold."""
    if scope == "global":
        whole = _Layer("all layers", sum(x.weights for x in layers), sum(x.zeros for x in layers))
        layers = [whole]
    return [x for x in layers if x.zeros > target * x.weights + max(1, _NEGLIGIBLE * x.weights)]


def _keeping(layers: Sequence[_Layer], checkpoint: Checkpoint) -> str:
    """Return the options whose masks hold every zero."""
    share = float(checkpoint.config.get("prune", 0.0))
    scope: PruneScope = checkpoint.config.get("prune_scope", "layer")
    if _losing(layers, share, scope):
        share, scope = math.ceil(_share(layers) * 1000) / 1000, "global"
    return f"--prune-scope {scope} --prune {share:g}"
