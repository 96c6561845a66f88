"""How close is close enough at every step. One table, printed in every report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

#: fp16 keeps 11 significant bits: just below 1.0 its neighbours are 2**-11 apart, so that writing
#: down a probability alone errs by up to 2**-12. Half precision cannot be asked to do better, even
#: where PyTorch's half happened to.
HALF_RMS_FLOOR = 2.0**-12


#: Largest |Δp| in full precision between two runtimes, each of which sums in an order of its own.
ACROSS_RUNTIMES = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class ReducedPrecision:
    """What decides where every value is rounded: what a person would notice.

    None of it grows stricter the more images are brought.

    Attributes:
        usual_abs_dp, usual_share: a difference of a probability that few images may exceed, and
            the share that may, rounded up to whole images.
        near_tie, flip_share: the first label may change where the reference's first two
            probabilities are at most this far apart; elsewhere for this share of the images,
            rounded down.
        half_factor: largest ratio of the artefact's root mean square of |Δp| over the images to
            that of PyTorch's own half precision.
        significance: accuracy on labelled faces fails where so many more answers went from right
            to wrong than back that chance does it this rarely (one-sided sign test).
    """

    usual_abs_dp: float = 0.05
    usual_share: float = 0.01
    near_tie: float = 0.05
    flip_share: float = 0.005
    half_factor: float = 3.0
    significance: float = 0.01

    def beyond_usual(self, images: int) -> int:
        """How many of ``images`` may exceed ``usual_abs_dp``."""
        # Without the last bits of the product, 0.01 * 300 would be 4 images.
        return math.ceil(round(self.usual_share * images, 9))

    def beyond_ties(self, images: int) -> int:
        """How many of ``images`` may change a label that is no near tie."""
        return math.floor(round(self.flip_share * images, 9))


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """The limits of one step.

    Attributes:
        step: the step as a report names it.
        max_abs_dp: difference of a probability that no image may exceed.
        min_psnr_db: smallest PSNR of the centred logits; in reduced precision a smaller one is a
            warning.
        reduced: what else decides in reduced precision; None where no first label may change.
        requires_contract: the artefact must carry the pixel contract in its metadata.
    """

    step: str
    max_abs_dp: float
    min_psnr_db: float
    reduced: ReducedPrecision | None = None
    requires_contract: bool = True


# Full precision: measured on networks fitted to the fixtures, worst of 45 images, max |Δp| and
# logit PSNR: efficientnet_b0 2e-6, 117 dB; densenet121 5e-7, 120 dB; resnet101 (barely trained)
# 1e-5, 96 dB. It is not zero because the reference normalises pixels on its own, in float64.
#
# Half precision: docs/half-limits.md has what each limit is for, how honest networks fare under it,
# and which mistakes it catches.
THRESHOLDS: Mapping[str, Thresholds] = MappingProxyType(
    {
        "module": Thresholds(
            step="checkpoint to exportable module, fp32",
            max_abs_dp=3e-5,
            min_psnr_db=90.0,
            requires_contract=False,
        ),
        "torchscript": Thresholds(step="to TorchScript, fp32", max_abs_dp=3e-5, min_psnr_db=90.0),
        "onnx": Thresholds(step="to ONNX, fp32", max_abs_dp=ACROSS_RUNTIMES, min_psnr_db=90.0),
        "mlmodel": Thresholds(
            step="to .mlmodel, fp32", max_abs_dp=ACROSS_RUNTIMES, min_psnr_db=90.0
        ),
        "mlpackage-fp32": Thresholds(
            step="to .mlpackage, fp32", max_abs_dp=ACROSS_RUNTIMES, min_psnr_db=90.0
        ),
        "mlpackage-fp16": Thresholds(
            step="to .mlpackage, fp16 (every value rounded)",
            max_abs_dp=0.2,
            min_psnr_db=40.0,
            reduced=ReducedPrecision(),
        ),
    }
)


def limits_of(key: str, *, foreign_reference: bool) -> Thresholds:
    """Return the limits of a step.

    Args:
        foreign_reference: what is compared with ran in another runtime than torch, as an ONNX file
            does: then torch's own steps are between two runtimes, too.
    """
    limits = THRESHOLDS[key]
    if not foreign_reference:
        return limits
    return replace(limits, max_abs_dp=max(limits.max_abs_dp, ACROSS_RUNTIMES))
