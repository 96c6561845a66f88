"""The vocabulary of a parity run: what a runner returns and what a comparison concludes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Verdict = Literal["PASS", "FAIL", "NOT RUN"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One image's result.

    Attributes:
        labels: class names in the order of the two arrays.
        logits: float64 [K]; only defined up to an additive constant.
        probabilities: float64 [K].
        top1: the label the artefact itself names.
    """

    labels: tuple[str, ...]
    logits: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    top1: str


class Runner(Protocol):
    """Runs one artefact with one runtime. ``image`` is uint8 RGB ``[S, S, 3]``."""

    @property
    def name(self) -> str:
        """Runtime, version and precision as a report prints them."""
        ...

    @property
    def metadata(self) -> dict[str, str]:
        """Key-value metadata read back from the artefact (empty for the checkpoint)."""
        ...

    def predict(self, image: NDArray[np.uint8]) -> Prediction: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageMeasure:
    """How far one artefact is from the reference on one image. All figures float64.

    Attributes:
        max_abs_dp, mean_abs_dp: difference of probabilities.
        psnr_db: of centred logits, peak = the reference's spread; infinite when identical.
        cosine: of centred logits.
        kl: KL(reference || artefact) in nats.
        top1_agrees, ranks_agree: same first label; same order of all labels.
        margin: the reference's first minus second probability.
    """

    image: str
    max_abs_dp: float
    mean_abs_dp: float
    psnr_db: float
    cosine: float
    kl: float
    top1_agrees: bool
    ranks_agree: bool
    margin: float
