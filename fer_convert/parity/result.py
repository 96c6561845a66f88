"""The vocabulary of a parity run: what a runner returns and what a comparison concludes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from fer_convert.artefact import Artefact
from fer_convert.parity.exact import Interval
from fer_convert.parity.thresholds import Thresholds

Verdict = Literal["PASS", "FAIL", "NOT RUN"]


#: The named checks of an artefact, in the order a report lists them.
CheckName = Literal[
    "converted",
    "pixels",
    "ran",
    "compared",
    "labels",
    "contract",
    "finite",
    "named-label",
    "probabilities",
    "logits",
    "decisions",
    "accuracy",
    "same-network",
    "differences",
]


#: Those about how precise the figures are; the others ask whether it is the trained network.
PRECISION_CHECKS: frozenset[CheckName] = frozenset(
    {"finite", "probabilities", "logits", "decisions", "accuracy"}
)


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
    """Runs one artefact with one runtime."""

    @property
    def name(self) -> str:
        """Runtime, version and precision as a report prints them."""
        ...

    @property
    def metadata(self) -> dict[str, str]:
        """Key-value metadata read back from the artefact (empty for the checkpoint)."""
        ...

    def run_many(self, images: NDArray[np.uint8]) -> list[Prediction]:
        """Answer each of uint8 RGB ``[N, S, S, 3]``; how many at once is the runner's affair."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageMeasure:
    """How far one artefact is from the reference on one image. All figures float64.

    Where ``finite`` is false every figure except ``margin`` is NaN and both agreements are false.

    Attributes:
        finite: no NaN or infinity in either prediction.
        max_abs_dp, mean_abs_dp: difference of probabilities.
        psnr_db: of centred logits, peak = the reference's spread; infinite when identical.
        cosine: of centred logits.
        kl: KL(reference || artefact) in nats.
        top1_agrees, ranks_agree: same first label; same order of all labels.
        margin: the reference's first minus second probability.
    """

    image: str
    finite: bool
    max_abs_dp: float
    mean_abs_dp: float
    psnr_db: float
    cosine: float
    kl: float
    top1_agrees: bool
    ranks_agree: bool
    margin: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One named question about one artefact, and its answer as a sentence with figures.

    ``warns``: it passes, and a reader should know the figures all the same.
    """

    name: CheckName
    verdict: Verdict
    detail: str
    warns: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One figure by the reference and by the artefact, and the paired 95 % interval of the
    difference."""

    before: float
    after: float
    interval: Interval

    @property
    def difference(self) -> float:
        return self.after - self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What changed on labelled faces.

    Attributes:
        images: labelled faces.
        accuracy: its interval is exact; the others' are resampled within each class, and those of
            the next two are at least as wide as exact ones of each class make them.
        balanced_accuracy, macro_f1: over the classes that have faces.
        ece: expected calibration error, 15 bins; larger is worse.
        lost: names of the faces that went from right to wrong; won: the other way.
        chance: how often chance alone loses so many and wins so few (one-sided sign test).
    """

    images: int
    accuracy: Change
    balanced_accuracy: Change
    macro_f1: Change
    ece: Change
    lost: tuple[str, ...]
    won: tuple[str, ...]
    chance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtefactParity:
    """What one runtime said about one artefact.

    Attributes:
        key: row of the threshold table: ``module`` or an artefact kind; ``pixels`` for two
            ways to cut faces.
        verdict: the worst check; FAIL is worse than NOT RUN, NOT RUN worse than PASS.
        checks: every question asked, in order.
        runtime: the runtime that produced the figures.
        required: a NOT RUN here keeps the whole build from passing (false for runtimes this
            machine cannot have, such as Apple's on Linux).
        measures, references, predictions: one per image, aligned; empty when nothing was run.
        half: PyTorch's own half precision on the same images, or on some of many, where it is the
            yardstick.
        cost: what it does to accuracy and calibration, where images have labels.
        milliseconds: wall time per image, the median over the batches; None when nothing was run.
    """

    key: str
    verdict: Verdict
    checks: tuple[Check, ...]
    runtime: str
    thresholds: Thresholds
    required: bool = True
    measures: tuple[ImageMeasure, ...] = ()
    references: tuple[Prediction, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    half: tuple[ImageMeasure, ...] = ()
    cost: Cost | None = None
    milliseconds: float | None = None

    @property
    def refused(self) -> bool:
        """Whether the converter refused to make the artefact at all."""
        return any(check.name == "converted" for check in self.checks)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not PASS: one sentence per check that is not."""
        return tuple(check.detail for check in self.checks if check.verdict != "PASS")

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader should know although it passes."""
        return tuple(check.detail for check in self.checks if check.warns)

    @property
    def only_imprecise(self) -> bool:
        """It is the trained network, in a reduced precision that is not enough for it."""
        bad = [check for check in self.checks if check.verdict != "PASS"]
        return (
            self.thresholds.reduced is not None
            and any(check.verdict == "FAIL" for check in bad)
            and all(
                check.name in PRECISION_CHECKS
                # Where PyTorch's half overflows everywhere there is no yardstick, and no doubt.
                or (check.name == "same-network" and check.verdict == "NOT RUN")
                for check in bad
            )
        )

    @property
    def only_unjudged(self) -> bool:
        """All is well but for the missing yardstick of its reduced precision."""
        bad = [check for check in self.checks if check.verdict != "PASS"]
        return self.verdict == "NOT RUN" and all(check.name == "same-network" for check in bad)

    @property
    def worst(self) -> ImageMeasure | None:
        """The image with the largest error; one that is not finite is worse than any other."""
        return max(self.measures, key=severity, default=None)

    @property
    def max_abs_dp(self) -> float | None:
        """Largest difference of a probability over all images; NaN if any image is not finite."""
        return None if self.worst is None else self.worst.max_abs_dp

    @property
    def min_psnr_db(self) -> float | None:
        """Smallest logit PSNR over all images; NaN if any image is not finite."""
        if not self.measures:
            return None
        return float(np.min([measure.psnr_db for measure in self.measures]))

    @property
    def top1_agreement(self) -> float | None:
        """Fraction of images with the same first label."""
        if not self.measures:
            return None
        return sum(measure.top1_agrees for measure in self.measures) / len(self.measures)

    @property
    def flips(self) -> tuple[str, ...]:
        """Names of the images whose first label differs."""
        return tuple(measure.image for measure in self.measures if not measure.top1_agrees)


def severity(measure: ImageMeasure) -> tuple[bool, float]:
    """Sort key: not finite last, then by the largest error."""
    return (not measure.finite, measure.max_abs_dp if measure.finite else 0.0)


def worst_verdict(verdicts: Iterable[Verdict]) -> Verdict:
    """Return FAIL if any is, else NOT RUN if any is or there is none at all, else PASS."""
    seen = set(verdicts)
    if "FAIL" in seen:
        return "FAIL"
    return "PASS" if seen == {"PASS"} else "NOT RUN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One row of the report: a parity run, and the file it is about.

    ``artefact`` is None for the exportable module (no file), for a network that is no artefact, and
    for a conversion that failed. ``title``: what the row is called, if not by its key.
    """

    artefact: Artefact | None
    parity: ArtefactParity
    title: str = ""
