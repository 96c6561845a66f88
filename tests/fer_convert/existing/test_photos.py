"""Photographs as input: where their boxes come from, and what a comparison makes of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fer_convert.artefact import FILE_NAMES
from fer_convert.existing.photos import faces_in
from fer_train.contract.errors import DataLayoutError, NotFound, ParityFailed
from fer_train.contract.pixels import Box
from tests.fer_convert.nets import Ferconv, smooth_picture


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two photographs, one of them in a folder that is named after an emotion."""
    folder = tmp_path / "photos"
    (folder / "Happy").mkdir(parents=True)
    for seed, name in enumerate(("party.jpg", "Happy/me.png")):
        Image.fromarray(smooth_picture(seed, side=120)).save(folder / name)
    return folder


def csv(folder: Path, *lines: str, name: str = "faces.csv") -> Path:
    (folder / name).write_text("\n".join(("file,x,y,width,height,label", *lines)) + "\n")
    return folder / name


def test_a_list_beside_the_pictures_names_the_faces(photos: Path) -> None:
    csv(photos, "party.jpg,10,20.5,30,40,Sad", "party.jpg,60,20,30,40,", "Happy/me.png,1,2,90,80,")
    first, second, third = faces_in(photos, None)
    assert (first.name, first.label, first.box) == ("party.jpg", "sadness", Box(10, 20.5, 30, 40))
    assert (second.name, second.label) == ("party.jpg#2", None)
    assert (third.name, third.label) == ("Happy/me.png", "happiness")


def test_json_says_the_same(photos: Path, tmp_path: Path) -> None:
    entry = {"file": "party.jpg", "box": [10, 20, 30, 40], "label": "engaged"}
    (tmp_path / "boxes.json").write_text(json.dumps({"faces": [entry]}))
    (face,) = faces_in(photos, tmp_path / "boxes.json")
    assert (face.label, face.box) == ("engaged", Box(10, 20, 30, 40))


def test_without_a_list_each_picture_is_a_face(photos: Path) -> None:
    assert {(f.name, f.label, f.box) for f in faces_in(photos, None)} == {
        ("party.jpg", None, None),
        ("Happy/me.png", "happiness", None),
    }


@pytest.mark.parametrize(
    ("line", "error", "complaint"),
    [
        ("gone.jpg,1,2,3,4,", NotFound, "not on disk"),
        ("../out.jpg,1,2,3,4,", DataLayoutError, "outside"),
        ("party.jpg,1,2,0,4,", DataLayoutError, "Face 1 .* its box is"),
        ("party.jpg,1,2,nan,4,", DataLayoutError, "its box is"),
        ("party.jpg,1,2,wide,4,", DataLayoutError, "cannot be understood"),
        ("party.jpg,1,2", DataLayoutError, "cannot be understood"),
        (",1,2,3,4,", DataLayoutError, "names no file"),
    ],
)
def test_a_wrong_line_is_named(
    photos: Path, line: str, error: type[Exception], complaint: str
) -> None:
    csv(photos, line)
    with pytest.raises(error, match=complaint):
        faces_in(photos, None)


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("b.csv", "name,left,top\na,1,2\n", "no column file, x, y"),
        ("b.csv", "", "it has nothing"),
        ("b.json", "[]", "no list of boxes"),
        ("b.json", '{"faces": 3}', "no list of boxes"),
        ("b.json", '{"faces": [7]}', "Face 1"),
    ],
)
def test_what_is_no_list_is_told_what_one_is(
    photos: Path, tmp_path: Path, name: str, text: str, complaint: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataLayoutError, match=complaint) as caught:
        faces_in(photos, tmp_path / name)
    assert "file,x,y,width,height" in str(caught.value)


def test_no_face_is_no_comparison(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text('{"faces": []}')
    with pytest.raises(ParityFailed, match="comparing nothing"):
        faces_in(photos, tmp_path / "b.json")
    with pytest.raises(NotFound):
        faces_in(photos, tmp_path / "none.csv")
    with pytest.raises(NotFound):
        faces_in(photos / "party.jpg", None)


def test_a_comparison_from_files(
    ferconv: Ferconv, tiny_build: Path, photos: Path, tmp_path: Path
) -> None:
    boxes = csv(photos, "party.jpg,10,20,60,70,Sad", "Happy/me.png,30,30,50,50,", name="b.csv")
    fp32, half = (tiny_build / FILE_NAMES[k] for k in ("torchscript", "mlpackage-fp16"))
    options = ["--photos", photos, "--boxes", boxes, "--out", tmp_path / "p"]
    ran = ferconv("parity", fp32, half, *options)
    assert ran.code == 0, ran.out + ran.err
    report = json.loads((tmp_path / "p" / "parity.json").read_text())
    pixels, artefact = report["artefacts"][:2]
    assert (pixels["title"], pixels["runtime"]) == ("photograph to pixels", "second way")
    assert "of 255 levels" in next(c["detail"] for c in pixels["checks"] if c["name"] == "pixels")
    assert artefact["cost"]["images"] == 2
    party, me = report["images"]
    assert (party["label"], party["box"]) == ("sadness", [10, 20, 60, 70])
    assert party["region"] == pytest.approx([0, 9.5, 91, 91])
    assert me["label"] == "happiness"


def test_a_wrong_way_to_cut_fails(
    ferconv: Ferconv, tiny_build: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An app that forgets the margin: the network is the same, what it sees is not."""
    from fer_convert.parity import witness

    csv(photos, "party.jpg,30,30,50,50,")
    honest = witness._square
    monkeypatch.setattr(witness, "_square", lambda b, w, h, m: honest(b, w, h, 0.0))
    files = [tiny_build / FILE_NAMES[kind] for kind in ("torchscript", "onnx")]
    ran = ferconv("parity", *files, "--photos", photos)
    assert ran.code == 40 and "because of: photograph to pixels." in ran.err


class FakeCascade:
    """OpenCV's classifier: the bright rectangle of a picture, and a smaller face beside it."""

    def __init__(self, model: str) -> None:
        assert model.endswith("haarcascade_frontalface_default.xml")

    def empty(self) -> bool:
        return False

    def detectMultiScale(
        self, grey: Any, *, scaleFactor: float, minNeighbors: int, minSize: tuple[int, int]
    ) -> list[tuple[int, int, int, int]]:
        assert grey.ndim == 2 and minSize == (24, 24) and scaleFactor > 1 and minNeighbors > 0
        rows, columns = np.nonzero(grey > 250)
        if not len(rows):
            return []
        left, top = int(columns.min()), int(rows.min())
        width, height = int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1
        return [(0, 0, 5, 5), (left, top, width, height)]


@pytest.fixture
def opencv(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    fake = ModuleType("cv2")
    fake.__dict__.update(
        __version__="4.12.0",
        COLOR_RGB2GRAY=7,
        CascadeClassifier=FakeCascade,
        data=SimpleNamespace(haarcascades="models"),
        cvtColor=lambda rgb, code: rgb[..., 1] if code == 7 else None,
        equalizeHist=lambda grey: grey,
    )
    monkeypatch.setitem(sys.modules, "cv2", fake)
    return fake


def test_a_detector_finds_the_boxes(
    ferconv: Ferconv, tiny_build: Path, photos: Path, opencv: ModuleType, tmp_path: Path
) -> None:
    party = np.zeros((120, 120, 3), np.uint8)
    party[40:80, 30:60] = 255
    Image.fromarray(party).save(photos / "Happy/lit.png")
    Image.fromarray(np.zeros((90, 90, 3), np.uint8)).save(photos / "party.jpg")
    (photos / "Happy/me.png").unlink()
    files = [tiny_build / FILE_NAMES[kind] for kind in ("torchscript", "onnx")]
    ran = ferconv("parity", *files, "--photos", photos, "--detector", "opencv", "--json")
    assert ran.code == 0, ran.err
    assert "No face was found in party.jpg." in ran.err
    (image,) = json.loads(ran.out)["images"]
    assert (image["name"], image["box"]) == ("Happy/lit.png", [30, 40, 30, 40])


def test_a_detector_that_is_missing_or_finds_nothing(
    ferconv: Ferconv,
    tiny_build: Path,
    photos: Path,
    opencv: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = [tiny_build / FILE_NAMES[kind] for kind in ("torchscript", "onnx")]
    asked = ("parity", *files, "--photos", photos, "--detector", "opencv")
    monkeypatch.setattr(FakeCascade, "detectMultiScale", lambda *_, **__: [])
    ran = ferconv(*asked)
    assert ran.code == 40 and "no face in any of 2 pictures" in ran.err
    del opencv.__dict__["CascadeClassifier"]  # as in OpenCV 5
    assert ferconv(*asked).code == 6
    monkeypatch.setitem(sys.modules, "cv2", None)
    ran = ferconv(*asked)
    assert ran.code == 6 and "pip install 'fer-toolchain[detector]'" in ran.err


def test_options_that_contradict_each_other(ferconv: Ferconv, tmp_path: Path) -> None:
    for more in (["--boxes", "b.csv"], ["--detector", "opencv"]):
        assert ferconv("parity", "a", "b", *more).code == 2
    both = ["--photos", tmp_path, "--boxes", "b.csv", "--detector", "opencv"]
    assert ferconv("parity", "a", "b", *both).code == 2
