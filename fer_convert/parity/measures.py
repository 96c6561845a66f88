"""Distances between two predictions of one image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fer_convert.parity.result import ImageMeasure, Prediction
from fer_train.contract.errors import LabelMismatch

#: Smallest PSNR peak of an image, as a fraction of the median spread over all images. A flat grey
#: picture gives almost equal logits; measured against its own tiny spread, the rounding of any
#: honest runtime would look like a broken network.
PEAK_FLOOR_FRACTION = 0.1


def peak_floor(references: Sequence[Prediction]) -> float:
    """Return the smallest PSNR peak for a set of reference predictions, in logits.

    0 when no prediction is finite or all logits are constant.
    """
    spreads = [np.ptp(p.logits) for p in references if np.isfinite(p.logits).all()]
    return PEAK_FLOOR_FRACTION * float(np.median(spreads)) if spreads else 0.0


def measure(
    image: str, *, reference: Prediction, candidate: Prediction, min_peak: float = 0.0
) -> ImageMeasure:
    """Compare two predictions, class by class by NAME.

    Args:
        image: name of the image in the report.
        min_peak: lower bound of the PSNR's peak in logits, see `peak_floor`.

    Raises:
        LabelMismatch: the two predictions do not name the same classes.
    """
    p = reference.probabilities
    margin = decision_margin(p)
    q = by_name(candidate, candidate.probabilities, labels=reference.labels)
    logits = by_name(candidate, candidate.logits, labels=reference.labels)
    if not all(np.isfinite(values).all() for values in (p, q, reference.logits, logits)):
        return _not_finite(image, margin=margin)
    x, y = _centred(reference.logits), _centred(logits)
    difference = np.abs(p - q)
    return ImageMeasure(
        image=image,
        finite=True,
        max_abs_dp=float(difference.max()),
        mean_abs_dp=float(difference.mean()),
        psnr_db=logit_psnr_db(x, y, peak=max(float(np.ptp(x)), min_peak)),
        cosine=_cosine(x, y),
        kl=_kl_of_logits(x, y),
        top1_agrees=reference.top1 == candidate.top1,
        ranks_agree=bool((_ranking(p) == _ranking(q)).all()),
        margin=margin,
    )


def rms_abs_dp(measures: Sequence[ImageMeasure]) -> float:
    """Return the root mean square of |Δp| over the finite images; NaN where none is."""
    errors = [m.max_abs_dp for m in measures if m.finite]
    return float(np.sqrt(np.mean(np.square(errors)))) if errors else math.nan


def by_name(
    prediction: Prediction, values: NDArray[np.float64], *, labels: tuple[str, ...]
) -> NDArray[np.float64]:
    """Return ``values`` [K] of ``prediction`` in the order of ``labels``.

    Raises:
        LabelMismatch: the names differ, or the arrays do not hold one value per name.
    """
    if sorted(prediction.labels) != sorted(labels) or values.shape != (len(labels),):
        raise LabelMismatch(
            f"A prediction of {values.size} values names {', '.join(prediction.labels)}.",
            hint=f"Expected {len(labels)} values for {', '.join(labels)}.",
        )
    return values[[prediction.labels.index(label) for label in labels]]


def decision_margin(probabilities: NDArray[np.float64]) -> float:
    """Return the first minus the second largest probability; NaN if any is NaN."""
    if not np.isfinite(probabilities).all():
        return math.nan
    second, first = np.sort(probabilities)[-2:]
    return float(first - second)


def logit_psnr_db(x: NDArray[np.float64], y: NDArray[np.float64], *, peak: float) -> float:
    """Return ``20 log10(peak / rms(x - y))``: inf without error, -inf with error and no peak."""
    rms_error = float(np.sqrt(np.mean((x - y) ** 2)))
    if rms_error == 0:
        return math.inf
    return 20 * math.log10(peak / rms_error) if peak > 0 else -math.inf


def _centred(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    # Softmax ignores an additive constant, so the constant is not an error.
    centred: NDArray[np.float64] = logits - logits.mean()
    return centred


def _cosine(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    lengths = float(np.linalg.norm(x)) * float(np.linalg.norm(y))
    if lengths == 0:  # Constant logits have no direction: alike only if both are constant.
        return 1.0 if not x.any() and not y.any() else 0.0
    return float(np.clip(x @ y / lengths, -1.0, 1.0))


def _kl_of_logits(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    # From logits, because a probability that underflowed to 0 in fp16 would make it infinite.
    log_p, log_q = _log_softmax(x), _log_softmax(y)
    return max(0.0, float(np.exp(log_p) @ (log_p - log_q)))


def _log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = logits - logits.max()
    normalised: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum())
    return normalised


def _ranking(probabilities: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.argsort(-probabilities, kind="stable")


def _not_finite(image: str, *, margin: float) -> ImageMeasure:
    return ImageMeasure(
        image=image,
        finite=False,
        max_abs_dp=math.nan,
        mean_abs_dp=math.nan,
        psnr_db=math.nan,
        cosine=math.nan,
        kl=math.nan,
        top1_agrees=False,
        ranks_agree=False,
        margin=margin,
    )
