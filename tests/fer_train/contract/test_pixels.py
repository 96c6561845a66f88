from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fer_train.contract.errors import NotFound, UnreadableImage
from fer_train.contract.picture_files import image_suffixes
from fer_train.contract.pixels import (
    Box,
    centred_square,
    crop_resize,
    face_crop,
    load_rgb,
    square_region,
)

sides = st.integers(40, 4000)


unit = st.floats(0, 1)


@given(sides, sides, unit, unit, st.floats(0.02, 1), st.floats(0.02, 1), st.floats(0, 1))
def test_region_is_a_square_inside_the_image(
    width: int, height: int, cx: float, cy: float, w: float, h: float, margin: float
) -> None:
    face = Box(cx * width - w * width / 2, cy * height - h * height / 2, w * width, h * height)
    region = square_region(face, image_size=(width, height), margin=margin)
    assert region.width == region.height
    assert region.x >= 0 and region.y >= 0
    assert region.x + region.width <= width + 1e-6
    assert region.y + region.height <= height + 1e-6
    wanted = max(face.width, face.height) * (1 + margin)
    assert region.width == pytest.approx(min(wanted, width, height))


def test_region_keeps_the_centre_when_there_is_room() -> None:
    region = square_region(Box(100, 80, 40, 60), image_size=(400, 300), margin=0.5)
    assert region == Box(75, 65, 90, 90)


def test_region_shifts_before_it_shrinks() -> None:
    region = square_region(Box(0, 0, 50, 50), image_size=(400, 300), margin=0.2)
    assert region == Box(0, 0, 60, 60)


def test_region_shrinks_to_the_shorter_side() -> None:
    region = square_region(Box(150, 10, 280, 280), image_size=(400, 300), margin=0.5)
    assert region == Box(100, 0, 300, 300)


def test_centred_square_never_stretches() -> None:
    assert centred_square(300, 100) == Box(100, 0, 100, 100)


def test_face_crop_of_a_square_image_is_a_plain_resize() -> None:
    image = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    expected = Image.fromarray(image).resize((48, 48), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(face_crop(image, size=48), np.asarray(expected))


def test_resize_agrees_with_torchvision_antialias() -> None:
    import torch
    from torchvision.transforms.v2 import functional as tv

    image = np.random.default_rng(1).integers(0, 256, (97, 97, 3), dtype=np.uint8)
    ours = crop_resize(image, Box(0, 0, 97, 97), size=48).astype(int)
    theirs = tv.resize(torch.from_numpy(image).permute(2, 0, 1), [48, 48], antialias=True)
    assert np.abs(ours - theirs.permute(1, 2, 0).numpy().astype(int)).max() <= 1


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    image = Image.new("RGB", (40, 20), "black")
    image.paste("white", (0, 0, 20, 20))  # left half white
    exif = Image.Exif()
    exif[0x0112] = 6  # turn 90 degrees clockwise to view
    image.save(tmp_path / "turned.png", exif=exif)
    pixels = load_rgb(tmp_path / "turned.png")
    assert pixels.shape == (40, 20, 3)
    assert pixels[:18].min() == 255 and pixels[22:].max() == 0


def test_sixteen_bit_grey_keeps_its_upper_byte(tmp_path: Path) -> None:
    samples = np.array([[0, 256, 0x8000, 0xFFFF]], dtype=np.uint16)
    Image.fromarray(samples).save(tmp_path / "deep.png")
    assert load_rgb(tmp_path / "deep.png")[0, :, 0].tolist() == [0, 1, 128, 255]


def test_transparency_is_composited_on_black(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (200, 100, 50, 0)).save(tmp_path / "clear.png")
    assert load_rgb(tmp_path / "clear.png").max() == 0


@pytest.mark.parametrize("mode", ["L", "P", "LA", "1", "CMYK"])
def test_every_mode_becomes_rgb(mode: str, tmp_path: Path) -> None:
    suffix = "tif" if mode == "CMYK" else "png"
    Image.new("RGB", (9, 7), (255, 255, 255)).convert(mode).save(tmp_path / f"x.{suffix}")
    pixels = load_rgb(tmp_path / f"x.{suffix}")
    assert pixels.shape == (7, 9, 3) and pixels.dtype == np.uint8 and pixels.min() > 250


def test_missing_and_unreadable_files_say_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        load_rgb(tmp_path / "absent.png")
    Image.new("RGB", (64, 64)).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:60])
    (tmp_path / "text.png").write_text("not an image")
    for name in ("cut.png", "text.png"):
        with pytest.raises(UnreadableImage, match=name):
            load_rgb(tmp_path / name)


@pytest.mark.parametrize("suffix", sorted(image_suffixes() & {".avif", ".gif", ".png", ".tif"}))
def test_damage_of_every_sort_is_an_unreadable_image(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    blocks = np.random.default_rng(0).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    Image.fromarray(blocks).resize((24, 24)).save(path)
    whole = path.read_bytes()
    assert load_rgb(path).shape == (24, 24, 3)
    random = np.random.default_rng(1)
    refused = 0
    for _ in range(60):
        damaged = np.frombuffer(whole, dtype=np.uint8).copy()
        damaged[random.integers(0, len(whole), 4)] = random.integers(0, 256, 4)
        path.write_bytes(damaged.tobytes())
        try:
            load_rgb(path)
        except UnreadableImage:
            refused += 1
    assert refused > 5


def test_an_archive_is_told_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "faces.zip").write_bytes(b"PK")
    with pytest.raises(UnreadableImage) as caught:
        load_rgb(tmp_path / "faces.zip")
    assert "unpack it" in str(caught.value)
