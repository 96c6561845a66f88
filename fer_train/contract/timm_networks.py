"""timm's networks as ``timm/NAME``: looked up in its registry, never at an address; built, and
where their last Linear is.

timm is an optional library, and loads slowly: it is imported when such a name is used.
"""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING, Any

from fer_train.contract.errors import ArchitectureMismatch, InstallationBroken

if TYPE_CHECKING:
    from torch import nn

#: What stands before timm's names: without it, a name is torchvision's, also where both have it.
PREFIX = "timm/"

#: Outputs of a network that is only looked at; no layer within one has so many.
_PROBE = 3


def is_timm(name: str) -> bool:
    """Tell whether an architecture is named as one of timm's."""
    return name.startswith(PREFIX)


def versions(name: str) -> dict[str, str]:
    """Return the version of timm, by its name, if a network is one of timm's and it is here."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return {"timm": version("timm")} if is_timm(name) else {}
    except PackageNotFoundError:
        return {}


def require_known(name: str) -> str:
    """Return timm's own name of ``timm/NAME`` or ``timm/NAME.TAG``.

    Raises:
        InstallationBroken: timm is not installed.
        ArchitectureMismatch: timm has no network of that name, or no weights of that tag; or it is
            an address, from which timm would download a configuration.
    """
    bare = name.removeprefix(PREFIX)
    if ":" in bare or "/" in bare:
        raise ArchitectureMismatch(
            f"{name!r} is an address, not a name: networks are looked up among those that timm "
            "itself has, and never at a hub or in a folder.",
            hint="Allowed: timm/NAME, for example timm/efficientnet_lite0.",
        )
    timm = _timm()
    networks = timm.list_models()
    if bare in networks:
        return bare
    network, _, tag = bare.partition(".")
    if network not in networks:
        near = [PREFIX + other for other in difflib.get_close_matches(network, networks, n=3)]
        suggestion = f"Did you mean {', '.join(map(repr, near))}? " if near else ""
        raise ArchitectureMismatch(
            f"{name!r} is not a network of timm {timm.__version__}.",
            hint=f"{suggestion}Any of timm.list_models() works whose last layer is linear.",
        )
    tags = weights_tags(network)
    if tag not in tags:
        raise ArchitectureMismatch(
            f"timm's {network} has no weights called {tag!r}.",
            hint=f"Allowed: {PREFIX}{network}"
            + "".join(f", {PREFIX}{network}.{other}" for other in tags),
        )
    return bare


def suggested_for(name: str) -> str:
    """Return a sentence on timm for a name that torchvision lacks; empty if there is none."""
    try:
        known = name.partition(".")[0] in _timm().list_models()
    except InstallationBroken:
        return ""
    return f"timm has it: --arch {PREFIX}{name}. " if known else ""


def weights_tags(name: str) -> list[str]:
    """Return what timm calls its pretrained weights of a network (``a1_in1k``)."""
    names: list[str] = _timm().list_models(f"{_network(name)}.*", pretrained=True)
    return [name.partition(".")[2] for name in names]


def with_weights(name: str, tag: str) -> str | None:
    """Return ``timm/NAME.TAG`` for one of `weights_tags`, ``name`` itself for ``default``; None
    for anything else.

    Raises:
        InstallationBroken, ArchitectureMismatch: see `require_known`.
    """
    require_known(name)
    if tag == "default":
        return name
    return f"{PREFIX}{_network(name)}.{tag}" if tag in weights_tags(name) else None


def _network(name: str) -> str:
    return name.removeprefix(PREFIX).partition(".")[0]


def build(name: str, *, num_classes: int, pretrained: bool = False) -> nn.Module:
    """Build a network of timm with random weights, or with its pretrained ones.

    ``pretrained`` reads timm's cache or downloads, and raises what timm's client raises.

    Raises:
        InstallationBroken, ArchitectureMismatch: see `require_known`.
    """
    bare = require_known(name)
    model: nn.Module = _timm().create_model(bare, pretrained=pretrained, num_classes=num_classes)
    return model


def describe(name: str) -> dict[str, Any]:
    """Return what timm says of a network's weights (its ``pretrained_cfg``): where they lie
    (``hf_hub_id``, ``url``), the shape they were trained at (``input_size``, channels first)."""
    bare = require_known(name)
    config: dict[str, Any] = _timm().models.get_pretrained_cfg(bare).to_dict()
    return config


def usual_side(name: str) -> int:
    """Return the side of the images that timm's weights of a network were trained at."""
    return int(describe(name)["input_size"][-1])


def final_linear(name: str) -> str:
    """Return the dotted path of the Linear whose answer is the network's.

    Raises:
        InstallationBroken, ArchitectureMismatch: see `require_known`; or there is no such Linear.
    """
    import torch
    from torch import nn

    side = usual_side(name)  # imports timm, which a device context may not be around
    with torch.device("meta"):
        model = build(name, num_classes=_PROBE).eval()
    if not hasattr(model, "get_classifier"):
        raise _refused(name, "it is no classifier")
    classifier = model.get_classifier()  # type: ignore[operator]
    inside = classifier.modules() if isinstance(classifier, nn.Module) else ()
    linears = [module for module in inside if isinstance(module, nn.Linear)]
    if not linears:
        raise _refused(name, f"what timm names as its classifier is {_kind(classifier)}")
    found = linears[-1]
    seen: list[tuple[int, object]] = []
    found.register_forward_hook(
        lambda module, inputs, answer: seen.append((inputs[0].dim(), answer))
    )
    try:
        with torch.no_grad():
            answer = model(torch.empty(1, 3, side, side, device="meta"))
    except (RuntimeError, ValueError, TypeError, AssertionError) as error:
        line = str(error).partition("\n")[0]
        raise _refused(name, f"it does not take one {side} px picture ({line})") from error
    # By identity: something after it, or a second head beside it, makes another tensor.
    if len(seen) != 1 or seen[0][0] != 2 or seen[0][1] is not answer:
        raise _refused(name, "its answer is not that of one Linear on one list of features")
    path: str = next(path for path, module in model.named_modules() if module is found)
    return path


def _kind(classifier: object) -> str:
    if isinstance(classifier, (tuple, list)):
        return f"{len(classifier)} layers side by side"
    return f"a {type(classifier).__name__} without a Linear"


def _refused(name: str, reason: str) -> ArchitectureMismatch:
    return ArchitectureMismatch(
        f"{name} cannot be used by name: {reason}.",
        hint="Choose another network, for example timm/efficientnet_lite0. ferconv takes any "
        "network as the TorchScript file that torch.jit.trace makes of it.",
    )


def _timm() -> Any:
    try:
        return importlib.import_module("timm")
    except ImportError as error:
        raise InstallationBroken(
            f"The networks named {PREFIX}NAME need timm, which cannot be imported: {error}.",
            hint="pip install 'fer-toolchain[timm]'",
        ) from error
