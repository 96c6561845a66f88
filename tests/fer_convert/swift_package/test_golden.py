"""golden.json: the same on every machine, and true."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from fer_convert.swift_package.golden import LABEL_LISTS, golden_record
from fer_train.contract.labels import EMOTIONS, label_fault
from fer_train.contract.pixels import Box, square_region
from tests.fer_convert.nets import Ferconv
from tests.paths import REPOSITORY

TRACKED = REPOSITORY / "fixtures/golden/golden.json"


SWIFT_COPY = REPOSITORY / "swift/EmotionKit/Tests/EmotionKitCoreTests/Golden/golden.json"


def test_the_tracked_files_are_what_the_command_writes(ferconv: Ferconv, tmp_path: Path) -> None:
    """Regenerate: ferconv golden --out fixtures/golden/golden.json --out swift/EmotionKit/..."""
    ran = ferconv("golden", "--out", tmp_path / "a.json", "--out", tmp_path / "b.json")
    assert ran.code == 0
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert TRACKED.read_bytes() == (tmp_path / "a.json").read_bytes()
    assert SWIFT_COPY.read_bytes() == TRACKED.read_bytes()


@pytest.mark.parametrize(("labels", "accepted"), LABEL_LISTS)
def test_label_lists_are_judged_as_swift_judges_them(labels: Sequence[str], accepted: bool) -> None:
    assert (label_fault(labels) is None) == accepted


def test_softmax_vectors_are_true_in_higher_precision() -> None:
    record = golden_record()
    assert record["labels"] == list(EMOTIONS)
    for vector in record["softmax"]:
        logits = np.array(vector["logits"], dtype=np.longdouble)
        exponentials = np.exp(logits - logits.max())
        expected = (exponentials / exponentials.sum()).astype(float)
        assert vector["probabilities"] == pytest.approx(expected, abs=1e-12)


def test_regions_follow_the_contract_and_stay_inside() -> None:
    regions = golden_record()["regions"]
    shifted = shrunk = 0
    for vector in regions:
        (width, height), box = vector["image"], Box(*vector["box"])
        x, y, side, other = vector["region"]
        assert side == other > 0
        assert x >= 0 and y >= 0 and x + side <= width + 1e-9 and y + side <= height + 1e-9
        expected = square_region(box, image_size=(width, height), margin=vector["margin"])
        assert vector["region"] == pytest.approx(list(expected), abs=1e-11)
        wanted = max(box.width, box.height) * (1 + vector["margin"])
        shrunk += side < wanted - 1e-6
        shifted += abs(x + side / 2 - box.x - box.width / 2) > 1e-6
    assert shifted >= 5 and shrunk >= 2 and len(regions) - shifted >= 5


def test_it_is_plain_json() -> None:
    text = json.dumps(golden_record(), allow_nan=False)
    assert "-0.0" not in text.replace("-0.00", "")
    assert golden_record()["images"] == []
