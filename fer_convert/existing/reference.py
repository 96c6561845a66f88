"""What everything else is compared with: its answers, and what half precision costs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fer_convert.existing.side import Side
from fer_convert.existing.ways import first_way, open_halved
from fer_convert.parity.compare import run_all
from fer_convert.parity.fixtures import Fixture
from fer_convert.parity.result import Prediction
from fer_convert.report import CheckpointInfo
from fer_train.contract.files import sha256_tree

Answering = Callable[[Sequence[Fixture]], list[Prediction]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The one side that is right.

    Attributes:
        contract: what the others must carry; None where it has none.
        contract_of_network: it was derived from a network, which does not say whether its
            artefacts are for demonstration.
        across: it runs in another runtime than torch.
        reduced: it is itself in less than full precision.
        runtime: of its answers.
        answers: its predictions of pictures.
        halved: the same in half precision; raises whatever keeps it from that.
        yardstick: what ``halved`` is, in words.
    """

    info: CheckpointInfo
    labels: tuple[str, ...]
    contract: Mapping[str, Any] | None
    contract_of_network: bool
    across: bool
    reduced: bool
    runtime: str
    answers: Answering
    halved: Answering
    yardstick: str


def reference_of(side: Side) -> Reference:
    """Make a file the reference: open it in the first of its runtimes.

    Raises:
        Exception: whatever keeps it from being opened.
    """
    runner = first_way(side).open()
    return Reference(
        info=_info(side),
        labels=side.labels,
        contract=side.contract,
        contract_of_network=side.kind == "network",
        across=side.kind not in ("network", "torchscript")
        or bool(side.source and side.source.reference),
        reduced=side.precision == "fp16",
        runtime=runner.name,
        answers=lambda images: run_all(runner, images)[0],
        halved=lambda images: run_all(open_halved(side), images)[0],
        yardstick=_yardstick(side),
    )


def expected_contract(
    reference: Reference, labels: Sequence[str], carried: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return what a file must carry beside this reference: the reference's contract.

    Args:
        carried: the file's own contract. Where the reference has none it is taken as it is, but
            for its labels.
    """
    if reference.contract is None:
        return {**(carried or {}), "labels": list(labels)}
    expected = dict(reference.contract)
    if reference.contract_of_network and carried is not None:
        expected["demo"] = carried.get("demo")
    return expected


def _yardstick(side: Side) -> str:
    if side.source is not None or side.kind == "torchscript":
        return "PyTorch's own half precision"
    if side.precision == "fp16":
        return "the reference's own rounding"
    return "the reference with every value rounded to half precision"


def _info(side: Side) -> CheckpointInfo:
    source = side.source
    if source is None:
        return CheckpointInfo(
            file=side.path.name,
            sha256=sha256_tree(side.path),
            arch=str((side.contract or {}).get("architecture", side.kind)),
            notes=side.notes,
        )
    return CheckpointInfo(
        file=source.path.name,
        sha256=source.sha256,
        arch=source.architecture,
        metrics=source.metrics,
        sparsity=source.sparsity,
        created_with=source.created_with,
        notes=source.notes,
    )
