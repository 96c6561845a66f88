"""Give foreign weights the names that an architecture has, and say what was changed or left."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from fer_train.contract.architectures import (
    AUXILIARY_PREFIXES,
    Architecture,
    expected_shapes,
    is_head_parameter,
)
from fer_train.contract.weights_file import listed

if TYPE_CHECKING:
    from torch import Tensor

#: torchvision's DenseNet files predate the names of its modules: norm.1 there is norm1 here.
_OLD_DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..*)$")

#: What training saves beside the network: the loss's class weights, counters of metrics.
_OF_TRAINING = re.compile(r"^(criterion|loss|metric|[a-z]*_(loss|acc|accuracy|metrics?)\b)")


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedWeights:
    """Weights under an architecture's names, as far as they have any.

    Attributes:
        state: what has no name there keeps its own.
        said: sentences on what was renamed, filled in and left.
    """

    state: dict[str, Tensor]
    said: tuple[str, ...]


def reconcile(state: Mapping[str, Tensor], arch: Architecture) -> NamedWeights:
    """Rename what is known to have had other names, and leave out what is known not to matter.

    What then is missing, too much or of another shape is for `checkpoint.validate_weights`.
    """
    renamed = partial(_head_renamed, linear=arch.linear)
    steps = (_modern_densenet, _inside, _without_extras, renamed, _counters_filled)
    return _named(state, expected_shapes(arch.name, num_classes=1), steps)


def reconcile_with(state: Mapping[str, Tensor], expected: Shapes) -> NamedWeights:
    """Do what `reconcile` does for a network of somebody's own.

    Args:
        expected: the shapes of its weights by their names, at least one.
    """
    return _named(state, expected, (_outside, _inside, _without_extras, _counters_filled))


def without_head(weights: NamedWeights, arch: Architecture) -> NamedWeights:
    """Leave out the head, or what seems to be one: all that no part of the backbone is named like.

    Neither the rest of a larger network of the same family nor another network is taken for a head.
    """
    expected = expected_shapes(arch.name, num_classes=1)
    backbone = [key for key in expected if not is_head_parameter(key, arch)]
    roots = {key.split(".")[0] for key in backbone}
    complete = weights.state.keys() >= set(backbone)
    head = [
        key
        for key in weights.state
        if is_head_parameter(key, arch)
        or (complete and key not in expected and key.split(".")[0] not in roots)
    ]
    kept = {key: value for key, value in weights.state.items() if key not in head}
    sentences = [f"the head is left: {listed([_shaped(k, weights.state) for k in head])}"]
    return NamedWeights(state=kept, said=(*weights.said, *(sentences if head else [])))


def _shaped(key: str, state: Mapping[str, Tensor]) -> str:
    return f"{key} {list(state[key].shape)}"


Step = tuple[dict[str, "Tensor"], list[str]]
Shapes = Mapping[str, tuple[int, ...]]


def _named(
    state: Mapping[str, Tensor],
    expected: Shapes,
    steps: Iterable[Callable[[dict[str, Tensor], Shapes], Step]],
) -> NamedWeights:
    named, said = dict(state), list[str]()
    for step in steps:
        named, sentence = step(named, expected)
        said += sentence
    return NamedWeights(state=named, said=tuple(said))


def _modern_densenet(state: dict[str, Tensor], expected: Shapes) -> Step:
    renamed = {_OLD_DENSENET.sub(r"\1\2", key): value for key, value in state.items()}
    changed = sum(key not in renamed for key in state)
    return renamed, [f"{changed} old names of DenseNet brought up to date"] if changed else []


def _outside(state: dict[str, Tensor], expected: Shapes) -> Step:
    """Put a prefix back that the reader took for a wrapper's, and is a name in the network."""
    anchor = next(iter(expected))
    if anchor in state:
        return state, []
    parts = anchor.split(".")
    for prefix in (".".join(parts[:count]) + "." for count in range(1, len(parts))):
        if anchor.removeprefix(prefix) in state:
            longer = {prefix + key: value for key, value in state.items()}
            return longer, [f"{prefix!r} is part of the network's own names, and was put back"]
    return state, []


def _inside(state: dict[str, Tensor], expected: Shapes) -> Step:
    """Find the network inside a larger module: by where its first weight is."""
    anchor = next(iter(expected))
    if anchor in state:
        return state, []
    places = [key.removesuffix(anchor) for key in state if key.endswith(f".{anchor}")]
    if len(places) != 1:
        return state, []
    place = places[0]
    inside = {key.removeprefix(place): v for key, v in state.items() if key.startswith(place)}
    others = {key: value for key, value in state.items() if not key.startswith(place)}
    if inside.keys() & others.keys():
        return state, []
    return inside | others, [f"the network is what is under {place!r}"]


def _without_extras(state: dict[str, Tensor], expected: Shapes) -> Step:
    said = []
    auxiliary = [k for k in state if k not in expected and k.startswith(AUXILIARY_PREFIXES)]
    if auxiliary:
        said.append(f"auxiliary heads are left: {listed(auxiliary)}")
    training = [k for k in state if k not in expected and _OF_TRAINING.match(k)]
    if training:
        said.append(f"what belongs to the loss and the metrics is left: {listed(training)}")
    left = {*auxiliary, *training}
    return {key: value for key, value in state.items() if key not in left}, said


def _head_renamed(state: dict[str, Tensor], expected: Shapes, *, linear: str) -> Step:
    """Name a head of one Linear as the architecture does: in a Sequential, or beside the backbone.

    Two Linears are another function. What has no weights leaves no trace in a file: that is said.
    """
    weight, bias = f"{linear}.weight", f"{linear}.bias"
    extras = [key for key in state if key not in expected]
    found = [key for key in extras if key.endswith(".weight")]
    if weight in state or len(found) != 1:
        return state, []
    old = found[0].removesuffix("weight")
    if set(extras) != {f"{old}weight", f"{old}bias"}:
        return state, []
    if state[found[0]].dim() != 2 or state[found[0]].shape[1] != expected[weight][1]:
        return state, []
    names = {f"{old}weight": weight, f"{old}bias": bias}
    renamed = {names.get(key, key): value for key, value in state.items()}
    return renamed, [
        f"the head {old.rstrip('.')!r} is taken as {linear!r}; Dropout beside it changes no "
        "answer, and an activation beside it would be missing"
    ]


def _counters_filled(state: dict[str, Tensor], expected: Shapes) -> Step:
    """Add BatchNorm's counter, which evaluation does not use; PyTorch before 0.4.1 had none."""
    import torch

    missing = [
        key
        for key in expected
        if key.endswith(".num_batches_tracked")
        and key not in state
        and key.removesuffix("num_batches_tracked") + "running_var" in state
    ]
    filled = state | {key: torch.tensor(0) for key in missing}
    return filled, [f"{len(missing)} counters of BatchNorm filled in"] if missing else []
