"""Every layout is recognised by its own files, and its labels mean what their authors say."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from fer_train.config.options import LabelsFrom, LayoutName
from fer_train.contract.errors import DataLayoutError
from fer_train.contract.labels import EMOTIONS
from fer_train.contract.pixels import Box
from fer_train.data.dataset import DataRequest, find_faces
from fer_train.data.images import decode, read_content
from fer_train.data.label_order import named_table, read_label_order
from fer_train.data.layouts import AUTO, LAYOUTS, recognise
from fer_train.data.samples import Listing, ReadOptions
from tests.fer_train.data.trees import (
    FERPLUS_HEADER,
    labels_of,
    picture,
    pixels,
    save,
    write_affectnet_2017,
    write_affectnet_2021,
    write_fer2013,
    write_noamsegal,
    write_rafdb,
    write_rafdb_kaggle,
)


def read(path: Path, expected: str, options: ReadOptions | None = None) -> Listing:
    """Recognise ``path``, which must be of the layout ``expected``, and read it."""
    layout, place = recognise(path)
    assert layout.name == expected
    return layout.read(place, options or ReadOptions())


def test_the_command_line_names_every_layout() -> None:
    assert get_args(LayoutName) == (AUTO, *(layout.name for layout in LAYOUTS))


@pytest.mark.parametrize("lists", ["", "Manually_Annotated_file_lists"])
@pytest.mark.parametrize("header", [True, False])
def test_affectnet_2017(tmp_path: Path, lists: str, header: bool) -> None:
    write_affectnet_2017(tmp_path, lists=lists, header=header)
    found = read(tmp_path, "affectnet-csv")
    assert labels_of(found.samples) == {
        "Manually_Annotated_Images/1/1f.jpg": "neutral",  # AffectNet's own order
        "Manually_Annotated_Images/2/2f.jpg": "contempt",
        "Manually_Annotated_Images/3/3f.jpg": "anger",
    }
    assert [sample.split for sample in found.samples] == ["train", "train", "val"]
    assert found.samples[0].box == Box(10, 12, 30, 32)
    assert found.dropped == {
        "rows of expression 10 (no face)": 1,
        "rows with an empty face box": 1,
    }
    assert found.missing == ["9/gone.jpg"]
    assert "0 neutral, 1 happiness" in found.title


def test_affectnet_2017_without_its_photographs(tmp_path: Path) -> None:
    write_affectnet_2017(tmp_path)
    shutil.rmtree(tmp_path / "Manually_Annotated_Images")
    with pytest.raises(DataLayoutError, match="None of the") as caught:
        read(tmp_path, "affectnet-csv")
    assert "Manually_Annotated_Images" in str(caught.value)


def test_affectnet_2017_with_a_damaged_row(tmp_path: Path) -> None:
    write_affectnet_2017(tmp_path)
    path = tmp_path / "training.csv"
    path.write_text(path.read_text().replace("1/1f.jpg,10", "1/1f.jpg,ten"))
    with pytest.raises(DataLayoutError, match=r"training\.csv, line 2: face_x is 'ten'"):
        read(tmp_path, "affectnet-csv")


def test_affectnet_2021(tmp_path: Path) -> None:
    write_affectnet_2021(tmp_path / "AffectNet")
    found = read(tmp_path, "affectnet-npy")
    assert labels_of(found.samples) == {
        "train_set/images/0.jpg": "happiness",
        "train_set/images/17.jpg": "disgust",
        "val_set/images/3.jpg": "contempt",
    }
    assert [sample.split for sample in found.samples] == ["train", "train", "val"]
    assert found.dropped == {"images without an annotation": 1}


def test_a_damaged_annotation_is_named(tmp_path: Path) -> None:
    write_affectnet_2021(tmp_path)
    (tmp_path / "train_set" / "annotations" / "17_exp.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(DataLayoutError, match="17_exp"):
        read(tmp_path, "affectnet-npy")


@pytest.mark.parametrize("order", ["affectnet-folders", "alphabetical"])
def test_another_order_does_not_fit_affectnets_own_files(tmp_path: Path, order: str) -> None:
    write_affectnet_2021(tmp_path / "npy")
    write_affectnet_2017(tmp_path / "csv")
    options = ReadOptions(order=named_table(order))
    with pytest.raises(DataLayoutError, match="does not fit"):
        read(tmp_path / "npy", "affectnet-npy", options)
    with pytest.raises(DataLayoutError, match="does not fit"):
        read(tmp_path / "csv", "affectnet-csv", options)


@pytest.mark.parametrize("name", ["fer2013.csv", "icml_face_data.csv"])
def test_fer2013(tmp_path: Path, name: str) -> None:
    write_fer2013(tmp_path / "fer2013" / name, spaces=name.startswith("icml"))
    for given in (tmp_path, tmp_path / "fer2013" / name):
        found = read(given, "pixel-csv")
        assert labels_of(found.samples) == {
            f"{name}:2": "happiness",
            f"{name}:3": "neutral",
            f"{name}:4": "anger",
            f"{name}:5": "sadness",
        }
        assert [sample.split for sample in found.samples] == ["train", "train", "val", "test"]
        for number, sample in enumerate(found.samples):
            image = decode(read_content(found.root, sample), sample, root=found.root)
            expected = np.repeat(picture(number, 8)[:, :, :1], 3, axis=2)
            np.testing.assert_array_equal(image, expected)


def test_fer2013_without_usage_has_no_splits(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text(f"emotion,pixels\r\n3,{pixels(0)}\r\n\r\n6,{pixels(1)}\r\n")
    found = read(path, "pixel-csv")
    assert [(s.name, s.label, s.split) for s in found.samples] == [
        ("train.csv:2", "happiness", None),
        ("train.csv:4", "neutral", None),
    ]
    read_content(tmp_path, found.samples[1])


def test_a_cut_off_pixel_csv(tmp_path: Path) -> None:
    write_fer2013(tmp_path / "fer2013.csv")
    with (tmp_path / "fer2013.csv").open("a") as stream:
        stream.write("3,70 80")
    with pytest.raises(DataLayoutError, match=r"line 6: 2 fields instead of 3"):
        read(tmp_path, "pixel-csv")


def test_an_unknown_emotion_or_usage(tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_text(f"emotion,pixels,Usage\n7,{pixels(0)},Training\n")
    with pytest.raises(DataLayoutError, match="7, which fer2013 does not number"):
        read(tmp_path, "pixel-csv")
    path.write_text(f"emotion,pixels,Usage\n1,{pixels(0)},Sometimes\n")
    with pytest.raises(DataLayoutError, match="Usage is 'Sometimes'"):
        read(tmp_path, "pixel-csv")


def test_two_pixel_files_are_the_users_choice(tmp_path: Path) -> None:
    write_fer2013(tmp_path / "fer2013.csv")
    write_fer2013(tmp_path / "icml_face_data.csv", spaces=True)
    with pytest.raises(DataLayoutError, match=r"2 CSV files of pixels") as caught:
        read(tmp_path, "pixel-csv")
    assert "--data" in str(caught.value)


FERPLUS_ROWS = (
    # neutral, happiness, surprise, sadness, anger, disgust, fear, contempt, unknown, NF
    ("Training", "0,7,2,0,0,0,0,0,1,0"),  # happiness 7 of 9: the single vote is an outlier
    ("Training", "0,0,5,0,5,0,0,0,0,0"),  # no majority
    ("PublicTest", "1,0,0,6,3,0,0,0,0,0"),  # sadness
    ("PrivateTest", "0,0,0,0,0,0,0,0,2,8"),  # not a face
)


def write_ferplus(root: Path) -> None:
    write_fer2013(root / "fer2013.csv")
    usages = [usage for usage, _ in FERPLUS_ROWS]
    text = (root / "fer2013.csv").read_text().splitlines()
    rows = [
        ",".join([*line.split(",")[:2], usage])
        for line, usage in zip(text[1:], usages, strict=True)
    ]
    (root / "fer2013.csv").write_text("\n".join([text[0], *rows]) + "\n")
    votes = [
        f"{usage},fer{number:07d}.png,{counts}"
        for number, (usage, counts) in enumerate(FERPLUS_ROWS)
    ]
    (root / "fer2013new.csv").write_text("\n".join([FERPLUS_HEADER, *votes]) + "\n")


def test_ferplus_majority(tmp_path: Path) -> None:
    write_ferplus(tmp_path)
    found = read(tmp_path, "ferplus")  # not pixel-csv: it knows more about the same file
    assert labels_of(found.samples) == {"fer2013.csv:2": "happiness", "fer2013.csv:4": "sadness"}
    assert found.dropped == {"images without a majority emotion": 2}
    assert all(sample.shares is None for sample in found.samples)
    content = read_content(found.root, found.samples[1])
    image = decode(content, found.samples[1], root=found.root)
    np.testing.assert_array_equal(image[:, :, 0], picture(2, 8)[:, :, 0])
    assert recognise(tmp_path, name="pixel-csv")[0].name == "pixel-csv"


def test_ferplus_distribution_of_votes(tmp_path: Path) -> None:
    write_ferplus(tmp_path)
    found = read(tmp_path, "ferplus", ReadOptions(soft_labels=True))
    shares = {sample.name: sample.shares for sample in found.samples}
    # The tie is training material now; validation still goes by the majority.
    assert set(shares) == {"fer2013.csv:2", "fer2013.csv:3", "fer2013.csv:4"}
    assert shares["fer2013.csv:4"] is None
    first = dict(zip(EMOTIONS, shares["fer2013.csv:2"] or (), strict=True))
    assert first == {**dict.fromkeys(EMOTIONS, 0.0), "happiness": 7 / 9, "surprise": 2 / 9}
    second = dict(zip(EMOTIONS, shares["fer2013.csv:3"] or (), strict=True))
    assert second["anger"] == second["surprise"] == 0.5


def test_votes_become_rows_over_the_runs_labels(tmp_path: Path) -> None:
    write_ferplus(tmp_path)
    # Tie and sadness only: the classes present are those of the labels.
    path = tmp_path / "fer2013new.csv"
    path.write_text(path.read_text().replace("0,7,2,0,0,0,0,0,1,0", "0,0,0,6,2,2,0,0,0,0"))
    text = path.read_text().replace("PublicTest,fer0000002.png,1,0,0,6,3", "X")
    assert "X" in text
    listing = read(tmp_path, "ferplus", ReadOptions(soft_labels=True))
    assert {s.label for s in listing.samples} == {"sadness", "anger"}
    with pytest.raises(DataLayoutError, match="val split"):  # anger has no validation image
        find_faces(tmp_path, DataRequest(soft_labels=True))
    with pytest.raises(DataLayoutError, match="--soft-labels does not apply"):
        find_faces(tmp_path, DataRequest(soft_labels=True, layout="pixel-csv"))


def test_ferplus_folders(tmp_path: Path) -> None:
    for folder, name in (("FER2013Train", "fer0000000.png"), ("FER2013Valid", "fer0028638.png")):
        save(tmp_path / "data" / folder / name, 1, size=48)
        counts = "4,0,0,1,3,2,0,0,0,0" if folder == "FER2013Train" else "0,0,0,0,0,0,0,9,1,0"
        lines = f'{name},"(0, 0, 48, 48)",{counts}\nfer9.png,"(0, 0, 48, 48)",9,0,0,0,0,0,0,0,0,0\n'
        (tmp_path / "data" / folder / "label.csv").write_text(lines)
    found = read(tmp_path, "ferplus")
    # 4 of 9 votes (the single one is an outlier) are not a majority.
    assert labels_of(found.samples) == {"FER2013Valid/fer0028638.png": "contempt"}
    assert found.samples[0].split == "val" and found.samples[0].box is None
    assert found.missing == ["FER2013Train/fer9.png", "FER2013Valid/fer9.png"]


def test_ferplus_of_another_fer2013(tmp_path: Path) -> None:
    write_ferplus(tmp_path)
    votes = tmp_path / "fer2013new.csv"
    complete = votes.read_text()
    votes.write_text("\n".join(complete.splitlines()[:-1]) + "\n")
    with pytest.raises(DataLayoutError, match="differ in their number of rows"):
        read(tmp_path, "ferplus")
    votes.write_text(complete.replace("PublicTest", "PrivateTest"))
    with pytest.raises(DataLayoutError, match="name different splits"):
        read(tmp_path, "ferplus")


def test_rafdb_basic(tmp_path: Path) -> None:
    write_rafdb(tmp_path)
    found = read(tmp_path, "rafdb")
    assert labels_of(found.samples) == {
        "basic/Image/aligned/train_00001_aligned.jpg": "sadness",
        "basic/Image/aligned/train_00002_aligned.jpg": "surprise",
        "basic/Image/aligned/test_0001_aligned.jpg": "neutral",
    }
    assert [sample.split for sample in found.samples] == ["train", "train", "test"]


def test_rafdb_kaggle_copy(tmp_path: Path) -> None:
    write_rafdb_kaggle(tmp_path)
    found = read(tmp_path, "rafdb-folders")  # not numeric folders of unknown meaning
    assert found.root == tmp_path / "DATASET"
    assert labels_of(found.samples)["train/4/train_00004_aligned.jpg"] == "happiness"
    assert not found.disagreements
    with pytest.raises(DataLayoutError, match="never guessed"):
        find_faces(tmp_path, DataRequest(layout="folders"))


def test_numeric_folders_that_only_resemble_rafdb(tmp_path: Path) -> None:
    for split in ("train", "val"):
        for label in range(1, 8):
            save(tmp_path / split / str(label) / "a.jpg", label)
    with pytest.raises(DataLayoutError, match="never guessed"):
        find_faces(tmp_path)
    found = find_faces(tmp_path, DataRequest(label_order="rafdb"))
    assert found.id_table["1"] == "surprise" and "contempt" not in found.labels


@pytest.mark.parametrize(
    ("choice", "label"), [(None, "disgust"), ("folder", "disgust"), ("csv", "happiness")]
)
def test_rafdb_csv_against_folder(tmp_path: Path, choice: LabelsFrom | None, label: str) -> None:
    write_rafdb_kaggle(tmp_path, contradict=True)
    found = read(tmp_path, "rafdb-folders", ReadOptions(labels_from=choice))
    assert [(d.folder, d.csv) for d in found.disagreements] == [("disgust", "happiness")]
    assert labels_of(found.samples)["train/3/train_00003_aligned.jpg"] == label
    dropped = read(tmp_path, "rafdb-folders", ReadOptions(labels_from="drop"))
    assert len(dropped.samples) == len(found.samples) - 1


def test_rafdbs_test_folders_alone_are_recognised(tmp_path: Path) -> None:
    write_rafdb_kaggle(tmp_path)
    shutil.rmtree(tmp_path / "DATASET" / "train")
    found = read(tmp_path, "rafdb-folders")
    assert {sample.split for sample in found.samples} == {"test"}
    assert labels_of(found.samples)["test/1/test_00001_aligned.jpg"] == "surprise"


def test_folder_against_labels_csv(tmp_path: Path) -> None:
    write_noamsegal(tmp_path / "archive")
    found = read(tmp_path, "labels-csv")
    assert [(d.name, d.folder, d.csv) for d in found.disagreements] == [
        ("anger/image0000006.jpg", "anger", "surprise")
    ]
    assert found.missing == ["sad/image0000099.jpg"]
    with pytest.raises(DataLayoutError, match=r"has 1 of 4 images .*folder anger, CSV surprise"):
        find_faces(tmp_path)
    by_csv = read(tmp_path, "labels-csv", ReadOptions(labels_from="csv"))
    assert labels_of(by_csv.samples) == {
        "anger/image0000006.jpg": "surprise",
        "anger/image0000060.jpg": "anger",
        "happy/image0000012.jpg": "happiness",
    }
    assert by_csv.dropped == {"images without a row in labels.csv": 1}
    by_folder = read(tmp_path, "labels-csv", ReadOptions(labels_from="folder"))
    assert labels_of(by_folder.samples)["happy/unlisted.jpg"] == "happiness"
    assert labels_of(by_folder.samples)["anger/image0000006.jpg"] == "anger"
    agreed = read(tmp_path, "labels-csv", ReadOptions(labels_from="drop"))
    assert "anger/image0000006.jpg" not in labels_of(agreed.samples)
    assert agreed.dropped == {"images on which folder and CSV disagree": 1}


def test_capitalised_splits_with_labels_csv(tmp_path: Path) -> None:
    for number, name in enumerate(
        ("Train/Anger/ffhq_3.png", "Train/happy/b.jpg", "Test/Anger/c.jpg")
    ):
        save(tmp_path / name, number)
    lines = [",pth,label,relFCs", "0,Anger/ffhq_3.png,anger,0.9", "1,happy\\b.jpg,happy,0.8"]
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    found = read(tmp_path, "labels-csv")
    assert [(s.name, s.label, s.split) for s in found.samples] == [
        ("Test/Anger/c.jpg", "anger", "test"),
        ("Train/Anger/ffhq_3.png", "anger", "train"),
        ("Train/happy/b.jpg", "happiness", "train"),
    ]
    assert not found.missing and not found.disagreements


def test_labels_csv_without_class_folders(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        save(tmp_path / "images" / f"{name}.png")
    text = "filename,emotion,split\nimages/a.png,2,train\nb.png,0,valid\n"
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(DataLayoutError, match="never guessed"):
        read(tmp_path, "labels-csv")
    order = read_label_order("neutral,happy,sad")
    found = read(tmp_path, "labels-csv", ReadOptions(order=order))
    assert [(s.name, s.label, s.split) for s in found.samples] == [
        ("images/a.png", "sadness", "train"),
        ("images/b.png", "neutral", "val"),  # the only file of this name
    ]
    assert found.dropped == {"images without a row in labels.csv": 1}
    save(tmp_path / "more" / "b.png")
    found = read(tmp_path, "labels-csv", ReadOptions(order=order))
    assert len(found.samples) == 1 and not found.missing
    assert found.dropped["rows whose file name several images have"] == 1
    (tmp_path / "labels.csv").write_text("filename,emotion\nimages/a.png,sleepy\n")
    with pytest.raises(DataLayoutError, match="sleepy"):
        read(tmp_path, "labels-csv")


def test_labels_from_where_there_is_nothing_to_choose(tmp_path: Path) -> None:
    write_affectnet_2021(tmp_path)
    with pytest.raises(DataLayoutError, match="--labels-from csv does not apply"):
        find_faces(tmp_path, DataRequest(labels_from="csv"))


@pytest.mark.parametrize(
    "folders", [("Training", "PublicTest", "PrivateTest"), ("TRAIN", "Valid", "test")]
)
def test_split_spellings(tmp_path: Path, folders: tuple[str, str, str]) -> None:
    for split in folders:
        for name in ("Happy", "SAD"):
            save(tmp_path / split / name / "a.png")
    found = find_faces(tmp_path)
    assert list(found.splits) == ["train", "val", "test"]
    assert found.labels == ("happiness", "sadness")


def test_several_ways_to_read_one_folder(tmp_path: Path) -> None:
    write_fer2013(tmp_path / "fer2013.csv")
    for split in ("train", "val"):
        for name in ("happy", "sad"):
            save(tmp_path / split / name / "a.png")
    with pytest.raises(DataLayoutError, match="in 2 ways") as caught:
        recognise(tmp_path)
    assert "--layout pixel-csv" in str(caught.value) and "--layout folders" in str(caught.value)
    assert recognise(tmp_path, name="folders")[0].name == "folders"
