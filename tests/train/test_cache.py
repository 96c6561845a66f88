"""Images are decoded once, exactly as the contract says, and never from a stale cache."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from fer_train.contract.errors import CannotWrite, UnreadableImage
from fer_train.contract.pixels import face_crop, load_rgb
from fer_train.contract.preprocess import LUMA
from fer_train.data import cache as cache_module
from fer_train.data.batches import pixel_statistics, shuffled_batches, stored_size
from fer_train.data.cache import PixelCache, open_cache
from tests.train.faces import save_image, texture


@pytest.fixture
def images(tmp_path: Path) -> Path:
    random = np.random.default_rng(1)
    root = tmp_path / "images"
    root.mkdir()
    for number in range(10):
        save_image(root / f"{number}.png", texture(random, 30 + 5 * number))
    return root


def decode(root: Path, folder: Path, *, size: int = 32) -> tuple[PixelCache, int]:
    """Open the cache; also return how many images had to be decoded."""
    decoded: list[int] = []
    paths = sorted(path.name for path in root.iterdir())
    opened = open_cache(
        root, paths, size=size, folder=folder, workers=2, on_progress=decoded.append
    )
    return opened, sum(decoded)


def test_stored_pixels_are_the_contracts_face_crop(images: Path, tmp_path: Path) -> None:
    opened, decoded = decode(images, tmp_path / "cache")
    assert decoded == 10
    batch = opened.gather(np.array([7, 2]))
    assert batch.dtype == np.uint8
    for row, number in zip(batch, (7, 2), strict=True):
        expected = face_crop(load_rgb(images / f"{number}.png"), size=32)
        np.testing.assert_array_equal(row, expected)


def test_a_second_run_decodes_nothing(images: Path, tmp_path: Path) -> None:
    first, _ = decode(images, tmp_path / "cache")
    second, decoded = decode(images, tmp_path / "cache")
    assert decoded == 0
    assert second == first


def test_an_edited_image_and_another_size_make_another_cache(images: Path, tmp_path: Path) -> None:
    first, _ = decode(images, tmp_path / "cache")
    save_image(images / "3.png", np.zeros((40, 40, 3), dtype=np.uint8))
    second, decoded = decode(images, tmp_path / "cache")
    assert decoded == 10
    assert second.digests[3] != first.digests[3]
    assert not second.gather([3]).any()
    assert decode(images, tmp_path / "cache", size=48)[1] == 10


def test_a_truncated_cache_is_rebuilt(images: Path, tmp_path: Path) -> None:
    opened, _ = decode(images, tmp_path / "cache")
    os.truncate(opened.pixels, 100)
    again, decoded = decode(images, tmp_path / "cache")
    assert decoded == 10
    assert again.gather([9]).shape == (1, 32, 32, 3)


def test_all_unreadable_images_are_found_and_five_are_named(images: Path, tmp_path: Path) -> None:
    for number in range(7):
        (images / f"{number}.png").write_bytes(b"not an image")
    with pytest.raises(UnreadableImage) as caught:
        decode(images, tmp_path / "cache")
    message = str(caught.value)
    assert message.startswith("7 of 10 images")
    assert "0.png" in message and "4.png" in message and "5.png" not in message
    assert "and 2 more" in message
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_full_disk_leaves_nothing_behind(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache_module, "write_json", full)
    with pytest.raises(CannotWrite, match="No space left"):
        decode(images, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_training_images_are_stored_larger_than_the_input_but_never_enlarged(
    images: Path,
) -> None:
    paths = sorted(path.name for path in images.iterdir())  # sides 30 to 75, median 52.5
    assert stored_size(images, paths, input_size=32) == 37  # ceil(1.15 * 32)
    assert stored_size(images, paths, input_size=48) == 52  # the median original
    assert stored_size(images, paths, input_size=96) == 96  # evaluation enlarges too


def test_every_image_once_per_epoch_in_another_order() -> None:
    first = shuffled_batches(20, batch_size=6, seed=3, epoch=1)
    assert sorted(np.concatenate(first).tolist()) == list(range(20))
    assert [len(batch) for batch in first] == [6, 6, 6, 2]
    again = shuffled_batches(20, batch_size=6, seed=3, epoch=1)
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert (first[0] != shuffled_batches(20, batch_size=6, seed=3, epoch=2)[0]).any()


def test_a_single_left_over_image_joins_the_last_batch() -> None:
    assert [len(b) for b in shuffled_batches(9, batch_size=4, seed=0, epoch=1)] == [4, 5]


def test_statistics_of_the_training_pixels(images: Path, tmp_path: Path) -> None:
    opened, _ = decode(images, tmp_path / "cache")
    pixels = opened.gather(np.arange(10)).reshape(-1, 3) / 255.0
    mean, std = pixel_statistics(opened, color="rgb")
    np.testing.assert_allclose(mean, pixels.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(std, pixels.std(axis=0), atol=1e-9)
    grey_mean, grey_std = pixel_statistics(opened, color="gray")
    np.testing.assert_allclose(grey_mean, (pixels @ LUMA).mean(), atol=1e-9)
    np.testing.assert_allclose(grey_std, (pixels @ LUMA).std(), atol=1e-9)
