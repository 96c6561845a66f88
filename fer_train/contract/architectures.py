"""The six backbones: name -> torchvision builder, head surgery, head/backbone split.

The network is torchvision's own module with its last Linear replaced, so state-dict names stay
torchvision's and any tool can load them. Everything before that Linear's container is the
backbone; the container (with torchvision's dropout, where it has one) is the head.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from fer_train.contract.errors import ArchitectureMismatch

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One backbone family member.

    Attributes:
        name: torchvision's builder name.
        linear: dotted path of the final Linear.
        features: ``(model, x [N,3,H,W]) -> [N, C]``, the backbone's output before the head.
    """

    name: str
    linear: str
    features: Callable[[nn.Module, Tensor], Tensor]

    @property
    def head(self) -> str:
        """Name of the head's module: ``classifier`` or ``fc``."""
        return self.linear.partition(".")[0]


def architecture(name: str) -> Architecture:
    """Return the architecture called ``name``.

    Raises:
        ArchitectureMismatch: not one of the six; the message suggests the nearest.
    """
    try:
        return ARCHITECTURES[name]
    except KeyError:
        near = difflib.get_close_matches(name, ARCHITECTURES, n=1)
        suggestion = f"Did you mean {near[0]!r}? " if near else ""
        raise ArchitectureMismatch(
            f"{name!r} is not an architecture this tool knows.",
            hint=f"{suggestion}Allowed: {', '.join(ARCHITECTURES)}.",
        ) from None


def build_model(name: str, *, num_classes: int, device: str = "cpu") -> nn.Module:
    """Build an architecture with random weights and a head of ``num_classes`` outputs.

    ``device="meta"`` builds the shapes without allocating weights. Drawing the weights uses
    torch's global generator: seed it first.
    """
    import torch
    import torchvision

    chosen = architecture(name)
    with torch.device(device):
        model: nn.Module = torchvision.models.get_model(name, weights=None)
        replace_head(model, chosen, num_classes=num_classes)
    return model


def replace_head(model: nn.Module, chosen: Architecture, *, num_classes: int) -> None:
    """Replace the final Linear in place; the dropout before it, if any, stays."""
    from torch import nn

    old = model.get_submodule(chosen.linear)
    assert isinstance(old, nn.Linear)
    parent, _, leaf = chosen.linear.rpartition(".")
    setattr(model.get_submodule(parent), leaf, nn.Linear(old.in_features, num_classes))


def head_module(model: nn.Module, chosen: Architecture) -> nn.Module:
    """Return the head: maps features ``[N, C]`` to logits ``[N, classes]``."""
    return model.get_submodule(chosen.head)


def is_head_parameter(key: str, chosen: Architecture) -> bool:
    """Tell whether a state-dict key belongs to the head."""
    return key.startswith(f"{chosen.head}.")


def expected_shapes(name: str, *, num_classes: int) -> dict[str, tuple[int, ...]]:
    """Return every state-dict key of an architecture with its shape, without allocating it."""
    state = build_model(name, num_classes=num_classes, device="meta").state_dict()
    return {key: tuple(value.shape) for key, value in state.items()}


def _resnet_features(model: nn.Module, x: Tensor) -> Tensor:
    for stage in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"):
        x = model.get_submodule(stage)(x)
    pooled: Tensor = model.get_submodule("avgpool")(x)
    return pooled.flatten(1)


def _densenet_features(model: nn.Module, x: Tensor) -> Tensor:
    from torch.nn import functional as F

    x = F.relu(model.get_submodule("features")(x))
    return F.adaptive_avg_pool2d(x, (1, 1)).flatten(1)


def _efficientnet_features(model: nn.Module, x: Tensor) -> Tensor:
    x = model.get_submodule("features")(x)
    pooled: Tensor = model.get_submodule("avgpool")(x)
    return pooled.flatten(1)


_SPECS = (
    ("efficientnet_b0", "classifier.1", _efficientnet_features),
    ("resnet101", "fc", _resnet_features),
    ("resnet152", "fc", _resnet_features),
    ("densenet121", "classifier", _densenet_features),
    ("densenet161", "classifier", _densenet_features),
    ("densenet201", "classifier", _densenet_features),
)

ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(
    {
        name: Architecture(name=name, linear=linear, features=features)
        for name, linear, features in _SPECS
    }
)
