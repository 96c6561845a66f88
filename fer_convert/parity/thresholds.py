"""How close is close enough at every step. One table, printed in every report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

#: ``none``: every first label must agree. ``only-near-ties``: a flip is forgiven where the
#: reference's margin is at most twice the image's own error (it is listed all the same).
Flips = Literal["none", "only-near-ties"]

#: fp16 keeps 11 significant bits: just below 1.0 its neighbours are 2**-11 apart and a rounded
#: sum of a few such values is off by 2**-10. Half precision cannot be asked to do better, even
#: where PyTorch's half happened to.
HALF_ERROR_FLOOR = 2.0**-10


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """The limits of one step; every image must keep all of them.

    Attributes:
        step: the step as a report names it.
        max_abs_dp: largest allowed difference of a probability.
        min_psnr_db: smallest allowed PSNR of the centred logits.
        flips: which disagreements of the first label are forgiven.
        half_factor: for reduced precision, the largest allowed ratio of the artefact's error to
            the error PyTorch's own half precision makes on the same images; None for fp32.
        requires_contract: the artefact must carry the pixel contract in its metadata.
    """

    step: str
    max_abs_dp: float
    min_psnr_db: float
    flips: Flips = "none"
    half_factor: float | None = None
    requires_contract: bool = True


# Measured on networks fitted to the fixtures, worst of 45 images, max |Δp| and logit PSNR:
#
#                    efficientnet_b0   densenet121    resnet101 (barely trained)
#   exportable fp32  2e-6  117 dB      5e-7  120 dB   1e-5  96 dB
#   PyTorch's half   4e-3   51 dB      2e-3   48 dB   5e-2  28 dB
#
# The first row is not zero because the reference normalises pixels on its own, in float64. 40 dB
# is an error of 1 % of the logits' spread, about what moves a probability by the 2e-2 allowed;
# resnet101 really is too sensitive for half precision.
THRESHOLDS: Mapping[str, Thresholds] = MappingProxyType(
    {
        "module": Thresholds(
            step="checkpoint to exportable module, fp32",
            max_abs_dp=3e-5,
            min_psnr_db=90.0,
            requires_contract=False,
        ),
        "torchscript": Thresholds(step="to TorchScript, fp32", max_abs_dp=3e-5, min_psnr_db=90.0),
        "onnx": Thresholds(step="to ONNX, fp32", max_abs_dp=1e-4, min_psnr_db=90.0),
        "mlmodel": Thresholds(step="to .mlmodel, fp32", max_abs_dp=1e-4, min_psnr_db=90.0),
        "mlpackage-fp32": Thresholds(step="to .mlpackage, fp32", max_abs_dp=1e-4, min_psnr_db=90.0),
        "mlpackage-fp16": Thresholds(
            step="to .mlpackage, fp16 (every value rounded)",
            max_abs_dp=2e-2,
            min_psnr_db=40.0,
            flips="only-near-ties",
            half_factor=2.0,
        ),
    }
)
