"""Any classification network of torchvision or timm by name: builder, head surgery, head/backbone
split.

``NAME`` is torchvision's and ``timm/NAME`` timm's, also where both have it. The network is the
library's own module with its last Linear replaced, so state-dict names stay the library's and any
tool can load them. The head is that Linear with the dropout right before it; everything else is the
backbone, hidden layers of a classifier (VGG, MobileNetV3) included: they carry pretrained weights
worth keeping.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fer_train.contract import timm_networks
from fer_train.contract.errors import ArchitectureMismatch

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One classification network.

    Attributes:
        name: torchvision's builder name, or ``timm/`` and timm's name.
        linear: dotted path of the final Linear.
        dropout: dotted path of the dropout right before it, if there is one. timm's networks drop
            nothing unless they are told to, and have none here.
    """

    name: str
    linear: str
    dropout: str | None = None


#: The documented choices, known without importing torch.
ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(
    {
        chosen.name: chosen
        for chosen in (
            Architecture(name="efficientnet_b0", linear="classifier.1", dropout="classifier.0"),
            Architecture(name="resnet101", linear="fc"),
            Architecture(name="resnet152", linear="fc"),
            Architecture(name="densenet121", linear="classifier"),
            Architecture(name="densenet161", linear="classifier"),
            Architecture(name="densenet201", linear="classifier"),
        )
    }
)

#: The side most of torchvision's weights were trained at.
_USUAL_SIDE = 224

#: Auxiliary classifiers help only in training from scratch and would be converted for nothing.
#: ``transform_input`` is part of the pretrained networks and so of ours.
_INCEPTION = {"aux_logits": False, "transform_input": True, "init_weights": False}
_BUILD_OPTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"googlenet": _INCEPTION, "inception_v3": _INCEPTION}
)
#: Names of the weights that go with them, dropped from pretrained files.
AUXILIARY_PREFIXES = ("aux1.", "aux2.", "AuxLogits.")


def architecture(name: str) -> Architecture:
    """Return the architecture called ``name``.

    Raises:
        ArchitectureMismatch: the library has no such classification network (the message suggests
            near names), or it has no final Linear (SqueezeNet). Or it is no name but an address,
            or a function of somebody's code.
        InstallationBroken: it is timm's, and timm is not installed.
    """
    return ARCHITECTURES[name] if name in ARCHITECTURES else _inspect(name)


def build_model(name: str, *, num_classes: int, device: str = "cpu") -> nn.Module:
    """Build an architecture with random weights and a head of ``num_classes`` outputs.

    ``device="meta"`` builds the shapes without allocating weights. Drawing the weights uses
    torch's global generator: seed it first.
    """
    import torch
    import torchvision  # noqa: F401  (its first import fails inside a device context)

    chosen = architecture(name)
    with torch.device(_buildable_on(name, device)):
        if timm_networks.is_timm(name):
            return timm_networks.build(name, num_classes=num_classes)
        model = _torchvision_model(name)
        replace_head(model, chosen, num_classes=num_classes)
    return model


def build_for_weights(name: str, *, num_classes: int) -> nn.Module:
    """Build an architecture whose weights will all be assigned (``load_state_dict(assign=True)``).

    Where the state dict has all that the network computes with, none are drawn: for resnet152 that
    would cost seconds for nothing. timm's networks keep tables beside it.
    """
    device = "cpu" if timm_networks.is_timm(name) else "meta"
    return build_model(name, num_classes=num_classes, device=device)


def replace_head(model: nn.Module, chosen: Architecture, *, num_classes: int) -> None:
    """Replace the final Linear in place; the dropout before it, if any, stays."""
    from torch import nn

    old = model.get_submodule(chosen.linear)
    assert isinstance(old, nn.Linear)
    parent, _, leaf = chosen.linear.rpartition(".")
    new = nn.Linear(old.in_features, num_classes, bias=old.bias is not None)
    setattr(model.get_submodule(parent), leaf, new)


def head_layers(model: nn.Module, chosen: Architecture) -> nn.Sequential:
    """Return the head, sharing the model's layers: maps features ``[N, C]`` to logits ``[N, K]``.

    A fresh container around the model's own modules: its mode and gradients are theirs.
    """
    from torch import nn

    paths = [chosen.linear] if chosen.dropout is None else [chosen.dropout, chosen.linear]
    return nn.Sequential(*(model.get_submodule(path) for path in paths))


def features(model: nn.Module, chosen: Architecture, x: Tensor) -> Tensor:
    """Return what the head receives, ``[N, C]``, for normalised images ``[N, 3, S, S]``.

    The model runs as a whole and what enters the final Linear is caught on the way: right for
    every family, and one small product slower than knowing each by heart. The dropout before the
    Linear must be in evaluation mode, as a frozen backbone's is.
    """
    caught: list[Tensor] = []
    linear = model.get_submodule(chosen.linear)
    hook = linear.register_forward_pre_hook(lambda module, inputs: caught.append(inputs[0]))
    try:
        model(x)
    finally:
        hook.remove()
    return caught[0]


def is_head_parameter(key: str, chosen: Architecture) -> bool:
    """Tell whether a state-dict key belongs to the head."""
    return key.startswith(f"{chosen.linear}.")


def expected_shapes(name: str, *, num_classes: int) -> dict[str, tuple[int, ...]]:
    """Return every state-dict key of an architecture with its shape, without allocating it."""
    state = expected_state(name, num_classes=num_classes)
    return {key: tuple(value.shape) for key, value in state.items()}


def expected_state(name: str, *, num_classes: int) -> dict[str, Tensor]:
    """Return an architecture's state dict of shapes and types alone, on torch's meta device."""
    return dict(build_model(name, num_classes=num_classes, device="meta").state_dict())


def require_input_size(name: str, size: int) -> None:
    """Try the network on the shape of one image, without computing anything.

    Raises:
        ArchitectureMismatch: it does not accept ``size`` x ``size`` images (vision transformers
            take exactly 224, Inception at least 75).
    """
    import torch

    device = _buildable_on(name, "meta")
    model = build_model(name, num_classes=2, device=device).eval()
    try:
        with torch.no_grad():
            model(torch.empty(1, 3, size, size, device=device))
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        usual = timm_networks.usual_side(name) if timm_networks.is_timm(name) else _USUAL_SIDE
        raise ArchitectureMismatch(
            f"{name} does not accept images of {size} px: {reason}",
            hint=f"Try --input-size {usual}, the size that its published weights were trained at.",
        ) from error


@cache
def _inspect(name: str) -> Architecture:
    if timm_networks.is_timm(name):
        return Architecture(name=name, linear=timm_networks.final_linear(name))
    if ":" in name:
        raise ArchitectureMismatch(
            f"{name!r} is no name of a network.",
            hint="A function of your own that builds one, package.module:function, is for ferconv "
            "build --arch with bare weights; a checkpoint cannot name one. Networks at a hub are "
            "not fetched.",
        )
    return _inspect_torchvision(name)


def _inspect_torchvision(name: str) -> Architecture:
    import torch
    import torchvision
    from torch import nn

    known = torchvision.models.list_models(module=torchvision.models)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        suggestion = f"Did you mean {', '.join(map(repr, near))}? " if near else ""
        raise ArchitectureMismatch(
            f"{name!r} is not a classification network of torchvision.",
            hint=f"{timm_networks.suggested_for(name)}{suggestion}Documented: "
            f"{', '.join(ARCHITECTURES)}; any of "
            "torchvision.models.list_models(module=torchvision.models) works, and timm's networks "
            "as timm/NAME.",
        )
    with torch.device(_buildable_on(name, "meta")):
        model = _torchvision_model(name)
    named = list(model.named_modules())
    linears = [path for path, m in named if isinstance(m, nn.Linear) and m.out_features == 1000]
    if not linears:
        raise ArchitectureMismatch(
            f"{name} has no final Linear: it classifies with a convolution.",
            hint=f"Choose another network, for example {', '.join(ARCHITECTURES)}.",
        )
    linear = linears[-1]
    before = _module_before(model, linear)
    dropout = before if isinstance(model.get_submodule(before or ""), nn.Dropout) else None
    return Architecture(name=name, linear=linear, dropout=dropout)


def _module_before(model: nn.Module, linear: str) -> str | None:
    """Return the path of the layer before ``linear`` in its Sequential, if it is in one."""
    from torch import nn

    parent, _, leaf = linear.rpartition(".")
    if not isinstance(model.get_submodule(parent), nn.Sequential) or leaf in ("", "0"):
        return None
    return f"{parent}.{int(leaf) - 1}" if leaf.isdigit() else None


def _torchvision_model(name: str) -> nn.Module:
    import torchvision

    options = _BUILD_OPTIONS.get(name, {})
    model: nn.Module = torchvision.models.get_model(name, weights=None, **options)
    return model


def _buildable_on(name: str, device: str) -> str:
    # RegNet's constructor computes its widths with tensors, which the meta device cannot.
    return "cpu" if device == "meta" and name.startswith("regnet") else device
