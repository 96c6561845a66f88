"""``--from best.pt``: what a new training takes over from a trained model, and what differs."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from fer_train.config import TrainConfig, flag
from fer_train.config_phase import Phase
from fer_train.contract.architectures import architecture, is_head_parameter
from fer_train.contract.checkpoint import Checkpoint
from fer_train.contract.errors import LabelMismatch
from fer_train.contract.preprocess import IMAGENET_MEAN, IMAGENET_STD
from fer_train.inherit_splits import SPLIT_OPTIONS
from fer_train.inherit_zeros import describe_zeros

#: Options whose difference to the earlier run is no news.
_NOT_RECIPE = frozenset(
    {"data", "arch", "weights", "from_checkpoint", "new_classes", "device", "precision", "workers"}
    # Which epochs were pruned is the course of that run, not its recipe.
    | {"seed", "label_order", "prune_at"}
    # `inherit_splits` has more to say about these.
    | set(SPLIT_OPTIONS)
)


_LEARNING = frozenset(
    {"batch_size", "accumulate", "weight_decay", "clip_norm", "batchnorm", "ema", "select"}
    | {"class_weights", "effective_beta", "logit_adjustment", "label_smoothing"}
    | {"augment", "crop_area_min", "crop_ratio_max", "rotation", "translation", "flip"}
    | {"brightness", "contrast", "saturation"}
)


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


def recipe_options(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the options that decide loss, augmentation and batches in the earlier run."""
    return {k: v for k, v in checkpoint.config.items() if k in _LEARNING}


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
        if name not in _NOT_RECIPE and before != now:
            lines.append(f"{flag(name)} was {_show(before)}, is {_show(now)}")
    zeros = describe_zeros(config, checkpoint)
    return lines if zeros is None else [*lines, zeros]


def _show(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(Phase(**phase).describe() for phase in value) or "not given"
    return "not given" if value is None else str(value)
