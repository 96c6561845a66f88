"""The named checks of an artefact. Each answers one question with one sentence and its figures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fer_convert.artefact import SCHEMA
from fer_convert.parity.result import Check, CheckName, ImageMeasure, Prediction, Verdict, severity
from fer_convert.parity.thresholds import HALF_ERROR_FLOOR, Thresholds
from fer_train.contract.labels import describe_order

#: How far a named label's probability may lie below the largest: the probabilities of a report
#: are float64 copies of what the artefact printed as float32.
_NAMED_LABEL_SLACK = 1e-6


def check_labels(
    predictions: Sequence[Prediction],
    *,
    reference: Sequence[Prediction],
    contract: Mapping[str, Any],
) -> Check:
    """Same names in the same order, in every prediction and in the contract."""
    promised = tuple(contract["labels"])
    for seen, source in [(p.labels, "The artefact") for p in predictions] + [
        (p.labels, "The checkpoint") for p in reference
    ]:
        if seen != promised:
            return _fail(
                "labels",
                f"{source} lists its classes as {describe_order(seen)}; "
                f"the contract says {describe_order(promised)}.",
            )
    return _pass("labels", f"{len(promised)} names in the contract's order.")


def check_contract(
    metadata: Mapping[str, str], *, contract: Mapping[str, Any], required: bool
) -> Check:
    """The metadata read back from the artefact repeats the pixel contract, field for field."""
    text = metadata.get(SCHEMA)
    if text is None:
        if required:
            return _fail("contract", f"The artefact's metadata has no {SCHEMA}.")
        return _pass("contract", "A module in memory carries no metadata.")
    try:
        seen = json.loads(text)
    except ValueError as error:
        return _fail("contract", f"The artefact's {SCHEMA} is not JSON: {error}.")
    if not isinstance(seen, dict):
        return _fail("contract", f"The artefact's {SCHEMA} is not a JSON object.")
    # Through JSON, because a tuple that was written is a list when read.
    expected = json.loads(json.dumps(contract))
    differing = [
        f"{key} is {json.dumps(seen.get(key))}, expected {json.dumps(expected.get(key))}"
        for key in sorted(set(seen) | set(expected))
        if seen.get(key) != expected.get(key)
    ]
    if differing:
        return _fail("contract", f"The artefact's contract differs: {'; '.join(differing)}.")
    return _pass("contract", "The metadata repeats the pixel contract.")


def check_finite(measures: Sequence[ImageMeasure]) -> Check:
    """No NaN and no infinity, in the artefact or in the checkpoint."""
    broken = [measure.image for measure in measures if not measure.finite]
    if broken:
        return _fail("finite", f"NaN or infinity on {_names(broken)}.")
    return _pass("finite", "Every value is finite.")


def check_named_label(names: Sequence[str], predictions: Sequence[Prediction]) -> Check:
    """The label an artefact names is the one it finds most probable, where it finds any."""
    for image, prediction in zip(names, predictions, strict=True):
        if not np.isfinite(prediction.probabilities).all():
            continue  # `check_finite` says so
        own = dict(zip(prediction.labels, prediction.probabilities.tolist(), strict=True))
        best = max(own, key=own.__getitem__)
        # Written so that an unknown name fails.
        if not own.get(prediction.top1, math.nan) >= own[best] - _NAMED_LABEL_SLACK:
            return _fail(
                "named-label",
                f"{image}: the artefact names {prediction.top1!r} but finds {best!r} most "
                f"probable ({own[best]:.4g}).",
            )
    return _pass("named-label", "The named label is always the most probable one.")


def check_probabilities(measures: Sequence[ImageMeasure], limits: Thresholds) -> Check:
    """Largest difference of a probability, on the worst image."""
    worst = max(measures, key=severity)
    detail = f"{worst.image}: max |Δp| is {worst.max_abs_dp:.2e}, allowed {limits.max_abs_dp:.0e}."
    return Check(
        name="probabilities",
        verdict=_verdict(worst.max_abs_dp <= limits.max_abs_dp),
        detail=f"Worst image {detail}",
    )


def check_logits(measures: Sequence[ImageMeasure], limits: Thresholds) -> Check:
    """PSNR of the centred logits, on the worst image."""
    worst = min(measures, key=lambda m: m.psnr_db if m.finite else -math.inf)
    return Check(
        name="logits",
        verdict=_verdict(worst.psnr_db >= limits.min_psnr_db),
        detail=(
            f"Worst image {worst.image}: logit PSNR is {worst.psnr_db:.1f} dB, "
            f"at least {limits.min_psnr_db:.0f} dB wanted."
        ),
    )


def check_decisions(measures: Sequence[ImageMeasure], limits: Thresholds) -> Check:
    """The first label agrees; flips are listed with their margins.

    If named label and probabilities are coherent, a flip implies ``margin <= 2 max|Δp|``, so under
    ``only-near-ties`` a failure means that the artefact names a label its own figures contradict.
    """
    flips = [m for m in measures if not m.top1_agrees]
    forgiven = limits.flips == "only-near-ties"
    # Written so that NaN is not forgiven.
    wrong = [m for m in flips if not (forgiven and m.margin <= 2 * m.max_abs_dp)]
    listed = "; ".join(f"{m.image} (margin {m.margin:.2e})" for m in flips)
    if wrong:
        return _fail(
            "decisions", f"{len(flips)} of {len(measures)} images change their label: {listed}."
        )
    if flips:
        return _pass(
            "decisions",
            f"{len(flips)} of {len(measures)} images change their label, all of them near ties "
            f"(margin at most twice the error): {listed}.",
        )
    return _pass("decisions", f"All {len(measures)} images keep their label.")


def check_same_network(
    measures: Sequence[ImageMeasure], *, half_error: float | None, limits: Thresholds
) -> Check:
    """Is the error what half precision itself costs, or did something else change?

    ``half_error`` is the largest |Δp| PyTorch's own half precision makes on the same images.
    """
    assert limits.half_factor is not None
    if half_error is None or not math.isfinite(half_error):
        why = "was not run" if half_error is None else "overflows on these images"
        return Check(
            name="same-network",
            verdict="NOT RUN",
            detail=f"PyTorch's own half precision {why}, so there is nothing to judge against.",
        )
    worst = max(measures, key=severity)
    allowed = limits.half_factor * max(half_error, HALF_ERROR_FLOOR)
    return Check(
        name="same-network",
        verdict=_verdict(worst.max_abs_dp <= allowed),
        detail=(
            f"Worst image {worst.image}: max |Δp| is {worst.max_abs_dp:.2e}; PyTorch's own half "
            f"precision errs by {half_error:.2e} on these images, so {allowed:.2e} is allowed."
        ),
    )


def _names(names: Sequence[str], *, shown: int = 5) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def _verdict(ok: bool) -> Verdict:
    return "PASS" if ok else "FAIL"


def _pass(name: CheckName, detail: str) -> Check:
    return Check(name=name, verdict="PASS", detail=detail)


def _fail(name: CheckName, detail: str) -> Check:
    return Check(name=name, verdict="FAIL", detail=detail)
