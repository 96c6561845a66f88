"""Reading the images of a parity run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fer_convert.parity.fixtures import load_fixtures, recrop
from fer_train.contract.errors import (
    DataLayoutError,
    NotFound,
    ParityFailed,
    UnreadableImage,
)
from fer_train.contract.files import sha256_file
from fer_train.contract.pixels import face_crop, load_rgb
from fer_train.contract.preprocess import PreprocessSpec

SPEC = PreprocessSpec(input_size=32)


def draw(path: Path, *, seed: int = 0, size: tuple[int, int] = (50, 40)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def write_manifest(folder: Path, **changes: Any) -> None:
    path = draw(folder / "faces/fear-0.png")
    entry = {"name": "faces/fear-0.png", "sha256": sha256_file(path), "kind": "face"}
    record = {"files": [{**entry, "label": "fear", **changes}]}
    (folder / "manifest.json").write_text(json.dumps(record))


def test_the_manifest_decides(tmp_path: Path) -> None:
    write_manifest(tmp_path)
    draw(tmp_path / "faces/unlisted.png")
    (fixture,) = load_fixtures(tmp_path, spec=SPEC)
    assert (fixture.name, fixture.kind, fixture.label) == ("faces/fear-0.png", "face", "fear")
    assert fixture.image.dtype == np.uint8
    np.testing.assert_array_equal(fixture.image, face_crop(load_rgb(fixture.path), size=32))


@pytest.mark.parametrize(
    ("changes", "error", "complaint"),
    [
        ({"sha256": "0" * 64}, DataLayoutError, "sha256 differs"),
        ({"name": "faces/gone.png"}, NotFound, "in the manifest but not on disk"),
        ({"name": "../outside.png"}, DataLayoutError, "outside"),
        ({"kind": "funny"}, DataLayoutError, "not a manifest"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused(
    tmp_path: Path, changes: dict[str, Any], error: type[Exception], complaint: str
) -> None:
    folder = tmp_path / "fixtures"
    write_manifest(folder, **changes)
    with pytest.raises(error, match=complaint):
        load_fixtures(folder, spec=SPEC)


@pytest.mark.parametrize("text", ["{", "[]", '{"files": [{}]}', '{"files": [1]}'])
def test_a_manifest_of_another_kind_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(DataLayoutError, match="not a manifest of fixtures"):
        load_fixtures(tmp_path, spec=SPEC)


def test_a_plain_folder_and_folders_named_after_emotions(tmp_path: Path) -> None:
    draw(tmp_path / "me.png", seed=1)
    draw(tmp_path / "Happy" / "friend.jpg", seed=2)
    draw(tmp_path / "holiday" / "beach.PNG", seed=3)
    (tmp_path / "notes.txt").write_text("not an image")
    labels = {f.name: f.label for f in load_fixtures(tmp_path, spec=SPEC)}
    assert labels == {
        "me.png": None,
        "Happy/friend.jpg": "happiness",
        "holiday/beach.PNG": None,
    }


def test_clutter_is_skipped_and_links_are_followed(tmp_path: Path) -> None:
    draw(tmp_path / "faces" / "me.png")
    for name in ("@eaDir/me.png/thumb.png", "._me.png", ".ipynb_checkpoints/me-checkpoint.png"):
        (tmp_path / "faces" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "faces" / name).write_bytes(b"no picture")
    draw(tmp_path / "elsewhere" / "friend.jfif.png").rename(tmp_path / "elsewhere" / "friend.jfif")
    (tmp_path / "faces" / "Sad").symlink_to(tmp_path / "elsewhere")
    found = {f.name: f.label for f in load_fixtures(tmp_path / "faces", spec=SPEC)}
    assert found == {"Sad/friend.jfif": "sadness", "me.png": None}


@pytest.mark.parametrize(("name", "fix"), [("f.zip", "unpack it"), ("f.png", "the folder around")])
def test_a_file_is_no_folder(tmp_path: Path, name: str, fix: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(DataLayoutError, match="is a file") as caught:
        load_fixtures(tmp_path / name, spec=SPEC)
    assert fix in str(caught.value)


def test_an_empty_folder_is_no_comparison(tmp_path: Path) -> None:
    with pytest.raises(ParityFailed, match="comparing nothing"):
        load_fixtures(tmp_path, spec=SPEC)
    (tmp_path / "shot.dng").write_bytes(b"raw")
    with pytest.raises(ParityFailed, match=r"but shot\.dng and the like"):
        load_fixtures(tmp_path, spec=SPEC)
    (tmp_path / "manifest.json").write_text('{"files": []}')
    with pytest.raises(ParityFailed, match="comparing nothing"):
        load_fixtures(tmp_path, spec=SPEC)
    with pytest.raises(NotFound):
        load_fixtures(tmp_path / "nowhere", spec=SPEC)


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG nothing more")
    with pytest.raises(UnreadableImage, match=r"broken\.png"):
        load_fixtures(tmp_path, spec=SPEC)


def test_a_name_that_is_not_utf8_can_be_printed(tmp_path: Path) -> None:
    target = tmp_path / "gr\udcfcn.png"  # Latin-1 "grün.png" as Linux shows it
    try:
        draw(tmp_path / "plain.png").rename(target)
    except OSError:
        pytest.skip("this file system only takes UTF-8 names")
    (fixture,) = load_fixtures(tmp_path, spec=SPEC)
    assert fixture.name.encode() == b"gr\\udcfcn.png"


def test_recropping(tmp_path: Path) -> None:
    """A 100 px face in a 130 px square: margin 0.3 shows the square, margin 0 the face alone."""
    pixels = np.zeros((130, 130, 3), dtype=np.uint8)
    pixels[12:118, 12:118] = 200  # three pixels more than the face: the resize filter's reach
    Image.fromarray(pixels).save(tmp_path / "face.png")
    (fixture,) = load_fixtures(tmp_path, spec=SPEC)
    assert fixture.image.min() == 0
    assert recrop(fixture, spec=SPEC, margin=0.0).image.min() == 200
    np.testing.assert_array_equal(recrop(fixture, spec=SPEC, margin=0.3).image, fixture.image)
    with pytest.raises(ValueError, match="cannot show"):
        recrop(fixture, spec=SPEC, margin=0.5)
