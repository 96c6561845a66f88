"""The tracked fixtures are what the generator draws, and each hard case is as hard as it claims."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fer_train.contract.files import sha256_file, size_bytes
from fer_train.contract.labels import EMOTIONS
from fer_train.contract.pixels import face_crop, load_rgb
from fixtures.generate import (
    FACES_PER_EMOTION,
    HERE,
    MANIFEST,
    Drawn,
    differences,
    draw_all,
    main,
    write,
)
from fixtures.hard_cases import HARD_CASES

MODES = {
    "flat-grey.png": ("RGB", (128, 128)),
    "noise.png": ("RGB", (64, 64)),
    "black.png": ("RGB", (128, 128)),
    "white.png": ("RGB", (128, 128)),
    "tall.png": ("RGB", (96, 200)),
    "wide.png": ("RGB", (200, 96)),
    "tiny.png": ("RGB", (7, 7)),
    "large.png": ("RGB", (1500, 1500)),
    "rgba.png": ("RGBA", (128, 128)),
    "grey-16-bit.png": ("I;16", (128, 128)),
    "grey.png": ("L", (128, 128)),
    "palette.png": ("P", (128, 128)),
    "exif-rotated.jpg": ("RGB", (160, 144)),
}


@pytest.fixture(scope="module")
def drawn() -> list[Drawn]:
    return list(draw_all())


@pytest.fixture(scope="module")
def entries() -> list[dict[str, Any]]:
    record = json.loads((HERE / MANIFEST).read_text(encoding="utf-8"))
    files: list[dict[str, Any]] = record["files"]
    return files


def test_check_passes_on_what_is_tracked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().err


def test_check_names_every_difference(tmp_path: Path, drawn: list[Drawn]) -> None:
    for name in ("faces", "hard"):
        shutil.copytree(HERE / name, tmp_path / name)
    shutil.copy(HERE / MANIFEST, tmp_path / MANIFEST)
    assert differences(drawn, root=tmp_path) == []

    (tmp_path / "faces" / "anger-0.png").unlink()
    shutil.copy(tmp_path / "faces" / "fear-1.png", tmp_path / "faces" / "fear-0.png")
    shutil.copy(tmp_path / "faces" / "fear-1.png", tmp_path / "faces" / "extra.png")
    named = {line.partition(":")[0] for line in differences(drawn, root=tmp_path)}
    assert named == {"faces/anger-0.png", "faces/fear-0.png", "faces/extra.png"}

    write(drawn, root=tmp_path)
    assert differences(drawn, root=tmp_path) == []
    assert not (tmp_path / "faces" / "extra.png").exists()


def test_check_sees_a_file_whose_manifest_was_changed_with_it(
    tmp_path: Path, drawn: list[Drawn]
) -> None:
    write(drawn, root=tmp_path)
    forged = tmp_path / "faces" / "fear-0.png"
    shutil.copy(tmp_path / "faces" / "fear-1.png", forged)
    path = tmp_path / MANIFEST
    record = json.loads(path.read_text(encoding="utf-8"))
    entry = next(entry for entry in record["files"] if entry["name"] == "faces/fear-0.png")
    entry["sha256"] = sha256_file(forged)
    path.write_text(json.dumps(record), encoding="utf-8")
    assert differences(drawn, root=tmp_path) == [
        "faces/fear-0.png: the generator draws something else"
    ]


def test_manifest_agrees_with_the_files(entries: list[dict[str, Any]]) -> None:
    for entry in entries:
        path = HERE / entry["name"]
        assert entry["sha256"] == sha256_file(path)
        assert entry["bytes"] == path.stat().st_size
        with Image.open(path) as image:
            assert (entry["width"], entry["height"], entry["mode"]) == (*image.size, image.mode)


def test_four_different_faces_per_emotion(entries: list[dict[str, Any]]) -> None:
    faces = [entry for entry in entries if entry["kind"] == "face"]
    labels = [entry["label"] for entry in faces]
    assert labels == [name for name in EMOTIONS for _ in range(FACES_PER_EMOTION)]
    assert len({entry["sha256"] for entry in faces}) == 32
    assert all(entry["label"] is None for entry in entries if entry["kind"] == "hard")


def test_the_fixtures_stay_small() -> None:
    assert size_bytes(HERE / "faces") + size_bytes(HERE / "hard") < 1_500_000


@pytest.mark.parametrize("name", sorted(HARD_CASES))
def test_a_hard_case_has_the_mode_and_size_it_claims(name: str) -> None:
    with Image.open(HERE / "hard" / name) as image:
        assert (image.mode, image.size) == MODES[name]


@pytest.mark.parametrize("name", sorted(HARD_CASES))
def test_a_hard_case_decodes_to_a_square_crop(name: str) -> None:
    assert face_crop(load_rgb(HERE / "hard" / name), size=48).shape == (48, 48, 3)


def test_constant_images_are_constant() -> None:
    for name, value in (("black", 0), ("white", 255), ("flat-grey", 127)):
        assert np.unique(load_rgb(HERE / "hard" / f"{name}.png")).tolist() == [value]


def test_alpha_and_sixteen_bits_are_really_used() -> None:
    with Image.open(HERE / "hard" / "rgba.png") as image:
        assert image.getchannel("A").getextrema() == (0, 255)
    with Image.open(HERE / "hard" / "grey-16-bit.png") as image:
        samples = np.asarray(image)
    assert samples.max() > 255
    assert (samples & 0xFF).max() > 0


def test_the_rotated_jpeg_stands_upright_once_its_exif_is_applied() -> None:
    path = HERE / "hard" / "exif-rotated.jpg"
    with Image.open(path) as image:
        assert image.getexif()[0x0112] == 6
        stored = np.asarray(image)
    upright = load_rgb(path)
    assert upright.shape == (160, 144, 3)
    assert np.array_equal(upright, np.rot90(stored, k=-1))
