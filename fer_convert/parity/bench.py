"""The comparing stages of a build: everything is read back from disk and sees every image."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from fer_convert.artefact import Artefact, Refusal
from fer_convert.export.refusal import reason_in_one_line
from fer_convert.parity import runners
from fer_convert.parity.checks import PYTORCHS_HALF
from fer_convert.parity.compare import (
    compare_artefact,
    explain,
    not_converted,
    not_run,
    parity_of_error,
    run_all,
)
from fer_convert.parity.fixtures import Fixture
from fer_convert.parity.result import ArtefactParity, Prediction, Runner, Subject
from fer_convert.parity.thresholds import THRESHOLDS, Thresholds, limits_of
from fer_convert.progress import Progress
from fer_convert.source.model import Source

#: PyTorch computes half precision on a CPU many times slower than everything else here, and the
#: yardstick is a mean over images, which these are enough for.
MOST_HALVED = 64


def spread(count: int, *, most: int) -> list[int]:
    """Return ``most`` positions of ``count``, evenly spread; all of them where they are fewer."""
    return list(range(count)) if count <= most else [i * count // most for i in range(most)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What every artefact is measured against.

    Attributes:
        yardstick: what ``half`` is, in words.
        base: the answers from which a cost counts, if not those of ``reference``.
        reference: the checkpoint's predictions, one per image.
        half: PyTorch's own half precision on the images ``half_of``; None when no artefact needs it
            or PyTorch cannot run the network so.
        no_half: why PyTorch cannot.
        foreign_reference: the predictions are another runtime's than torch's.
    """

    images: Sequence[Fixture]
    reference: Sequence[Prediction]
    half: Sequence[Prediction] | None
    half_of: Sequence[int]
    no_half: str | None
    foreign_reference: bool
    contract: Mapping[str, Any]
    progress: Progress
    yardstick: str = PYTORCHS_HALF
    base: Sequence[Prediction] | None = None

    def judge(
        self,
        key: str,
        open_runner: Callable[[], Runner],
        *,
        title: str | None = None,
        thresholds: Thresholds | None = None,
        contract: Mapping[str, Any] | None = None,
    ) -> ArtefactParity:
        """Open one artefact and compare it; whatever goes wrong is its verdict.

        Args:
            title: what it is called on the way; the default is ``key``.
            thresholds, contract: other ones than ``key``'s and the bench's.
        """
        limits = thresholds or limits_of(key, foreign_reference=self.foreign_reference)
        with self.progress.stage(f"check {title or key}") as stage:
            try:
                runner = open_runner()
            except Exception as error:  # each runtime has its own words for a damaged file
                parity = parity_of_error(
                    key, error, runtime="could not be opened", thresholds=limits
                )
            else:
                compared = compare_artefact(
                    key,
                    reference=self.reference,
                    half=self.half,
                    half_of=self.half_of,
                    no_half=self.no_half,
                    runner=runner,
                    images=self.images,
                    yardstick=self.yardstick,
                    thresholds=limits,
                    contract=contract or self.contract,
                    base=self.base,
                    progress=stage.advance,
                )
                known = runner.differences if isinstance(runner, runners.PortableRunner) else ()
                parity = explain(compared, differences=known)
            stage.outcome = parity.verdict
        return parity


def compare_all(
    source: Source,
    results: Sequence[Artefact | Refusal],
    *,
    images: Sequence[Fixture],
    contract: Mapping[str, Any],
    progress: Progress,
) -> tuple[Sequence[Prediction], list[Subject]]:
    """Judge the exportable module and every artefact.

    Args:
        results: what became of each kind.

    Returns:
        The checkpoint's predictions, and one row per artefact and runtime.
    """
    artefacts = [result for result in results if isinstance(result, Artefact)]
    bench = _set_up(source, artefacts, images=images, contract=contract, progress=progress)
    subjects = [
        Subject(artefact=None, parity=bench.judge("module", partial(runners.ModuleRunner, source)))
    ]
    for result in results:
        if isinstance(result, Refusal):
            refused = not_converted(result.kind, result.reason)
            subjects.append(Subject(artefact=None, parity=refused))
            continue
        parity = bench.judge(result.kind, partial(runners.open_runner, result.kind, result.path))
        subjects.append(Subject(artefact=result, parity=parity))
        gc.collect()  # the artefact's weights, before the next one's are read
    for artefact in artefacts:
        for parity in _on_apple(artefact, bench):
            subjects.append(Subject(artefact=artefact, parity=parity))
    return bench.reference, subjects


def _set_up(
    source: Source,
    artefacts: Sequence[Artefact],
    *,
    images: Sequence[Fixture],
    contract: Mapping[str, Any],
    progress: Progress,
) -> Bench:
    with progress.stage("run checkpoint"):
        checkpoint = runners.CheckpointRunner(source)
        reference, _ = run_all(checkpoint, images)
    half, no_half = None, None
    half_of = spread(len(images), most=MOST_HALVED)
    if any(THRESHOLDS[artefact.kind].reduced is not None for artefact in artefacts):
        with progress.stage("run checkpoint in torch's fp16") as stage:
            try:
                halved = runners.ModuleRunner(source, half=True)
                half, _ = run_all(halved, [images[i] for i in half_of])
            except MemoryError:
                raise
            # A trace may hold float32 constants, and some operations have no half precision.
            except Exception as error:
                no_half = reason_in_one_line(error)
                stage.outcome = "NOT RUN"
    return Bench(
        images=images,
        reference=reference,
        half=half,
        half_of=half_of,
        no_half=no_half,
        foreign_reference=source.reference is not None,
        contract=contract,
        progress=progress,
    )


def _on_apple(artefact: Artefact, bench: Bench) -> list[ArtefactParity]:
    """Judge a Core ML artefact with Apple's runtime, or say why not."""
    if artefact.kind not in ("mlmodel", "mlpackage-fp32", "mlpackage-fp16"):
        return []
    reason = runners.apple_runtime_missing()
    if reason is not None:
        return [not_run(artefact.kind, reason, runtime=runners.APPLE_RUNTIME, required=False)]
    # GPU and Neural Engine compute in half precision whatever a file declares, so the limits of an
    # fp32 artefact are only fair to the CPU.
    every = artefact.precision == "fp16"
    units = runners.COMPUTE_UNITS if every else runners.COMPUTE_UNITS[:1]
    return [
        bench.judge(artefact.kind, partial(runners.AppleRunner, artefact.path, units=unit))
        for unit in units
    ]
