"""Which runtimes can run a file, and by which limits each of them is judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, get_args

from fer_convert.existing.side import CORE_ML, Side, SideKind
from fer_convert.parity import runners
from fer_convert.parity.result import Runner
from fer_convert.parity.thresholds import ACROSS_RUNTIMES, THRESHOLDS, Thresholds
from fer_train.contract.errors import ParityNotRun

#: What ``--runner`` takes.
RunnerName = Literal[
    "torch",
    "onnxruntime",
    "portable",
    "portable-fp32",
    "portable-fp16",
    "apple-cpu",
    "apple-gpu",
    "apple-ne",
    "apple-all",
]

RUNNER_NAMES: tuple[RunnerName, ...] = get_args(RunnerName)

_UNITS: Mapping[RunnerName, runners.ComputeUnits] = {
    "apple-cpu": "CPU_ONLY",
    "apple-gpu": "CPU_AND_GPU",
    "apple-ne": "CPU_AND_NE",
    "apple-all": "ALL",
}

#: What runs a file where nobody chose; the first of them gives a reference's answers.
_USUAL: Mapping[SideKind, tuple[RunnerName, ...]] = {
    "network": ("torch",),
    "torchscript": ("torch",),
    "onnx": ("onnxruntime",),
    **dict.fromkeys(CORE_ML, ("portable", *_UNITS)),
}

#: What may be chosen beside that.
_POSSIBLE: Mapping[SideKind, tuple[RunnerName, ...]] = {
    **_USUAL,
    **dict.fromkeys(CORE_ML, ("portable", "portable-fp32", "portable-fp16", *_UNITS)),
}

#: Not what a file declares, but every value rounded, as hardware may do with it.
_ROUNDING: frozenset[RunnerName] = frozenset(
    {"portable-fp16", "apple-gpu", "apple-ne", "apple-all"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One runtime for one file.

    Attributes:
        open: opens the file in it.
        missing: why this machine cannot have the runtime; None where it can.
        required: its absence is no pass: it was asked for by name.
        rounds: it computes in half precision whatever the file says.
    """

    name: RunnerName
    open: Callable[[], Runner]
    missing: str | None
    required: bool
    rounds: bool

    @property
    def runtime(self) -> str:
        """How a row calls a runtime that is missing."""
        unit = _UNITS.get(self.name)
        if unit is None:
            return self.name
        every = self.missing is not None and not self.required
        return runners.APPLE_RUNTIME if every else f"{runners.APPLE_RUNTIME}, {unit}"


def ways_to_run(side: Side, chosen: Sequence[RunnerName]) -> list[Way]:
    """Return the runtimes of a file, those that were chosen or else the usual ones; maybe none.

    Where nobody asked for Apple's and this machine has none, its four units are one row.
    """
    absent = runners.apple_runtime_missing()
    names = [name for name in _POSSIBLE[side.kind] if name in chosen] or (
        [] if chosen else list(_USUAL[side.kind])
    )
    if absent is not None and not chosen:
        names = [name for name in names if name not in _UNITS or name == "apple-all"]
    return [
        Way(
            name=name,
            open=_opener(side, name),
            missing=absent if name in _UNITS else None,
            required=name in chosen or name not in _UNITS,
            rounds=name in _ROUNDING,
        )
        for name in names
    ]


def first_way(side: Side) -> Way:
    """Return the runtime that gives a reference's answers."""
    return ways_to_run(side, ())[0]


def possible(side: Side) -> tuple[RunnerName, ...]:
    """Return what ``--runner`` may name for a file."""
    return _POSSIBLE[side.kind]


def limits(
    side: Side, way: Way, *, across: bool, reduced: bool, requires_contract: bool
) -> Thresholds:
    """Return by which limits a file is judged in a runtime.

    Args:
        across: the reference ran in another runtime than torch.
        reduced: the reference itself is in less than full precision.
        requires_contract: the file must carry the reference's contract.
    """
    key = threshold_key(side)
    rounded = side.precision == "fp16" or reduced or way.rounds
    chosen = THRESHOLDS["mlpackage-fp16"] if rounded else THRESHOLDS[key]
    if across and not rounded:
        chosen = replace(chosen, max_abs_dp=max(chosen.max_abs_dp, ACROSS_RUNTIMES))
    precision = "less than full precision" if rounded else "full precision"
    return replace(
        chosen,
        step=f"{side.path.name} in {way.runtime}, {precision}",
        requires_contract=requires_contract and side.kind != "network",
    )


def threshold_key(side: Side) -> str:
    """Return the row of the threshold table that a file belongs to."""
    return "module" if side.kind == "network" else side.kind


def _opener(side: Side, name: RunnerName) -> Callable[[], Runner]:
    if name == "torch":
        return partial(_open_torch, side)
    if name == "onnxruntime":
        return partial(runners.open_runner, "onnx", side.path)
    if name in _UNITS:
        return partial(runners.AppleRunner, side.path, units=_UNITS[name], labels=side.labels)
    if name == "portable-fp32":
        return partial(runners.PortableRunner, side.path, precision="fp32")
    if name == "portable-fp16":
        return partial(runners.PortableRunner, side.path, precision="fp16")
    return partial(runners.PortableRunner, side.path)


def _open_torch(side: Side) -> Runner:
    if side.source is not None:
        return runners.CheckpointRunner(side.source)
    return runners.TorchScriptRunner(side.path)


def open_halved(side: Side) -> Runner:
    """Open a reference once more in half precision: the yardstick of what rounding costs.

    A reference that is rounded itself is opened without rounding: the distance is the same.

    Raises:
        ParityNotRun: nothing here runs it so.
    """
    if side.source is not None:
        return runners.ModuleRunner(side.source, half=True)
    if side.kind == "torchscript":
        return runners.TorchScriptRunner(side.path, half=True)
    if side.kind in CORE_ML:
        precision: Literal["fp32", "fp16"] = "fp32" if side.precision == "fp16" else "fp16"
        return runners.PortableRunner(side.path, precision=precision)
    raise ParityNotRun("onnxruntime runs a file in the precision that it was written in")
