"""``fertrain data check``: what it finds, what it writes, and what ``--exclude`` makes of it."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fer_train.config.options import TrainConfig
from fer_train.contract.errors import DataLayoutError
from fer_train.data.check.exclude import read_exclusions
from fer_train.data.dataset import DataRequest, find_faces
from fer_train.data.request import find_configured_faces
from fer_train.data.samples import SPLITS
from fer_train.progress.reporter import PlainReporter
from tests.fer_train.data.trees import picture, save, write_fer2013, write_noamsegal
from tests.fer_train.faces import SMALLEST, Fertrain


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    """Two classes in three splits; one of every kind of finding."""
    root = tmp_path / "messy"
    for split in SPLITS:
        for index, name in enumerate(("happy", "sad")):
            for number in range(4):
                seed = SPLITS.index(split) * 100 + index * 10 + number
                save(root / split / name / f"{number}.png", seed, size=64)
    train, val, test = (root / split for split in SPLITS)
    (train / "sad" / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 torn")
    (val / "sad" / "empty.png").write_bytes(b"")
    shutil.copy(val / "happy" / "0.png", train / "happy" / "leak.png")
    near = Image.fromarray(picture(201, 64)).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    near.save(val / "happy" / "near-leak.jpg", quality=85)  # of test/happy/1.png
    shutil.copy(train / "happy" / "1.png", train / "sad" / "conflict.png")
    shutil.copy(train / "happy" / "2.png", train / "happy" / "copy.png")
    Image.fromarray(picture(3, 64)).resize((90, 90)).save(train / "happy" / "resized.png")
    Image.fromarray(picture(12, 64)).resize((90, 90)).save(train / "happy" / "other-label.png")
    Image.new("RGB", (64, 64), "black").save(train / "happy" / "black.png")
    Image.new("RGB", (64, 64), "white").save(test / "happy" / "white.png")
    Image.fromarray(picture(900, 64)).resize((120, 60)).save(test / "sad" / "wide.png")
    save(test / "sad" / "tiny.png", 901, size=20)
    save(val / "fear" / "0.png", 902, size=64)
    for path in test.rglob("*.png"):
        Image.open(path).convert("L").save(path)
    return root


def check(fertrain: Fertrain, source: Path, out: Path, *options: object) -> dict[str, Any]:
    ran = fertrain("data", "check", source, "--out", out, "--json", *options)
    assert ran.code == 0, ran.err
    document: dict[str, Any] = json.loads(ran.out)
    assert document == json.loads((out / "findings.json").read_text())
    return document


def names_in(document: dict[str, Any], kind: str) -> list[list[str]]:
    """The images of every group of a kind."""
    (finding,) = [f for f in document["findings"] if f["kind"] == kind]
    return [[image["name"] for image in group["images"]] for group in finding["groups"]]


def test_every_kind_is_found_once(messy: Path, tmp_path: Path, fertrain: Fertrain) -> None:
    found = check(fertrain, messy, tmp_path / "out")
    assert [finding["kind"] for finding in found["findings"]] == [
        "unreadable",
        "class-missing",
        "leak",
        "near-leak",
        "conflict",
        "blank",
        "near-conflict",
        "duplicate",
        "near-duplicate",
        "odd-shape",
        "tiny",
        "grey-mix",
    ]
    assert names_in(found, "unreadable") == [["train/sad/torn.jpg"], ["val/sad/empty.png"]]
    assert names_in(found, "leak") == [["train/happy/leak.png", "val/happy/0.png"]]
    assert names_in(found, "near-leak") == [["val/happy/near-leak.jpg", "test/happy/1.png"]]
    assert names_in(found, "conflict") == [["train/happy/1.png", "train/sad/conflict.png"]]
    assert names_in(found, "blank") == [["train/happy/black.png"], ["test/happy/white.png"]]
    assert names_in(found, "near-conflict") == [["train/happy/other-label.png", "train/sad/2.png"]]
    # Equal pictures in one folder, and the conflicting ones, which lie in one split as well.
    assert ["train/happy/2.png", "train/happy/copy.png"] in names_in(found, "duplicate")
    assert ["train/happy/3.png", "train/happy/resized.png"] in names_in(found, "near-duplicate")
    assert names_in(found, "odd-shape") == [["test/sad/wide.png"]]
    assert names_in(found, "tiny") == [["test/sad/tiny.png"]]
    notes = {f["kind"]: [g["note"] for g in f["groups"]] for f in found["findings"]}
    assert notes["unreadable"][1] == "cannot be decoded as an image: it is empty."
    assert notes["class-missing"] == ["train: no fear", "test: no fear"]
    assert notes["odd-shape"] == ["120 x 60 px"]
    assert "test 100%" in notes["grey-mix"][0] and "train" in notes["grey-mix"][0]
    amounts = {f["kind"]: f"{f['count']} {f['unit']}" for f in found["findings"]}
    assert amounts["class-missing"] == "2 splits" and amounts["duplicate"] == "4 images"
    assert str(tmp_path) not in json.dumps(found)  # the file may travel
    assert found["counts"]["val"] == {"fear": 1, "happiness": 5, "sadness": 5}
    assert found["sizes"]["smallest"] == [20, 20] and found["sizes"]["largest"] == [90, 90]


def test_what_is_excluded_and_why(messy: Path, tmp_path: Path, fertrain: Fertrain) -> None:
    found = check(fertrain, messy, tmp_path / "out")
    reasons = {entry["name"]: entry["reason"] for entry in found["exclude"]}
    assert reasons == {
        "train/sad/torn.jpg": "unreadable",
        "val/sad/empty.png": "unreadable",
        "train/happy/leak.png": "leak",
        "val/happy/near-leak.jpg": "near-leak",
        "train/happy/1.png": "conflict",
        "train/sad/conflict.png": "conflict",
        "train/happy/black.png": "blank",
        "train/happy/copy.png": "duplicate",
    }
    path = tmp_path / "out" / "findings.json"
    assert read_exclusions(path).reasons == reasons
    # What remains is clean, but for what is only worth knowing and what belongs to val and test.
    rest = check(fertrain, messy, tmp_path / "rest", "--exclude", path)
    kinds = [f["kind"] for f in rest["findings"] if f["severity"] == "problem"]
    assert kinds == ["class-missing", "blank"]
    assert names_in(rest, "blank") == [["test/happy/white.png"]]
    assert rest["exclude"] == []


def test_excluded_images_are_not_trained_on(
    messy: Path, tmp_path: Path, fertrain: Fertrain
) -> None:
    shutil.rmtree(messy / "val" / "fear")
    check(fertrain, messy, tmp_path / "out")
    path = tmp_path / "out" / "findings.json"
    train = ("train", "--data", messy, *SMALLEST, "--epochs", 1, "--prune", 0, "--batch-size", 4)
    train = (*train, "--device", "cpu")
    stopped = fertrain(*train, "--out", tmp_path / "a")
    assert stopped.code == 22 and "torn.jpg" in stopped.err and "--exclude" in stopped.err
    ran = fertrain(*train, "--out", tmp_path / "b", "--exclude", path)
    assert ran.code == 0, ran.err
    assert "2 images excluded as conflict" in ran.err
    record = json.loads((tmp_path / "b" / "data.json").read_text())
    assert record["left_out"] == {
        "excluded as blank": 1,
        "excluded as conflict": 2,
        "excluded as duplicate": 1,
        "excluded as leak": 1,
        "excluded as near-leak": 1,
        "excluded as unreadable": 2,
    }
    found = find_faces(messy, DataRequest(exclude=path))
    assert not set(read_exclusions(path).reasons) & {
        n for s in found.splits.values() for n in s.paths
    }


def test_the_report_holds_its_pictures_and_asks_for_nothing(
    messy: Path, tmp_path: Path, fertrain: Fertrain
) -> None:
    (messy / "train" / "happy" / "a<b>&.png").write_bytes(b"nothing")
    check(fertrain, messy, tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<script" not in page and not re.search(r'(?:src|href)="(?!data:|#)', page)
    sources = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    assert len(sources) >= 15
    sizes = [Image.open(io.BytesIO(base64.b64decode(source))).size for source in sources]
    assert (72, 36) in sizes  # the wide one is shown whole
    assert page.count('<div class="broken">') == 3
    assert "a&lt;b&gt;&amp;.png" in page and "a<b>" not in page
    assert str(tmp_path) not in page


def test_clean_data(tmp_path: Path, fertrain: Fertrain) -> None:
    for split in ("train", "val"):
        for index, name in enumerate(("happy", "sad")):
            save(tmp_path / "faces" / split / name / "a.png", 10 * index + len(split))
    ran = fertrain("data", "check", tmp_path / "faces", "--out", tmp_path / "out", "--strict")
    assert ran.code == 0 and "Nothing found." in ran.out
    assert "--exclude" not in ran.out
    page = (tmp_path / "out" / "report.html").read_text()
    assert 'class="banner good"' in page


def test_strict_and_the_printed_summary(messy: Path, tmp_path: Path, fertrain: Fertrain) -> None:
    before = sorted(messy.rglob("*"))
    ran = fertrain("data", "check", messy, "--out", tmp_path / "out", "--strict")
    assert ran.code == 23 and "report.html" in ran.err
    assert "problem: The same picture in two splits: 2 images in 1 group" in ran.out
    assert "train/happy/leak.png, val/happy/0.png (train 1, val 1)" in ran.out
    assert f"--exclude {tmp_path / 'out' / 'findings.json'}" in ran.out
    assert sorted(messy.rglob("*")) == before
    # Again: replaces its own report, decodes nothing.
    assert fertrain("data", "check", messy, "--out", tmp_path / "out", "--quiet").out == ""


def test_another_folder_is_not_overwritten(messy: Path, tmp_path: Path, fertrain: Fertrain) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("x")
    ran = fertrain("data", "check", messy, "--out", tmp_path / "out")
    assert ran.code == 31 and (tmp_path / "out" / "mine.txt").exists()


def test_pixels_in_a_csv_are_checked_like_files(tmp_path: Path, fertrain: Fertrain) -> None:
    path = tmp_path / "fer2013.csv"
    write_fer2013(path)
    lines = path.read_text().splitlines()
    lines.append(lines[1].replace("Training", "PublicTest"))
    lines.append("2,1 2 3,Training")
    path.write_text("\n".join(lines) + "\n")
    found = check(fertrain, path, tmp_path / "out")
    assert names_in(found, "leak") == [["fer2013.csv:2", "fer2013.csv:6"]]
    assert names_in(found, "unreadable") == [["fer2013.csv:7"]]
    assert {e["name"] for e in found["exclude"]} == {"fer2013.csv:2", "fer2013.csv:7"}


def test_folder_against_csv_is_a_finding(tmp_path: Path, fertrain: Fertrain) -> None:
    write_noamsegal(tmp_path / "archive")
    found = check(fertrain, tmp_path / "archive", tmp_path / "out")
    assert names_in(found, "disagreement") == [["anger/image0000006.jpg"]]
    missing = next(f for f in found["findings"] if f["kind"] == "missing")
    assert missing["groups"][0]["note"] == "sad/image0000099.jpg"
    assert list(found["counts"]) == ["all"]


def test_findings_of_other_data_or_no_findings(tmp_path: Path, fertrain: Fertrain) -> None:
    for name in ("happy", "sad"):
        save(tmp_path / "faces" / name / "a.png")
    path = tmp_path / "findings.json"
    entry = {"name": "elsewhere/a.png", "reason": "leak"}
    good = {"schema": "fertrain.data-check", "version": 1, "exclude": [entry]}
    for content, needle in (
        (json.dumps(good), "none of which is in"),
        (json.dumps(good | {"version": 2}), "version 1"),
        (json.dumps(good | {"exclude": [{"name": "x"}]}), "damaged"),
        (json.dumps([1]), "not a findings file"),
        ("{", "not JSON"),
    ):
        path.write_text(content)
        ran = fertrain(
            "data", "check", tmp_path / "faces", "--exclude", path, "--out", tmp_path / "o"
        )
        assert ran.code == 20 and needle in ran.err, ran.err
    ran = fertrain("data", "check", tmp_path / "faces", "--exclude", tmp_path)
    assert ran.code == 4 and "findings.json" in ran.err


def found_in(fertrain: Fertrain, root: Path, out: Path) -> Path:
    """A data set with one image too many in train; returns its findings."""
    for split in ("train", "val"):
        for index, name in enumerate(("happy", "sad")):
            for number in range(2):
                save(root / split / name / f"{number}.png", 10 * index + number + len(split))
    shutil.copy(root / "train" / "sad" / "0.png", root / "train" / "sad" / "1.png")
    found = check(fertrain, root, out)
    (entry,) = found["exclude"]
    assert entry["name"] == "train/sad/1.png" and len(entry["sha256"]) == 64
    return out / "findings.json"


def test_findings_of_other_data_exclude_nothing(tmp_path: Path, fertrain: Fertrain) -> None:
    """Numbered files have the same names everywhere: what they show decides."""
    path = found_in(fertrain, tmp_path / "five", tmp_path / "out")
    other = tmp_path / "faces"
    for split in ("train", "val"):
        for index, name in enumerate(("happy", "sad")):
            for number in range(2):
                save(other / split / name / f"{number}.png", 500 + 10 * index + number + len(split))
    with pytest.raises(DataLayoutError, match="none of which is in") as caught:
        find_faces(other, DataRequest(exclude=path))
    assert "1 with such a name hold other content" in str(caught.value)
    assert "written for five" in str(caught.value)
    # Moved and renamed, it is the same data set; who repaired an image keeps it, and is told.
    moved = tmp_path / "six"
    (tmp_path / "five").rename(moved)
    found = find_faces(moved, DataRequest(exclude=path))
    assert "train/sad/1.png" not in found.splits["train"].paths and found.warnings == ()
    assert "1 image excluded as duplicate" in found.notes
    document = json.loads(path.read_text())
    document["exclude"].append({"name": "train/sad/0.png", "reason": "leak", "sha256": "0" * 64})
    path.write_text(json.dumps(document))
    found = find_faces(moved, DataRequest(exclude=path))
    assert "train/sad/0.png" in found.splits["train"].paths
    (warning,) = found.warnings
    assert "1 image such as train/sad/0.png" in warning and "stay" in warning


def test_findings_without_contents_warn_of_another_folder(
    tmp_path: Path, fertrain: Fertrain, capfd: pytest.CaptureFixture[str]
) -> None:
    """As earlier versions wrote them."""
    root = tmp_path / "five"
    path = found_in(fertrain, root, tmp_path / "out")
    document = json.loads(path.read_text())
    for entry in document["exclude"]:
        del entry["sha256"]
    path.write_text(json.dumps(document))
    assert find_faces(root, DataRequest(exclude=path)).warnings == ()
    root.rename(tmp_path / "faces")
    (warning,) = find_faces(tmp_path / "faces", DataRequest(exclude=path)).warnings
    assert "written for a folder five, this one is faces" in warning
    ran = fertrain(
        *("data", "check", tmp_path / "faces", "--exclude", path, "--out", tmp_path / "again")
    )
    assert "warning: " in ran.out and "written for a folder five" in ran.out
    find_configured_faces(
        TrainConfig(data=str(tmp_path / "faces"), arch="resnet101", exclude=str(path)),
        cache=tmp_path / "cache",
        reporter=PlainReporter(),
        check_stop=lambda: None,
    )
    assert "warning   " in (said := capfd.readouterr().err) and "for a folder five" in said


def test_what_is_dropped_is_said_once(tmp_path: Path, fertrain: Fertrain) -> None:
    write_noamsegal(tmp_path / "archive")
    ran = fertrain(
        *("data", "check", tmp_path / "archive", "--labels-from", "drop", "--out", tmp_path / "out")
    )
    assert ran.code == 0, ran.err
    lines = [line.strip() for line in ran.out.splitlines() if "disagree" in line]
    notes = [line for line in lines if not line.startswith("problem")]
    assert notes == [
        "1 image whose folder and CSV row disagree (anger/image0000006.jpg: folder anger, "
        "CSV surprise) left out"
    ]
    assert "1 row names a file not here, such as sad/image0000099.jpg" in ran.out
    kept = fertrain(
        *("data", "check", tmp_path / "archive", "--labels-from", "csv", "--out", tmp_path / "out")
    )
    assert "CSV surprise)\n" in kept.out


def test_links_that_lead_nowhere_are_findings(tmp_path: Path, fertrain: Fertrain) -> None:
    for number, name in enumerate(("happy", "sad")):
        save(tmp_path / "faces" / name / "a.png", number)
    (tmp_path / "faces/sad/gone.png").symlink_to(tmp_path / "unmounted/gone.png")
    (tmp_path / "faces/sad/self.png").symlink_to("self.png")
    document = check(fertrain, tmp_path / "faces", tmp_path / "out", "--cache", tmp_path / "cache")
    assert names_in(document, "unreadable") == [["sad/gone.png"], ["sad/self.png"]]
    assert {entry["name"] for entry in document["exclude"]} == {"sad/gone.png", "sad/self.png"}
    # What was seen is kept; a link that leads somewhere again is looked at again.
    save(tmp_path / "unmounted/gone.png", 5)
    document = check(fertrain, tmp_path / "faces", tmp_path / "out", "--cache", tmp_path / "cache")
    assert names_in(document, "unreadable") == [["sad/self.png"]]
