"""Two ways from a file to pixels, which share no line, agree to a level of rounding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_convert.parity.fixtures import Fixture
from fer_convert.parity.pixels import MOST_LEVELS, compare_pixels
from fer_convert.parity.witness import cut_face
from fer_train.contract.errors import UnreadableImage
from fer_train.contract.pixels import Box, crop_resize, face_crop, load_rgb, square_region
from fer_train.contract.preprocess import PreprocessSpec
from tests.fer_convert.nets import smooth_picture
from tests.fer_convert.parity.answers import predict
from tests.paths import REPOSITORY

SPEC = PreprocessSpec(input_size=48)


def as_training_cuts(path: Path, box: Box | None, spec: PreprocessSpec = SPEC) -> np.ndarray:
    picture = load_rgb(path)
    if box is None:
        return face_crop(picture, size=spec.input_size)
    height, width = picture.shape[:2]
    region = square_region(box, image_size=(width, height), margin=spec.crop_margin)
    return crop_resize(picture, region, size=spec.input_size)


def levels(first: np.ndarray, second: np.ndarray) -> int:
    return int(np.abs(first.astype(int) - second).max())


def photo(path: Path, *, size: tuple[int, int] = (300, 200), **options: object) -> Path:
    picture = Image.fromarray(smooth_picture(3, side=max(size))[: size[1], : size[0]])
    picture.save(path, **options)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("name", sorted(p.name for p in (REPOSITORY / "fixtures/hard").iterdir()))
def test_every_hard_picture(name: str) -> None:
    path = REPOSITORY / "fixtures/hard" / name
    for box in (None, Box(3.2, 4.1, 11.7, 13.5)):
        cut = cut_face(path, box, spec=SPEC)
        assert levels(as_training_cuts(path, box), cut.pixels) <= 1
        assert cut.decoded_apart == (name != "palette.png")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = photo(tmp_path / "turned.jpg", exif=exif, quality=95)
    box = Box(30, 20, 80, 90)
    cut = cut_face(path, box, spec=SPEC)
    assert cut.decoded_apart and levels(as_training_cuts(path, box), cut.pixels) <= 1


@pytest.mark.parametrize(
    "box",
    [
        *(Box(-20, 150, 90, 90), Box(250, -10, 80, 60), Box(0, 0, 300, 200), Box(60, 10, 200, 180)),
        *(Box(100.4, 80.7, 11.1, 9.3), Box(299, 199, 40, 40)),
    ],
    ids=["left", "right", "whole", "too large", "small", "corner"],
)
@pytest.mark.parametrize("margin", [0.0, 0.3, 1.0])
def test_boxes_anywhere(tmp_path: Path, box: Box, margin: float) -> None:
    path = photo(tmp_path / "photo.jpg", quality=90)
    spec = PreprocessSpec(input_size=48, crop_margin=margin)
    assert levels(as_training_cuts(path, box, spec), cut_face(path, box, spec=spec).pixels) <= 1


@pytest.mark.parametrize("suffix", [".bmp", ".webp", ".gif"])
def test_what_torchvision_does_not_decode_is_said(tmp_path: Path, suffix: str) -> None:
    path = photo(tmp_path / f"photo{suffix}")
    cut = cut_face(path, None, spec=SPEC)
    assert not cut.decoded_apart
    assert levels(as_training_cuts(path, None), cut.pixels) <= 1


def test_transparency_that_is_a_colour_is_left_to_pillow(tmp_path: Path) -> None:
    grey = Image.fromarray(smooth_picture(1, side=64)).convert("L")
    grey.save(tmp_path / "keyed.png", transparency=int(np.asarray(grey)[0, 0]))
    cut = cut_face(tmp_path / "keyed.png", None, spec=SPEC)
    assert not cut.decoded_apart
    assert levels(as_training_cuts(tmp_path / "keyed.png", None), cut.pixels) <= 1


def test_a_damaged_picture_is_an_error_of_the_usual_kind(tmp_path: Path) -> None:
    (tmp_path / "cut.png").write_bytes(photo(tmp_path / "a.png").read_bytes()[:200])
    with pytest.raises(UnreadableImage):
        cut_face(tmp_path / "cut.png", None, spec=SPEC)


def judged(first: np.ndarray, second: np.ndarray) -> tuple[str, str]:
    faces = [
        [Fixture(name="a.png", kind="face", label=None, image=pixels, path=Path("a.png"))]
        for pixels in (first, second)
    ]
    answers = [predict(4, 0, 0)]
    parity = compare_pixels(*faces, reference=answers, predictions=answers, way="second way")
    return parity.verdict, parity.checks[0].detail


def test_every_mistake_on_the_way_is_seen_in_the_pixels(tmp_path: Path) -> None:
    """Another margin, channels swapped, another filter, half a pixel: all beyond rounding."""
    path = photo(tmp_path / "photo.jpg", quality=95)
    box = Box(90, 40, 80, 90)
    honest = as_training_cuts(path, box)
    assert judged(honest, cut_face(path, box, spec=SPEC).pixels)[0] == "PASS"
    wrong = PreprocessSpec(input_size=48, crop_margin=0.25)
    mistakes = {
        "margin": cut_face(path, box, spec=wrong).pixels,
        "bgr": honest[..., ::-1],
        "half a pixel": cut_face(path, box._replace(x=90.5), spec=SPEC).pixels,
        "mirrored": honest[:, ::-1],
    }
    picture = load_rgb(path)
    region = square_region(box, image_size=(300, 200), margin=0.3)
    nearest = Image.fromarray(picture).resize(
        (48, 48), Image.Resampling.NEAREST, box=(region.x, region.y, *_end(region))
    )
    mistakes["nearest"] = np.asarray(nearest)
    for name, pixels in mistakes.items():
        verdict, detail = judged(honest, pixels)
        assert verdict == "FAIL", f"{name}: {detail}"
    # A little brighter everywhere is no rounding, though no pixel is far off.
    brighter = np.clip(honest.astype(int) + 1, 0, 255).astype(np.uint8)
    assert levels(honest, brighter) <= MOST_LEVELS
    assert judged(honest, brighter)[0] == "FAIL"


def _end(region: Box) -> tuple[float, float]:
    return region.x + region.width, region.y + region.height
