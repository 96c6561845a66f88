from __future__ import annotations

from typing import Any

import pytest

from fer_train.contract.errors import CheckpointError
from fer_train.contract.preprocess import PreprocessSpec


def test_round_trip_through_primitives() -> None:
    spec = PreprocessSpec(crop_margin=0.25, input_size=64, color="rgb", std=(0.2, 0.3, 0.4))
    assert PreprocessSpec.from_dict(spec.to_dict()) == spec


@pytest.mark.parametrize(
    "change",
    [
        {"input_size": 16},
        {"input_size": "big"},
        {"crop_margin": -0.1},
        {"crop_margin": float("nan")},
        {"color": "cmyk"},
        {"resize": "bicubic"},
        {"mean": [0.5]},
        {"mean": [0.5, 0.5, float("nan")]},
        {"std": [0.2, 0.0, 0.2]},
        {"std": [0.2, 20.0, 0.2]},
        {"surprise": 1},
    ],
    ids=str,
)
def test_values_out_of_range_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError):
        PreprocessSpec.from_dict({**PreprocessSpec().to_dict(), **change})


def test_missing_field_is_refused() -> None:
    values = PreprocessSpec().to_dict()
    del values["mean"]
    with pytest.raises(CheckpointError, match="mean"):
        PreprocessSpec.from_dict(values)
