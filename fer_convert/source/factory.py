"""Build a network with a Python function of the user's, ``package.module:function``, and load plain
weights into it.

It runs code, so it is named on the command line alone: a checkpoint's architecture is only ever a
name (`fer_train.contract.architectures`).
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fer_convert.source.form import find_form
from fer_convert.source.given import Given, assumptions, require_words
from fer_convert.source.model import Source, make_source
from fer_convert.source.outputs import outputs_of
from fer_convert.source.scores import adapt
from fer_convert.source.tracing import trace_in_form
from fer_train.contract.checkpoint import require_fit
from fer_train.contract.errors import ArchitectureMismatch, ConversionFailed
from fer_train.contract.weights_file import WeightsFile, listed
from fer_train.contract.weights_names import reconcile_with

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

_FACTORY = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")

#: Largest difference between a network and its trace, as a share of the largest answer.
_SLACK = 1e-4


def is_factory(name: str) -> bool:
    """Tell whether ``--arch`` is ``package.module:function``."""
    return _FACTORY.fullmatch(name) is not None


def from_factory(file: Path, weights: WeightsFile, given: Given) -> Source:
    """Build the network with the user's function, load the weights, and trace it.

    Raises:
        ArchitectureMismatch: the function cannot be imported, fails or returns no network; or the
            weights are not those of what it returns.
        ConversionFailed: the network cannot be traced, or its trace answers otherwise.
        CheckpointError, NonFiniteWeights, LabelMismatch: something is not given, or `require_fit`
            or `adapt` refuses it.
    """
    labels, spec = require_words(file, given, kind="a bare state dict")
    assert given.arch is not None
    with _current_folder_importable():
        network = _built(given.arch, num_classes=len(labels))
        said = _load(file, weights, network, given.arch)
        form = find_form(file, network, spec=spec)
        program = trace_in_form(file, network, form=form, spec=spec)
        adapted = adapt(
            program, spec=spec, labels=labels, output=given.output, file=file, form=form
        )
        _require_same(given.arch, network, program, form.shape(spec.input_size))
    return make_source(
        file,
        kind="state dict",
        architecture=given.arch,
        labels=labels,
        spec=spec,
        network=adapted.network.eval(),
        notes=(
            *(f"{file}: {sentence}." for sentence in (*weights.taken, *said)),
            *assumptions(given),
            *adapted.notes,
        ),
    )


@contextmanager
def _current_folder_importable() -> Iterator[None]:
    """As ``python -m`` has it: also while the network runs, which may import late."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)


def _built(arch: str, *, num_classes: int) -> nn.Module:
    import torch
    from torch import nn

    build = _function(arch)
    try:
        takes_classes = _takes(build, "num_classes")
        network = build(num_classes=num_classes) if takes_classes else build()
    except (Exception, SystemExit) as error:
        raise _their_fault(arch, "raises", error) from error
    if not isinstance(network, nn.Module):
        raise ArchitectureMismatch(
            f"--arch {arch} returns {_described(network)}, not a network.",
            hint="It must return a torch.nn.Module, whose weights are then loaded from the file.",
        )
    lazy = [k for k, v in network.state_dict().items() if torch.nn.parameter.is_lazy(v)]
    if lazy:
        raise ArchitectureMismatch(
            f"--arch {arch} returns a network with lazy layers, whose shapes are not known yet: "
            f"{listed(lazy)}.",
            hint="Run it once on a picture before returning it.",
        )
    return network.cpu().float().eval().requires_grad_(False)


def _function(arch: str) -> Callable[..., object]:
    module_name, _, path = arch.partition(":")
    try:
        found: object = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        # The module itself, or a package it is in; not something that it imports.
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is None or not f"{module_name}.".startswith(f"{missing}."):
            raise _their_fault(arch, "cannot be imported:", error) from error
        raise ArchitectureMismatch(
            f"--arch {arch}: there is no Python module {missing!r} in {Path.cwd()} or among the "
            "installed packages.",
            hint="--arch is package.module:function; run the command in the folder where "
            f"{module_name.partition('.')[0]} lies.",
        ) from error
    for part in path.split("."):
        if not hasattr(found, part):
            raise ArchitectureMismatch(
                f"--arch {arch}: {getattr(found, '__name__', module_name)} has no {part!r}.",
                hint=f"It has {listed(_callables(found)) or 'no functions or classes'}.",
            )
        found = getattr(found, part)
    if not callable(found):
        raise ArchitectureMismatch(
            f"--arch {arch} is {_described(found)}, not a function.",
            hint="Name a function, or a class, that returns the network.",
        )
    return found


def _takes(build: Callable[..., object], name: str) -> bool:
    try:
        parameters = inspect.signature(build).parameters
    except (TypeError, ValueError):  # of compiled code, without a signature
        return False
    return name in parameters or any(p.kind == p.VAR_KEYWORD for p in parameters.values())


def _callables(found: object) -> list[str]:
    """The names of functions and classes that are defined there, not imported."""
    module = getattr(found, "__name__", None)
    return [
        name
        for name, value in vars(found).items()
        if callable(value) and getattr(value, "__module__", None) == module
    ]


def _load(file: Path, weights: WeightsFile, network: nn.Module, arch: str) -> tuple[str, ...]:
    """Load the weights, all of them and no other; return what was done about their names."""
    like: dict[str, Tensor] = network.state_dict()
    if not like:
        raise ArchitectureMismatch(f"--arch {arch} returns a network without weights.")
    shapes = {key: tuple(value.shape) for key, value in like.items()}
    named = reconcile_with(weights.state, shapes)
    missing = [key for key in like if key not in named.state]
    unknown = [key for key in named.state if key not in like]
    if missing or unknown:
        raise ArchitectureMismatch(
            f"The weights in {file} are not those of the network that {arch} returns.",
            hint=f"Missing in the file: {listed(missing) or 'none'}. "
            f"Not in the network: {listed(unknown) or 'none'}.",
        )
    require_fit(named.state, like, network=f"the network that {arch} returns", source=file)
    network.load_state_dict(named.state)
    return named.said


def _require_same(
    arch: str, network: nn.Module, program: torch.jit.ScriptModule, shape: list[int]
) -> None:
    """Refuse a network whose way depends on the picture: a trace has one way.

    Raises:
        ConversionFailed: network and trace differ on one of a few pictures.
    """
    import torch

    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(shape, generator=generator)
    for picture in (noise, -2 * noise, torch.ones(shape), -torch.ones(shape)):
        with torch.no_grad():
            pairs = zip(outputs_of(network(picture)), outputs_of(program(picture)), strict=True)
        for theirs, ours in pairs:
            scale = float(theirs.tensor.abs().max())
            if float((theirs.tensor - ours.tensor).abs().max()) > _SLACK * max(scale, 1):
                raise ConversionFailed(
                    f"The network that {arch} returns answers otherwise than its trace does: what "
                    "it computes depends on the picture (an if or a loop on values), or on chance.",
                    hint="Write the choice with tensors, for example torch.where; or give the "
                    "TorchScript file of a network without it.",
                )


def _described(value: object) -> str:
    return f"a {type(value).__name__}"


def _their_fault(arch: str, what: str, error: BaseException) -> ArchitectureMismatch:
    lines = str(error).strip().splitlines()
    return ArchitectureMismatch(
        f"--arch {arch} {what} {type(error).__name__}: {lines[0] if lines else 'no message'}",
        hint="The fault is in that code, or in what it needs; FER_DEBUG=1 shows where.",
    )
