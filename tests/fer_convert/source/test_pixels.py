"""How people say which pixels a network was trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fer_convert.source.pixels import parse_preprocess
from fer_train.contract.errors import CheckpointError
from fer_train.contract.preprocess import IMAGENET_MEAN, IMAGENET_STD, PreprocessSpec

_SAID: dict[str, Any] = {"input_size": 48, "color": "gray", "crop_margin": 0}


def _spec(**said: Any) -> PreprocessSpec:
    return parse_preprocess(json.dumps({**_SAID, **said}))[0]


@pytest.mark.parametrize(
    ("said", "mean", "std"),
    [
        ({"scale": "0..1"}, 0.0, 1.0),
        ({"scale": "0..255"}, 0.0, 1 / 255),
        ({"scale": "-1..1"}, 0.5, 0.5),
        ({"mean": 0.5, "std": [0.25]}, 0.5, 0.25),
        ({"mean": [0.5, 0.5, 0.5], "std": 1}, 0.5, 1.0),
        ({"scale": "0..1", "mean": 0.5}, 0.5, 1.0),
        ({"scale": "0..255", "std": 255}, 0.0, 1.0),
        ({"scale": "0..255", "mean": 127.5, "std": 51}, 0.5, 0.2),
    ],
)
def test_ranges_and_scalars_become_mean_and_std(
    said: dict[str, Any], mean: float, std: float
) -> None:
    spec = _spec(**said)
    assert spec.mean == pytest.approx((mean,) * 3)
    assert spec.std == pytest.approx((std,) * 3)


def test_imagenet_is_a_name() -> None:
    spec = _spec(scale="imagenet", color="RGB")
    assert (spec.mean, spec.std, spec.color) == (IMAGENET_MEAN, IMAGENET_STD, "rgb")


def test_three_numbers_keep_their_order() -> None:
    spec = _spec(color="bgr", scale="0..255", mean=[51, 102, 153])
    assert spec.mean == pytest.approx((0.2, 0.4, 0.6))
    assert spec.std == pytest.approx((1 / 255,) * 3)


def test_the_contracts_own_record_is_accepted_as_it_is() -> None:
    spec = PreprocessSpec(input_size=64, color="rgb", crop_margin=0.1)
    assert parse_preprocess(json.dumps(spec.to_dict())) == (spec, None)


def test_an_assumed_crop_margin_is_told() -> None:
    text = json.dumps({"input_size": 48, "color": "grey", "scale": "0..1"})
    spec, assumed = parse_preprocess(text)
    assert (spec.crop_margin, spec.color) == (0.3, "gray")
    assert assumed is not None and "0.3 is assumed" in assumed


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "pixels.json"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps({**_SAID, "scale": "0..1"}).encode())
    assert parse_preprocess(str(file))[0].input_size == 48
    file.write_bytes("{}".encode("utf-16"))
    with pytest.raises(CheckpointError, match="not UTF-8"):
        parse_preprocess(str(file))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({}, "does not say mean and std, nor scale"),
        ({"mean": 0.5}, "does not say std, nor scale"),
        ({"scale": "0-1"}, "scale is '0-1'"),
        ({"scale": "imagenet", "mean": 0.5}, "has both scale 'imagenet' and mean"),
        ({"scale": "0..1", "input-size": 48}, "Did you mean input_size"),
        ({"scale": "0..1", "channels": 1}, "unknown field 'channels'"),
        ({"scale": "0..1", "input_size": 48.5}, "input_size is 48.5"),
        ({"scale": "0..1", "input_size": True}, "input_size is True"),
        ({"scale": "0..1", "color": "cmyk"}, "color is 'cmyk'"),
        ({"mean": 127.5, "std": 1}, 'add "scale": "0..255"'),
        ({"mean": [0.5, 0.5], "std": 1}, "one number or three"),
        ({"mean": ["0.5"], "std": 1}, "one number or three"),
        ({"mean": 0.5, "std": 0}, "std is"),
    ],
)
def test_what_is_missing_or_unknown_is_named(said: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        _spec(**said)
    assert message in str(caught.value)
    assert caught.value.hint is not None


@pytest.mark.parametrize("missing", ["input_size", "color"])
def test_size_and_colour_are_never_guessed(missing: str) -> None:
    said = {name: value for name, value in _SAID.items() if name != missing}
    with pytest.raises(CheckpointError, match=f"does not say {missing}"):
        parse_preprocess(json.dumps({**said, "scale": "0..1"}))
