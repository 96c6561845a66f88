"""At which size images are stored: what the crops of training need, and no more."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from PIL import Image

from fer_train.config.options import TrainConfig
from fer_train.config.recipe import build_config
from fer_train.data.batches import stored_size
from fer_train.data.samples import Sample
from fer_train.progress.reporter import PlainReporter
from fer_train.run.faces import augmentation, prepare_faces
from tests.fer_train.faces import write_faces


@pytest.mark.parametrize("input_size", [32, 48, 60, 64, 96, 100, 112, 180, 224, 380, 1000, 1024])
def test_the_stored_size_of_default_and_milder_crops_stays(input_size: int, tmp_path: Path) -> None:
    """Existing caches are found again: 1.15 times the input whatever the rounding."""
    Image.new("RGB", (1300, 1300)).save(tmp_path / "large.png")
    samples = [Sample("large.png", "anger")]
    for options in ({}, {"augment": 0.25}, {"augment": 0.0}, {"crop_area_min": 0.9}):
        config = TrainConfig(data="x", arch="resnet101", **options)  # type: ignore[arg-type]
        size = stored_size(
            *(tmp_path, samples),
            input_size=input_size,
            margin=0.3,
            augmentation=augmentation(config),
        )
        assert size == math.ceil(1.15 * input_size)


def test_the_original_recipe_crops_from_real_pixels(tmp_path: Path) -> None:
    """8 % of 224 px are 63 px, 55 the short way: the smallest crop is not enlarged from 16 px."""
    for side in (60, 224):
        Image.new("RGB", (side, side)).save(tmp_path / f"{side}.png")

    def stored(name: str) -> int:
        config = build_config({"data": "x"}, preset="original", file=None)
        return stored_size(
            *(tmp_path, [Sample(name, "anger")]),
            input_size=config.input_size,
            margin=0.3,
            augmentation=augmentation(config),
        )

    size = stored("224.png")
    assert size == 193
    shortest = size * math.sqrt(0.08 / (4 / 3))
    assert 48 / shortest < 1.02  # the smallest crop is enlarged by 2 %, as by default
    assert stored("60.png") == 60


def test_training_decodes_at_the_size_that_its_crops_need(tmp_path: Path) -> None:
    write_faces(tmp_path / "faces", classes=("happy", "sad"), size=80)

    def sizes(**options: float) -> dict[str, int]:
        prepared = prepare_faces(
            TrainConfig(
                data=str(tmp_path / "faces"),
                arch="resnet101",
                input_size=32,
                **options,  # type: ignore[arg-type]
            ),
            cache=tmp_path / "cache",
            reporter=PlainReporter(quiet=True),
            check_stop=lambda: None,
        )
        return {name: cache.size for name, cache in prepared.caches.items()}

    assert sizes() == {"train": 37, "val": 32}
    assert sizes(crop_area_min=0.08) == {"train": 80, "val": 32}
    assert sizes(crop_area_min=0.08, augment=0.0) == {"train": 37, "val": 32}
