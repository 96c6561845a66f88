"""The named checks of an artefact. Each answers one question with one sentence and its figures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fer_convert.artefact import SCHEMA
from fer_convert.parity.exact import sign_test
from fer_convert.parity.fixtures import Fixture
from fer_convert.parity.measures import rms_abs_dp
from fer_convert.parity.result import Check, CheckName, ImageMeasure, Prediction, Verdict, severity
from fer_convert.parity.thresholds import HALF_RMS_FLOOR, ReducedPrecision, Thresholds
from fer_train.contract.labels import describe_order

#: How far a named label's probability may lie below the largest: the probabilities of a report
#: are float64 copies of what the artefact printed as float32.
_NAMED_LABEL_SLACK = 1e-6

#: The usual yardstick of reduced precision.
PYTORCHS_HALF = "PyTorch's own half precision"


def check_labels(
    predictions: Sequence[Prediction],
    *,
    reference: Sequence[Prediction],
    contract: Mapping[str, Any],
) -> Check:
    """Same names in the same order, in every prediction and in the contract."""
    promised = tuple(contract["labels"])
    for seen, source in [(p.labels, "The artefact") for p in predictions] + [
        (p.labels, "The reference") for p in reference
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
    """Largest difference of a probability on any image, and on how many it is more than usual."""
    worst, reduced = max(measures, key=severity), limits.reduced
    ok = worst.max_abs_dp <= limits.max_abs_dp
    detail = (
        f"Worst image {worst.image}: max |Δp| is {worst.max_abs_dp:.2e}, "
        f"allowed {limits.max_abs_dp:.0e}."
    )
    if reduced is None:
        return Check(name="probabilities", verdict=_verdict(ok), detail=detail)
    # Written so that NaN is beyond.
    beyond = sum(not m.max_abs_dp <= reduced.usual_abs_dp for m in measures)
    allowed = reduced.beyond_usual(len(measures))
    ok = ok and beyond <= allowed
    return Check(
        name="probabilities",
        verdict=_verdict(ok),
        warns=ok and beyond > 0,
        detail=f"{detail} {beyond} of {len(measures)} images differ by more than "
        f"{reduced.usual_abs_dp:g}, allowed {allowed}.",
    )


def check_logits(measures: Sequence[ImageMeasure], limits: Thresholds) -> Check:
    """PSNR of the centred logits, on the worst image. In reduced precision it only warns: nobody
    sees logits, and the smallest of many images falls with their number."""
    worst = min(measures, key=lambda m: m.psnr_db if m.finite else -math.inf)
    ok = worst.psnr_db >= limits.min_psnr_db
    return Check(
        name="logits",
        verdict=_verdict(ok or limits.reduced is not None),
        warns=not ok and limits.reduced is not None,
        detail=(
            f"Worst image {worst.image}: logit PSNR is {worst.psnr_db:.1f} dB, "
            f"at least {limits.min_psnr_db:.0f} dB wanted."
        ),
    )


def check_decisions(measures: Sequence[ImageMeasure], limits: Thresholds) -> Check:
    """The first label agrees; flips are listed with their margins."""
    reduced = limits.reduced
    flips = [m for m in measures if not m.top1_agrees]
    # Written so that NaN is no near tie.
    far = [m for m in flips if reduced is None or not m.margin <= reduced.near_tie]
    allowed = 0 if reduced is None else reduced.beyond_ties(len(measures))
    if not flips:
        return _pass("decisions", f"All {len(measures)} images keep their label.")
    # The widest margins are what a reader wants; a broken network flips every image.
    widest = sorted(flips, key=lambda m: math.inf if math.isnan(m.margin) else m.margin)[::-1]
    listed = _names([f"{m.image} (margin {m.margin:.2e})" for m in widest], separator="; ")
    detail = f"{len(flips)} of {len(measures)} images change their label"
    if reduced is not None:
        detail += (
            f", {len(far)} of them beyond a near tie (margin more than {reduced.near_tie:g}), "
            f"allowed {allowed}"
        )
    ok = len(far) <= allowed
    return Check(
        name="decisions",
        verdict=_verdict(ok),
        warns=ok and bool(far),
        detail=f"{detail}: {listed}.",
    )


def check_accuracy(
    images: Sequence[Fixture],
    *,
    reference: Sequence[Prediction],
    predictions: Sequence[Prediction],
    limits: ReducedPrecision,
) -> Check:
    """As many labelled faces are answered rightly as before, but for chance.

    The same faces are asked twice, so only those count whose answer changed between right and
    wrong: if nothing were lost, both ways would be equally likely.
    """
    known = [
        (expected.top1 == image.label, seen.top1 == image.label)
        for image, expected, seen in zip(images, reference, predictions, strict=True)
        if image.label in expected.labels
    ]
    if not known:
        return _pass("accuracy", "No image has a label of the model: accuracy was not compared.")
    lost = sum(before and not after for before, after in known)
    won = sum(after and not before for before, after in known)
    chance = sign_test(lost, of=lost + won)
    return Check(
        name="accuracy",
        verdict=_verdict(chance >= limits.significance),
        detail=(
            f"Of {len(known)} labelled images the reference answers "
            f"{sum(before for before, _ in known)} rightly, the artefact "
            f"{sum(after for _, after in known)}; {lost} lost and {won} won, as chance does in "
            f"{chance:.2g} of all cases (a loss below {limits.significance:g} fails)."
        ),
    )


def check_same_network(
    measures: Sequence[ImageMeasure],
    *,
    half: Sequence[ImageMeasure] | None,
    no_half: str | None,
    yardstick: str = PYTORCHS_HALF,
    limits: ReducedPrecision,
) -> Check:
    """Is the error what half precision itself costs, or did something else change?

    Both errors are root mean squares over the images: the ratio of two worst images is a matter of
    luck.

    Args:
        measures: of the images on which PyTorch's half precision was run; not always of all.
        half: PyTorch's own half precision on the same images.
        no_half: why there is none, where PyTorch could not run in half precision.
        yardstick: what ``half`` is, where it is not PyTorch's.
    """
    if half is None:
        why = "was not run" if no_half is None else f"was not run ({no_half})"
        return _no_yardstick(yardstick, why)
    broken, overflowing = (sum(not m.finite for m in every) for every in (measures, half))
    if broken and not overflowing:
        return _fail(
            "same-network",
            f"NaN or infinity on {broken} of {len(measures)} images; {yardstick} has none.",
        )
    if overflowing == len(half) or broken == len(measures):
        return _no_yardstick(yardstick, f"overflows on {overflowing} of {len(half)} images")
    seen, own = rms_abs_dp(measures), rms_abs_dp(half)
    allowed = limits.half_factor * max(own, HALF_RMS_FLOOR)
    return Check(
        name="same-network",
        verdict=_verdict(seen <= allowed),
        detail=(
            f"|Δp| is {seen:.2e} in the root mean square over {len(half)} images; {yardstick} "
            f"errs by {own:.2e}, so {allowed:.2e} is allowed."
        ),
    )


def _no_yardstick(yardstick: str, why: str) -> Check:
    said = f"{yardstick[0].upper()}{yardstick[1:]} {why}, so there is nothing to judge against."
    return Check(name="same-network", verdict="NOT RUN", detail=said)


def _names(names: Sequence[str], *, shown: int = 5, separator: str = ", ") -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return separator.join(names[:shown]) + more


def _verdict(ok: bool) -> Verdict:
    return "PASS" if ok else "FAIL"


def _pass(name: CheckName, detail: str) -> Check:
    return Check(name=name, verdict="PASS", detail=detail)


def _fail(name: CheckName, detail: str) -> Check:
    return Check(name=name, verdict="FAIL", detail=detail)
