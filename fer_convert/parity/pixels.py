"""Do two ways from a photograph to pixels agree, and does the network notice where they do not?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fer_convert.parity import checks
from fer_convert.parity.compare import measure_all
from fer_convert.parity.cost import cost_of
from fer_convert.parity.fixtures import Fixture
from fer_convert.parity.result import ArtefactParity, Check, Prediction, worst_verdict
from fer_convert.parity.thresholds import THRESHOLDS

#: Levels of 255 by which a pixel may differ: each way rounds once or twice, and two decoders of
#: JPEG may differ by a level themselves. Another crop, filter or colour is tens of levels away.
MOST_LEVELS = 2

#: Levels by which all pixels of a face together may be brighter or darker: two roundings of a half.
MOST_BIAS = 0.5


def compare_pixels(
    first: Sequence[Fixture],
    second: Sequence[Fixture],
    *,
    reference: Sequence[Prediction],
    predictions: Sequence[Prediction],
    way: str,
) -> ArtefactParity:
    """Judge the second way to cut the same faces.

    What decides are the pixels, and accuracy where faces have labels. How much a network makes of
    one level of rounding is its own affair and no fault of the way: it is a warning, since an app
    that resizes in a way of its own will meet more.

    Args:
        first, second: the same faces, cut in both ways.
        reference, predictions: the same network's answers to both.
        way: what the second way is called.
    """
    limits = replace(THRESHOLDS["mlpackage-fp16"], step=f"from the file to pixels, {way}")
    assert limits.reduced is not None
    names = [face.name for face in first]
    measures = measure_all(names, reference=reference, candidate=predictions)
    found = [
        _check_pixels(first, second),
        checks.check_finite(measures),
        _only_warning(checks.check_probabilities(measures, limits)),
        _only_warning(checks.check_decisions(measures, limits)),
        checks.check_accuracy(
            first, reference=reference, predictions=predictions, limits=limits.reduced
        ),
    ]
    return ArtefactParity(
        key="pixels",
        verdict=worst_verdict(check.verdict for check in found),
        checks=tuple(found),
        runtime=way,
        thresholds=limits,
        measures=tuple(measures),
        references=tuple(reference),
        predictions=tuple(predictions),
        cost=cost_of(names, [f.label for f in first], reference=reference, predictions=predictions),
    )


def _only_warning(check: Check) -> Check:
    return replace(check, verdict="PASS", warns=check.warns or check.verdict != "PASS")


def _check_pixels(first: Sequence[Fixture], second: Sequence[Fixture]) -> Check:
    differences = [
        other.image.astype(np.int16) - one.image for one, other in zip(first, second, strict=True)
    ]
    largest = [int(np.abs(face).max()) for face in differences]
    bias = [float(face.mean()) for face in differences]
    worst, brightest = int(np.argmax(largest)), int(np.argmax(np.abs(bias)))
    ok = largest[worst] <= MOST_LEVELS and abs(bias[brightest]) <= MOST_BIAS
    beyond = sum(levels > MOST_LEVELS for levels in largest)
    return Check(
        name="pixels",
        verdict="PASS" if ok else "FAIL",
        detail=(
            f"Pixels differ by at most {largest[worst]} of 255 levels ({first[worst].name}), "
            f"allowed {MOST_LEVELS}"
            + (f"; by more on {beyond} of {len(largest)} faces." if beyond else ".")
            + f" The mean of a face differs by at most {abs(bias[brightest]):.2f} levels, allowed "
            f"{MOST_BIAS:g}."
        ),
    )
