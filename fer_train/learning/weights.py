"""Starting weights: the library's pretrained ones, a file, or none; never a silent choice."""

from __future__ import annotations

import hashlib
import http.client
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn

from fer_train.contract import timm_networks
from fer_train.contract.architectures import Architecture, is_head_parameter
from fer_train.contract.checkpoint import read_checkpoint, validate_weights
from fer_train.contract.errors import ArchitectureMismatch, CheckpointCorrupt, NotFound
from fer_train.contract.files import sha256_file, write_bytes
from fer_train.contract.torch_file import parse_classes
from fer_train.contract.weights_file import read_weights
from fer_train.contract.weights_names import reconcile, without_head
from fer_train.learning.timm_weights import fetch_timm

_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class StartingWeights:
    """A file of weights that fits an architecture.

    Attributes:
        name: of the file.
        state: state dict; of a file that is not our own, without the head.
        labels: what the outputs mean, in one of our own checkpoints; None in any other file.
    """

    name: str
    state: Mapping[str, Tensor]
    labels: tuple[str, ...] | None


def read_starting_weights(
    arch: Architecture,
    *,
    source: str,
    say: Callable[[str], None],
    allow_class: str | None = None,
) -> StartingWeights | None:
    """Read and check weights; None for ``none``. Needs neither network nor data.

    Args:
        source: ``default``, ``none``, the name of one of the library's, or a file.
        say: is told about a download, and what was taken from the file and what was left.
        allow_class: of `torch_file.parse_classes`: classes that may be beside the weights.

    Raises:
        NotFound: no such file or name, or weights that are neither cached nor reachable.
        CheckpointError: damaged, pickled, of another kind, another architecture, NaN.
        InstallationBroken: it is safetensors, and that library is missing.
    """
    if source == "none":
        return None
    if timm_networks.is_timm(arch.name):
        published = timm_networks.with_weights(arch.name, source)
        if published is not None:
            return _timm_weights(arch, published, say)
    path = _weights_file(arch.name, source, say)
    weights = read_weights(path, reader="weights", allow=parse_classes(allow_class))
    for sentence in weights.taken:
        say(f"{path.name}: {sentence}")
    if weights.own:
        return _own_weights(path, arch)
    backbone = without_head(reconcile(weights.state, arch), arch)
    validate_weights(backbone.state, arch=arch.name, num_classes=None, source=path)
    for sentence in backbone.said:
        say(f"{path.name}: {sentence}")
    return StartingWeights(name=path.name, state=backbone.state, labels=None)


def load_starting_weights(
    model: nn.Module,
    arch: Architecture,
    *,
    weights: StartingWeights | None,
    labels: tuple[str, ...],
    say: Callable[[str], None],
) -> None:
    """Load weights into ``model``, in place, and tell ``say`` which.

    The head is kept only from one of our own checkpoints with the same labels.
    """
    if weights is None:
        say("none: random initial weights")
        return
    state, keeps_head = weights.state, weights.labels == labels
    if not keeps_head:
        state = {key: v for key, v in state.items() if not is_head_parameter(key, arch)}
    model.load_state_dict({**model.state_dict(), **state})
    say(f"{weights.name}: backbone {'and head' if keeps_head else 'only, head starts random'}")


def _published(name: str) -> list[str]:
    if timm_networks.is_timm(name):
        return timm_networks.weights_tags(name)
    return list(torchvision.models.get_model_weights(name).__members__)


def _weights_file(name: str, source: str, say: Callable[[str], None]) -> Path:
    if source == "default":
        return fetch_pretrained(name, say=say)
    known = _published(name)
    if source in known:
        return fetch_pretrained(name, version=source, say=say)
    path = Path(source)
    if not path.exists():
        names = ", ".join(["default", "none", *known])
        raise NotFound(
            f"--weights {source} is neither a file nor a name of {name}'s weights.",
            hint=f"Allowed: {names}, or a file.",
        )
    return path


def _timm_weights(arch: Architecture, name: str, say: Callable[[str], None]) -> StartingWeights:
    state = fetch_timm(name, say=say)
    backbone = {key: value for key, value in state.items() if not is_head_parameter(key, arch)}
    validate_weights(backbone, arch=arch.name, num_classes=None, source=name)
    return StartingWeights(name=name, state=backbone, labels=None)


def fetch_pretrained(name: str, *, version: str = "DEFAULT", say: Callable[[str], None]) -> Path:
    """Return torchvision's weights of an architecture, downloading them once.

    The file lies where torchvision keeps it (``$TORCH_HOME/hub/checkpoints``). torch checks the
    hash in a file's name only while downloading; here a cached file is checked too.

    Raises:
        NotFound: not cached, and the download failed.
        CheckpointCorrupt: the file does not have the hash in its name.
    """
    url: str = torchvision.models.get_model_weights(name)[version].url
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    prefix = path.stem.rpartition("-")[2]
    if path.is_file():
        if not sha256_file(path).startswith(prefix):
            raise CheckpointCorrupt(
                f"{path} does not have the SHA-256 prefix {prefix} its name promises.",
                hint="Delete the file and run the command again.",
            )
        return path
    say(f"downloading {url}")
    try:
        # In memory (240 MB at most): a network error is then no file error.
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response:
            content: bytes = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise NotFound(
            f"The pretrained weights of {name} are not on this machine and cannot be downloaded: "
            f"{getattr(error, 'reason', error)}.",
            hint=f"Get {url}\n  and put it at {path}\n  (SHA-256 starts with {prefix}); "
            "or use --weights FILE for weights you have, or --weights none to start from random.",
        ) from error
    if not hashlib.sha256(content).hexdigest().startswith(prefix):
        raise CheckpointCorrupt(
            f"{url} did not deliver the file its name promises (SHA-256 prefix {prefix}).",
            hint="Something between here and there changed it; nothing was saved.",
        )
    write_bytes(path, content)
    return path


def _own_weights(path: Path, arch: Architecture) -> StartingWeights:
    checkpoint = read_checkpoint(path)
    if checkpoint.arch != arch.name:
        raise ArchitectureMismatch(
            f"{path} is a {checkpoint.arch}, not a {arch.name}.",
            hint=f"Use --arch {checkpoint.arch}, or other weights.",
        )
    return StartingWeights(name=path.name, state=checkpoint.model, labels=checkpoint.labels)
