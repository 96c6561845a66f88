"""The limits of half precision, those in force and those before, asked about given answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from half_limits_parts.answers import Answers

from fer_convert.parity import checks
from fer_convert.parity.compare import measure_all
from fer_convert.parity.fixtures import Fixture
from fer_convert.parity.measures import rms_abs_dp
from fer_convert.parity.result import Check, ImageMeasure, Prediction
from fer_convert.parity.thresholds import HALF_RMS_FLOOR, THRESHOLDS

LIMITS = THRESHOLDS["mlpackage-fp16"]
#: As they were: of the worst image, and of the ratio of two worst images.
OLD_ABS_DP, OLD_PSNR_DB, OLD_FACTOR, OLD_FLOOR = 2e-2, 40.0, 2.0, 2.0**-10


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One way to compute, against fp32 and PyTorch's half, on some of the faces."""

    measures: Sequence[ImageMeasure]
    half: Sequence[ImageMeasure]
    reference: Sequence[Prediction]
    predictions: Sequence[Prediction]
    images: Sequence[Fixture]

    def some(self, chosen: Sequence[int]) -> Asked:
        """The same on the faces ``chosen``."""
        return Asked(
            measures=[self.measures[i] for i in chosen],
            half=[self.half[i] for i in chosen],
            reference=[self.reference[i] for i in chosen],
            predictions=[self.predictions[i] for i in chosen],
            images=[self.images[i] for i in chosen],
        )


def asked(answers: Answers, way: str) -> Asked:
    """Put together what a network answered for the faces that ``way`` was asked about."""
    predictions = answers.predictions(way)
    count = len(predictions)
    names = answers.faces[:count]
    reference, half = answers.predictions("fp32")[:count], answers.predictions("half")[:count]
    # A face's pixels are in its answers by now.
    pixels = np.zeros((1, 1, 3), dtype=np.uint8)
    images = [
        Fixture(name=name, kind="face", label=label, image=pixels, path=Path(name))
        for name, label in zip(names, answers.truth, strict=False)
    ]
    return Asked(
        measures=measure_all(names, reference=reference, candidate=predictions),
        half=measure_all(names, reference=reference, candidate=half),
        reference=reference,
        predictions=predictions,
        images=images,
    )


def refused_now(one: Asked) -> set[str]:
    """The checks in force that fail."""
    reduced = LIMITS.reduced
    assert reduced is not None
    found: list[Check] = [
        checks.check_finite(one.measures),
        checks.check_probabilities(one.measures, LIMITS),
        checks.check_decisions(one.measures, LIMITS),
        checks.check_accuracy(
            one.images, reference=one.reference, predictions=one.predictions, limits=reduced
        ),
        checks.check_same_network(one.measures, half=one.half, limits=reduced),
    ]
    return {check.name for check in found if check.verdict != "PASS"}


def refused_before(one: Asked) -> set[str]:
    """The checks that failed before this table was measured."""
    worst = max(m.max_abs_dp for m in one.measures)
    yardstick = max(*(m.max_abs_dp for m in one.half), OLD_FLOOR)
    found = {
        "probabilities": worst <= OLD_ABS_DP,
        "logits": min(m.psnr_db for m in one.measures) >= OLD_PSNR_DB,
        "same-network": worst <= OLD_FACTOR * yardstick,
    }
    return {name for name, ok in found.items() if not ok}


def ratio(one: Asked) -> float:
    """Root mean square of |Δp| over that of PyTorch's half, each at least the format's own."""
    seen, own = (max(rms_abs_dp(every), HALF_RMS_FLOOR) for every in (one.measures, one.half))
    return seen / own
