"""Find the state dict in a file of weights, whatever it is wrapped in, and say what was taken."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_train.contract.checkpoint import FORMAT
from fer_train.contract.errors import (
    CheckpointCorrupt,
    CheckpointError,
    CheckpointPickled,
    InstallationBroken,
)
from fer_train.contract.file_kind import file_kind
from fer_train.contract.file_words import Reader
from fer_train.contract.torch_file import (
    TorchFile,
    is_pickled_module,
    read_torch,
    unneeded_classes,
)

if TYPE_CHECKING:
    from torch import Tensor

#: Where trainers put a network's weights; of several the first is taken.
_USUAL_KEYS = (
    *("state_dict", "model_state_dict", "model_state", "model_weights", "model"),
    *("net", "network", "net_state_dict", "weights", "params", "module", "backbone"),
)
#: Where they put the running average of the weights, which may be the better ones.
_AVERAGES = ("ema", "average", "swa", "teacher")
_NOT_WEIGHTS = ("optim", "sched", "scaler", "criterion", "loss", "metric")
_DEEPEST = 2

#: A name that only state dicts have; class_weights, beside one, is none.
_NAME = re.compile(r"\.weight(_orig)?$")

#: What wrappers put before every name: parallel and compiled modules, and attributes of modules.
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.", "backbone.", "base_model.")
#: What wrappers and profilers leave among the weights.
_LEFT_BY_TOOLS = ("n_averaged", "total_ops", "total_params")

_MOST_LISTED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFile:
    """The weights in a file.

    Attributes:
        state: state dict, on the CPU, without wrappers' prefixes.
        taken: sentences on what was taken from where, and what was left; empty for a state dict
            that needed nothing.
        own: it is a best.pt or last.pt, for `checkpoint.read_checkpoint`; ``state`` is then empty.
    """

    state: dict[str, Tensor]
    taken: tuple[str, ...] = ()
    own: bool = False


def read_weights(path: Path | str, *, reader: Reader, allow: Collection[str] = ()) -> WeightsFile:
    """Read weights from a file of ``torch.save`` or safetensors.

    Args:
        allow: full names of classes that may be beside the weights (`torch_file.read_torch`).

    Raises:
        NotFound: no such file.
        CheckpointCorrupt: empty, truncated or damaged.
        CheckpointPickled: a pickled network, or classes that were not allowed.
        CheckpointError: of another kind, without weights, or with several networks.
        InstallationBroken: it is safetensors, and that library is missing.
    """
    file = Path(path)
    if file_kind(file) == "safetensors":
        content = TorchFile(record=_read_safetensors(file), unneeded=tuple(allow))
    else:
        content = read_torch(file, reader=reader, allow=allow)
    record = content.record
    if isinstance(record, dict) and record.get("format") == FORMAT:
        said = tuple(unneeded_classes(content.unneeded))
        return WeightsFile(state={}, taken=said, own=True)
    where, found = _choose(file, record)
    state = {str(key): _tensor(value) for key, value in found.items() if _is_array(value)}
    taken = list(_describe_choice(file, record, where, found, state))
    state, stripped = _without_prefixes(state)
    taken += stripped
    if content.allowed:
        taken.append(f"in place of {', '.join(content.allowed)} are empty objects (--allow-class)")
    taken += unneeded_classes(content.unneeded)
    return WeightsFile(state=state, taken=tuple(taken))


def listed(names: Collection[str]) -> str:
    """Return a few names, and how many more there are."""
    shown = list(names)[:_MOST_LISTED]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _read_safetensors(file: Path) -> dict[str, Tensor]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise InstallationBroken(
            f"{file} is a safetensors file, and the library that reads it is not installed.",
            hint="pip install safetensors",
        ) from error
    try:
        return load_file(file, device="cpu")
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise CheckpointCorrupt(
            f"{file} ({file.stat().st_size} bytes) is damaged or truncated: {error}.",
            hint="Copy or download it again.",
        ) from error


def _is_array(value: object) -> bool:
    import numpy as np
    import torch

    if isinstance(value, torch.Tensor):
        return True
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiub"


def _tensor(value: Any) -> Tensor:
    import numpy as np
    import torch

    if isinstance(value, torch.Tensor):
        return value.detach()
    # A copy in this machine's byte order: torch takes no other.
    return torch.from_numpy(np.array(value, dtype=value.dtype.newbyteorder("=")))


def _choose(file: Path, record: object) -> tuple[str, Mapping[Any, Any]]:
    """Return the place, "" at the top, and the content of the one state dict to take."""
    found = dict(_state_dicts(record))
    if not found:
        raise _no_weights(file, record)
    if len(found) == 1 or "" in found:
        return next(iter(found.items()))
    plain = {place: state for place, state in found.items() if not _is_average(place)}
    for key in _USUAL_KEYS:
        for place, state in (plain or found).items():
            if key in place.split("."):
                return place, state
    if len(plain) == 1:
        return next(iter(plain.items()))
    first = next(iter(found))
    raise CheckpointError(
        f"{file} holds the weights of several networks: "
        f"{listed([f'{place} ({len(state)} tensors)' for place, state in found.items()])}.",
        hint=f"Save the one that you mean in Python: {_save_alone(file, first)}.",
    )


def _save_alone(file: Path, place: str) -> str:
    keys = "".join(f"[{key!r}]" for key in place.split("."))
    return (
        f"torch.save(torch.load({str(file)!r}, 'cpu', weights_only=False){keys}, 'chosen.pt') "
        "(it may run code of the file: only if you trust it)"
    )


def _state_dicts(record: object, place: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Every mapping that looks like a network's state dict, with the keys that lead to it."""
    if not isinstance(record, Mapping) or depth > _DEEPEST:
        return
    if any(isinstance(k, str) and _NAME.search(k) and _is_array(v) for k, v in record.items()):
        yield place, record
        return
    for key, value in record.items():
        if isinstance(key, str) and not key.lower().startswith(_NOT_WEIGHTS):
            yield from _state_dicts(value, f"{place}.{key}" if place else key, depth + 1)


def _is_average(place: str) -> bool:
    return any(word in place.lower() for word in _AVERAGES)


def _no_weights(file: Path, record: object) -> CheckpointError:
    if not isinstance(record, Mapping):
        return CheckpointError(
            f"{file} holds no state dict but a {type(record).__name__}.",
            hint="Save the state dict: torch.save(model.state_dict(), 'weights.pt').",
        )
    modules = [str(key) for key, value in record.items() if is_pickled_module(value)]
    if modules:
        return CheckpointPickled(
            f"{file} holds a network that was pickled whole ({', '.join(modules)}), not its "
            "weights.",
            hint="Save plain weights where the class is at hand: "
            "torch.save(model.state_dict(), 'weights.pt').",
        )
    return CheckpointError(
        f"{file} holds no weights: its keys are {listed(sorted(map(str, record))) or 'none'}.",
        hint="Save the state dict: torch.save(model.state_dict(), 'weights.pt').",
    )


def _describe_choice(
    file: Path, record: object, where: str, found: Mapping[Any, Any], state: Mapping[str, Tensor]
) -> Iterator[str]:
    assert isinstance(record, Mapping)
    if where:
        top = where.split(".")[0]
        left = [str(key) for key in record if key != top]
        yield f"weights taken from {where!r} ({len(state)} tensors)" + (
            f"; left: {listed(left)}" if left else ""
        )
        averages = [place for place, _ in _state_dicts(record) if _is_average(place)]
        if not _is_average(where) and averages:
            yield (
                f"averaged weights are there, too: {listed(averages)}. To take them: "
                f"{_save_alone(file, averages[0])}"
            )
    others = [str(key) for key in found if str(key) not in state]
    if others:
        yield f"left, being no tensors: {listed(others)}"


def _without_prefixes(state: dict[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    said = []
    counters = [key for key in state if key.rpartition(".")[2] in _LEFT_BY_TOOLS]
    if counters:
        state = {key: value for key, value in state.items() if key not in counters}
        said.append(f"left, being counters of a tool: {listed(counters)}")
    gone = ""
    while state:
        shared = [prefix for prefix in _PREFIXES if all(key.startswith(prefix) for key in state)]
        if not shared:
            break
        gone += shared[0]
        state = {key.removeprefix(shared[0]): value for key, value in state.items()}
    if gone:
        said.append(f"every name began with {gone!r}, which is left out")
    return state, said
