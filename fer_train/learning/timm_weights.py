"""timm's pretrained weights, through timm's own client and cache."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from torch import Tensor

from fer_train.contract import timm_networks
from fer_train.contract.errors import NotFound
from fer_train.contract.preprocess import IMAGENET_MEAN, IMAGENET_STD

_TIMEOUT_S = 30


def fetch_timm(name: str, *, say: Callable[[str], None]) -> dict[str, Tensor]:
    """Return a network's pretrained weights, under the names of its modules, with a random head.

    ``say`` is told where they come from, and if they were trained on other pixels than ours.

    timm keeps the files where its client does (``$HF_HOME``, ``$TORCH_HOME``), and checks them.

    Raises:
        NotFound: timm has none, or they are neither on this machine nor reachable.
        ArchitectureMismatch, InstallationBroken: see `timm_networks.require_known`.
    """
    described = timm_networks.describe(name)
    if not described.get("hf_hub_id") and not described.get("url"):
        raise NotFound(
            f"timm has no pretrained weights of {name}.",
            hint="Use --weights FILE for weights you have, or --weights none to start from random.",
        )
    say(f"{name}: timm's own, from its cache or downloaded")
    try:
        _require_reachable(described)
        model = timm_networks.build(name, num_classes=1, pretrained=True)
    except Exception as error:  # timm's client, and those below it, have errors of their own
        lines = str(getattr(error, "reason", error)).strip().splitlines()
        raise NotFound(
            f"The pretrained weights of {name} are not on this machine and cannot be downloaded: "
            f"{lines[0] if lines else type(error).__name__}.",
            hint=f"Get {_where(described)}\n  and give that file as --weights FILE; or use "
            "--weights none to start from random.",
        ) from error
    if (described["mean"], described["std"]) != (IMAGENET_MEAN, IMAGENET_STD):
        say(
            f"{name}: trained on pixels of mean {described['mean']} and std {described['std']}, "
            "which --normalize does not have: let all layers learn (--finetune all)"
        )
    return dict(model.state_dict())


def _where(described: dict[str, Any]) -> str:
    if described.get("hf_hub_id"):
        return f"{_file(described)} of {described['hf_hub_id']} from the hub"
    return str(described["url"])


def _file(described: dict[str, Any]) -> str:
    return described.get("hf_hub_filename") or "model.safetensors"


def _require_reachable(described: dict[str, Any]) -> None:
    """Raise at once what the hub's client would only after a minute of trying again."""
    from huggingface_hub import constants, hf_hub_url, try_to_load_from_cache

    repository = described.get("hf_hub_id")
    if not repository or constants.HF_HUB_OFFLINE:
        return  # nothing is tried again
    file = _file(described)
    if isinstance(try_to_load_from_cache(repository, file), str):
        return
    request = urllib.request.Request(hf_hub_url(repository, file), method="HEAD")
    with suppress(urllib.error.HTTPError):  # reached; the client knows other names, and passwords
        urllib.request.urlopen(request, timeout=_TIMEOUT_S).close()
