"""Run one artefact on every image and conclude: PASS, FAIL or NOT RUN, with the reasons."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_convert.parity import checks
from fer_convert.parity.cost import cost_of
from fer_convert.parity.fixtures import Fixture
from fer_convert.parity.measures import measure, peak_floor
from fer_convert.parity.result import (
    ArtefactParity,
    Check,
    ImageMeasure,
    Prediction,
    Runner,
    Verdict,
    worst_verdict,
)
from fer_convert.parity.thresholds import THRESHOLDS, Thresholds
from fer_train.contract.errors import ParityNotRun, UnsupportedOperation

Progress = Callable[[int, int], None]  # images done, images in all

_MOST_DIFFERENCES = 3

#: Images that a runner is given at once: enough that no operation is too small for its overhead,
#: few enough that what a large network computes on the way fits into memory (10 of 224 px).
_MOST_TOGETHER, _PIXELS_TOGETHER = 64, 1 << 19


def compare_artefact(
    key: str,
    *,
    reference: Sequence[Prediction],
    half: Sequence[Prediction] | None,
    half_of: Sequence[int] | None = None,
    no_half: str | None = None,
    yardstick: str = checks.PYTORCHS_HALF,
    runner: Runner,
    images: Sequence[Fixture],
    thresholds: Thresholds,
    contract: Mapping[str, Any],
    base: Sequence[Prediction] | None = None,
    progress: Progress | None = None,
) -> ArtefactParity:
    """Compare an artefact with the checkpoint on every image.

    Args:
        key: ``module`` or an artefact kind.
        reference: the checkpoint's predictions, one per image.
        half: PyTorch's own half-precision predictions; only used for artefacts of reduced
            precision.
        half_of: the positions of the images they are of; None means one per image.
        no_half: why ``half`` is None, where PyTorch could not run in half precision.
        yardstick: what ``half`` is, in words.
        contract: what the artefact's metadata must repeat.
        base: the answers from which the cost counts, if not those of ``reference``.
        progress: called after each batch of images.

    Returns:
        The verdict. Errors of the runner are verdicts too, see `parity_of_error`.
    """
    if not images:
        nothing = _fail_to_compare("There are no images: comparing nothing is no pass.")
        return conclude(key, [nothing], runtime=runner.name, thresholds=thresholds)
    measured = range(len(images)) if half_of is None else half_of
    if len(reference) != len(images) or (half is not None and len(half) != len(measured)):
        raise ValueError("compare_artefact needs one reference prediction per image.")
    try:
        metadata = runner.metadata
        predictions, milliseconds = run_all(runner, images, progress=progress)
    except (MemoryError, AssertionError):
        raise
    # A damaged artefact makes each runtime raise its own kind of exception.
    except Exception as error:
        return parity_of_error(key, error, runtime=runner.name, thresholds=thresholds)
    found = [
        Check(name="ran", verdict="PASS", detail=f"Ran on {len(images)} images."),
        checks.check_labels(predictions, reference=reference, contract=contract),
        checks.check_contract(metadata, contract=contract, required=thresholds.requires_contract),
    ]
    if not _comparable(reference, predictions):
        found.append(_fail_to_compare("The artefact and the reference name different classes."))
        return conclude(key, found, runtime=runner.name, thresholds=thresholds)
    names = [image.name for image in images]
    measures = measure_all(names, reference=reference, candidate=predictions)
    found += [
        checks.check_finite(measures),
        checks.check_named_label(names, predictions),
        checks.check_probabilities(measures, thresholds),
        checks.check_logits(measures, thresholds),
        checks.check_decisions(measures, thresholds),
    ]
    halved = None
    if (limits := thresholds.reduced) is not None:
        if half is not None:
            halved = measure_all(
                [names[i] for i in measured],
                reference=[reference[i] for i in measured],
                candidate=half,
            )
        found += [
            checks.check_accuracy(
                images, reference=reference, predictions=predictions, limits=limits
            ),
            checks.check_same_network(
                [measures[i] for i in measured],
                half=halved,
                no_half=no_half,
                yardstick=yardstick,
                limits=limits,
            ),
        ]
    return ArtefactParity(
        key=key,
        verdict=worst_verdict(check.verdict for check in found),
        checks=tuple(found),
        runtime=runner.name,
        thresholds=thresholds,
        measures=tuple(measures),
        references=tuple(reference),
        predictions=tuple(predictions),
        half=tuple(halved or ()),
        cost=cost_of(
            names,
            [image.label for image in images],
            reference=base or reference,
            predictions=predictions,
        ),
        milliseconds=milliseconds,
    )


def not_run(
    key: str,
    reason: str,
    *,
    runtime: str,
    required: bool = True,
    thresholds: Thresholds | None = None,
) -> ArtefactParity:
    """Return the record of a comparison that did not happen, and why."""
    return conclude(
        key,
        [Check(name="ran", verdict="NOT RUN", detail=reason)],
        runtime=runtime,
        thresholds=thresholds or THRESHOLDS[key],
        required=required,
    )


def not_converted(key: str, reason: str) -> ArtefactParity:
    """Return the record of an artefact that its converter refused to make."""
    refused = Check(
        name="converted", verdict="NOT RUN", detail=f"The converter refused this network: {reason}"
    )
    return conclude(key, [refused], runtime="not converted", thresholds=THRESHOLDS[key])


def parity_of_error(
    key: str, error: Exception, *, runtime: str, thresholds: Thresholds | None = None
) -> ArtefactParity:
    """Turn a runner's exception into a verdict.

    NOT RUN when the runtime is missing or lacks an operation (nothing is known about the
    artefact); FAIL for anything else, because an artefact that cannot be run is not the model.
    """
    unknown = isinstance(error, (ParityNotRun, UnsupportedOperation, ImportError))
    verdict: Verdict = "NOT RUN" if unknown else "FAIL"
    message = str(error).strip() or "no message"
    return conclude(
        key,
        [Check(name="ran", verdict=verdict, detail=f"{type(error).__name__}: {message}")],
        runtime=runtime,
        thresholds=thresholds or THRESHOLDS[key],
    )


def explain(parity: ArtefactParity, *, differences: Sequence[str]) -> ArtefactParity:
    """Say of an artefact that failed which of its operations Core ML is known to compute otherwise.

    Args:
        differences: one sentence each. Without any, or after another verdict, nothing is added.
    """
    if parity.verdict != "FAIL" or not differences:
        return parity
    shown = [f"{sentence}." for sentence in differences[:_MOST_DIFFERENCES]]
    if len(differences) > len(shown):
        shown.append(f"And {len(differences) - len(shown)} more.")
    detail = f"Core ML differs from PyTorch here (docs/coreml-differences.md): {' '.join(shown)}"
    known = Check(name="differences", verdict="FAIL", detail=detail)
    return replace(parity, checks=(*parity.checks, known))


def measure_all(
    names: Sequence[str], *, reference: Sequence[Prediction], candidate: Sequence[Prediction]
) -> list[ImageMeasure]:
    """Measure every image against its reference, with one PSNR peak floor for the set."""
    floor = peak_floor(reference)
    return [
        measure(name, reference=expected, candidate=seen, min_peak=floor)
        for name, expected, seen in zip(names, reference, candidate, strict=True)
    ]


def conclude(
    key: str,
    found: Sequence[Check],
    *,
    runtime: str,
    thresholds: Thresholds,
    required: bool = True,
) -> ArtefactParity:
    """Return a parity without measures: the checks alone decide."""
    return ArtefactParity(
        key=key,
        verdict=worst_verdict(check.verdict for check in found),
        checks=tuple(found),
        runtime=runtime,
        thresholds=thresholds,
        required=required,
    )


def run_all(
    runner: Runner, images: Sequence[Fixture], *, progress: Progress | None = None
) -> tuple[list[Prediction], float]:
    """Run every image, a bounded number at a time.

    Returns:
        The predictions, and the median over the batches of the milliseconds per image.
    """
    predictions: list[Prediction] = []
    each: list[float] = []
    size = _together(images[0].image)
    for first in range(0, len(images), size):
        batch = np.stack([image.image for image in images[first : first + size]])
        start = time.perf_counter()
        predictions += runner.run_many(batch)
        each.append((time.perf_counter() - start) / len(batch))
        if progress is not None:
            progress(len(predictions), len(images))
    return predictions, 1000 * float(np.median(each))


def _together(image: NDArray[np.uint8]) -> int:
    """How many images of this size are run at once."""
    pixels = int(image.shape[0] * image.shape[1])
    return max(1, min(_MOST_TOGETHER, _PIXELS_TOGETHER // pixels))


def _comparable(reference: Sequence[Prediction], predictions: Sequence[Prediction]) -> bool:
    """Tell whether every pair names the same classes, in whatever order."""
    return all(
        sorted(expected.labels) == sorted(seen.labels)
        and seen.logits.shape == seen.probabilities.shape == expected.logits.shape
        for expected, seen in zip(reference, predictions, strict=True)
    )


def _fail_to_compare(reason: str) -> Check:
    return Check(name="compared", verdict="FAIL", detail=reason)
