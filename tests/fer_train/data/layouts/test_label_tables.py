"""Tables of labels beside images: which are read, refused, or contradict themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_train.contract.errors import DataLayoutError, LabelMismatch
from fer_train.contract.pixels import Box
from fer_train.data.dataset import DataRequest, find_faces, list_faces
from fer_train.data.images import decode, read_content
from fer_train.data.layouts import recognise
from fer_train.data.layouts.image_index import ImageIndex
from fer_train.data.layouts.label_tables import columns
from fer_train.data.samples import Listing, ReadOptions
from tests.fer_train.data.trees import (
    AFFECTNET_HEADER,
    labels_of,
    pixels,
    save,
    write_affectnet_2017,
    write_rafdb,
    write_rafdb_kaggle,
)


def read(root: Path, options: ReadOptions | None = None) -> Listing:
    layout, place = recognise(root)
    return layout.read(place, options or ReadOptions())


def class_folders(root: Path) -> None:
    for name in ("happy", "sad"):
        save(root / name / "a.png")


@pytest.mark.parametrize(
    ("first", "found"),
    [
        ("path,label", ("path", "label", None)),
        ("Image Name;Facial-Expression;Subset", ("image name", "facial-expression", "subset")),
        ("id\tfile\tclass\tlabel", ("file", "label", None)),
        ("path,age", None),
        ("label", None),
        ("", None),
    ],
)
def test_columns(tmp_path: Path, first: str, found: tuple[str, str, str | None] | None) -> None:
    (tmp_path / "t.csv").write_text(f"{first}\n")
    assert columns(tmp_path / "t.csv") == found


def test_a_table_for_each_split(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        save(tmp_path / "images" / f"{name}.png")
    (tmp_path / "train_labels.csv").write_text("filename;emotion\na.png;happy\nb.png;sad\n")
    (tmp_path / "val.tsv").write_text("filename\temotion\nc.png\tsad\n")
    (tmp_path / "results.csv").write_text("epoch,loss\n1,0.5\n")
    found = read(tmp_path)
    assert [(s.name, s.label, s.split) for s in found.samples] == [
        ("images/a.png", "happiness", "train"),
        ("images/b.png", "sadness", "train"),
        ("images/c.png", "sadness", "val"),
    ]
    notes = list_faces(tmp_path).notes
    assert "train_labels.csv is read as UTF-8, separated by semicolons" in notes
    assert "1 other file not used: results.csv" in notes


def test_a_table_in_each_split_folder(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        save(tmp_path / split / "1.png")
        label = "happy" if split == "train" else "sad"
        (tmp_path / split / "metadata.csv").write_text(f"file_name,label\n1.png,{label}\n")
    found = read(tmp_path)
    assert [(s.name, s.label, s.split) for s in found.samples] == [
        ("train/1.png", "happiness", "train"),
        ("valid/1.png", "sadness", "val"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "seen"),
    [
        ("labels.csv", "bild,wert\nhappy/a.png,3\n", "its columns are bild, wert"),
        ("answers.csv", "x;y\nhappy/a.png;3\n", "x, y (UTF-8, separated by semicolons)"),
        ("labels.txt", "happy/a.png\t3\n", "separated by tabs"),
        ("labels.txt", "happy/a.png 3\n", "its columns are separated by spaces"),
        ("labels.csv", "path|label\nhappy/a.png|3\n", "its only column is path|label"),
        ("labels.json", '{"happy/a.png": "sad"}', "it is JSON (save it as CSV)"),
        ("labels.csv", "", "its first line is empty"),
        ("labels.csv", "\0\1\2\0\0", "it is no text"),
        ("Annotations.xlsx", "PK", "it is a spreadsheet (save it as CSV)"),
    ],
)
@pytest.mark.parametrize("place", [".", "faces", "faces/train"])
def test_class_folders_beside_labels_that_are_not_understood(
    tmp_path: Path, name: str, content: str, seen: str, place: str
) -> None:
    for split in ("train", "val"):
        class_folders(tmp_path / "faces" / split)
    (tmp_path / place / name).write_text(content)
    with pytest.raises(DataLayoutError, match="may hold the labels") as caught:
        find_faces(tmp_path)
    assert name in str(caught.value) and seen in str(caught.value)
    assert "image_path" in str(caught.value)  # what is allowed
    # The way out that the message names: the folders are enough, and the file is still named.
    found = find_faces(tmp_path, DataRequest(layout="folders"))
    assert any(name in note for note in found.notes) is (place != ".")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("README.txt", "Faces of 20 people,\nsee happy/a.png\n"),
        ("results.csv", "epoch,loss\n1,0.5\n"),
        ("labels.txt", "happy\nsad\n"),  # the names of the classes
        ("labels.json", '{"0": "happy", "1": "sad"}'),
        ("notes.docx", "PK"),
    ],
)
def test_what_is_certainly_no_table_of_labels_is_only_named(
    tmp_path: Path, name: str, content: str
) -> None:
    class_folders(tmp_path)
    (tmp_path / name).write_text(content)
    assert f"1 other file not used: {name}" in list_faces(tmp_path).notes


@pytest.mark.parametrize(
    "content", ["a.png,happy\n", "path|label\na.png|happy\n", b"path,label\n\x81"]
)
def test_a_table_that_is_not_understood_beside_images_in_no_class_folders(
    tmp_path: Path, content: str | bytes
) -> None:
    save(tmp_path / "images" / "a.png")
    raw = content if isinstance(content, bytes) else content.encode()
    for place in (tmp_path, tmp_path / "images"):
        (place / "labels.csv").write_bytes(raw)
        with pytest.raises(DataLayoutError, match=r"labels\.csv may hold the labels"):
            find_faces(tmp_path)
        (place / "labels.csv").unlink()


def test_a_table_of_all_images_beside_one_for_each_split(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(tmp_path / "images" / f"{name}.png")
    (tmp_path / "labels.csv").write_text("path,label\na.png,happy\nb.png,sad\n")
    (tmp_path / "train.csv").write_text("path,label\na.png,happy\n")
    (tmp_path / "val.csv").write_text("path,label\nb.png,sad\n")
    assert [(s.label, s.split) for s in read(tmp_path).samples] == [
        ("happiness", "train"),
        ("sadness", "val"),
    ]


def test_one_file_that_is_not_understood(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("who,age\nme,30\n")
    with pytest.raises(DataLayoutError, match="its columns are who, age"):
        find_faces(tmp_path / "list.csv")


def test_two_labels_for_one_image(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(tmp_path / "images" / f"{name}.png")
    table = tmp_path / "labels.csv"
    # The same image by two paths, the same label by two names.
    table.write_text("path,label\na.png,happy\nimages/b.png,sad\nimages\\a.png,Happiness\n")
    found = read(tmp_path)
    assert labels_of(found.samples) == {"images/a.png": "happiness", "images/b.png": "sadness"}
    assert any("1 row repeats" in note for note in found.notes)
    table.write_text("path,label\na.png,happy\nimages/b.png,sad\nimages/a.png,fear\n")
    seen = r"images/a\.png: happiness \(labels\.csv line 2\), fear \(labels\.csv line 4\)"
    with pytest.raises(DataLayoutError, match=seen):
        read(tmp_path)
    table.write_text("path,label,split\na.png,happy,train\nb.png,sad,val\na.png,happy,val\n")
    with pytest.raises(DataLayoutError, match=r"a\.png: train \(.*line 2\), val \(.*line 4\)"):
        read(tmp_path)


def test_two_tables_contradict_each_other(tmp_path: Path) -> None:
    save(tmp_path / "images" / "a.png")
    (tmp_path / "labels.csv").write_text("path,label\na.png,happy\n")
    (tmp_path / "predictions.csv").write_text("path,label\na.png,sad\n")
    with pytest.raises(DataLayoutError, match=r"labels\.csv line 2.*predictions\.csv line 2"):
        read(tmp_path)
    assert len(read(tmp_path / "labels.csv").samples) == 1  # one may be named


def test_contradictions_in_rafdb(tmp_path: Path) -> None:
    write_rafdb(tmp_path / "basic set")
    path = tmp_path / "basic set/basic/EmoLabel/list_patition_label.txt"
    complete = path.read_text()
    path.write_text(complete + "train_00001.jpg 5\n")
    found = read(tmp_path / "basic set")
    assert len(found.samples) == 3 and "1 row repeats" in found.notes[0]
    path.write_text(complete + "train_00001.jpg 4\n")
    with pytest.raises(DataLayoutError, match=r"train_00001\.jpg: sadness .*happiness"):
        read(tmp_path / "basic set")
    write_rafdb_kaggle(tmp_path / "copy")
    with (tmp_path / "copy/train_labels.csv").open("a") as stream:
        stream.write("train_00001_aligned.jpg,7\n")
    with pytest.raises(DataLayoutError, match=r"train_00001_aligned\.jpg: surprise .*neutral"):
        read(tmp_path / "copy")


def test_contradictions_in_affectnet(tmp_path: Path) -> None:
    write_affectnet_2017(tmp_path)
    path = tmp_path / "training.csv"
    row = "1/1f.jpg,{x},12,30,32,10.5;10.5,{label},0.1,0.2"
    complete = path.read_text()
    assert complete.startswith(AFFECTNET_HEADER)
    path.write_text(complete + row.format(x=40, label=6) + "\n")  # another face of the photograph
    assert len(read(tmp_path).samples) == 4
    path.write_text(complete + row.format(x=10, label=0) + "\n")
    assert len(read(tmp_path).samples) == 3
    path.write_text(complete + row.format(x=10, label=6) + "\n")
    with pytest.raises(DataLayoutError, match=r"1f\.jpg: neutral in train .*anger in train"):
        read(tmp_path)


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_ferplus_folders_with_other_separators(tmp_path: Path, delimiter: str) -> None:
    """The box is full of commas, and there is no header."""
    save(tmp_path / "FER2013Train" / "fer1.png", 1, size=48)
    fields = ("fer1.png", "(2, 0, 48, 48)", "0", "9", *"00000000")
    (tmp_path / "FER2013Train" / "label.csv").write_text(delimiter.join(fields) + "\n")
    (sample,) = read(tmp_path).samples
    assert (sample.label, sample.box) == ("happiness", Box(2, 0, 46, 48))


def test_contradictions_in_ferplus_folders(tmp_path: Path) -> None:
    save(tmp_path / "FER2013Train" / "fer1.png", 1, size=48)
    line = 'fer1.png,"(0, 0, 48, 48)",{votes},0,0,0,0,0,0,0,0\n'
    path = tmp_path / "FER2013Train" / "label.csv"
    path.write_text(line.format(votes="9,0") * 2)
    assert len(read(tmp_path).samples) == 1
    path.write_text(line.format(votes="9,0"), encoding="utf-16")
    assert len(read(tmp_path).samples) == 1
    path.write_text(line.format(votes="9,0") + line.format(votes="0,9"))
    with pytest.raises(DataLayoutError, match=r"fer1\.png: votes 9 0 .*votes 0 9"):
        read(tmp_path)


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_pixels_with_other_separators(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "fer2013.csv"
    rows = [("emotion", "pixels", "Usage"), ("3", pixels(0), "Training")]
    path.write_text("".join(delimiter.join(row) + "\n" for row in rows))
    (sample,) = read(tmp_path).samples
    assert (sample.label, sample.split) == ("happiness", "train")
    assert decode(read_content(tmp_path, sample), sample, root=tmp_path).shape == (8, 8, 3)
    path.write_bytes(path.read_text().encode("utf-16"))
    with pytest.raises(DataLayoutError, match="UTF-16"):
        read(tmp_path)


def test_images_are_found_by_what_a_table_calls_them(tmp_path: Path) -> None:
    for name in ("train/happy/1.png", "train/sad/1.png", "train/sad/2.PNG", "val/sad/1.png"):
        save(tmp_path / name)
    index = ImageIndex(tmp_path)
    assert index.find("train/sad/1.png") == ["train/sad/1.png"]
    assert index.find(".\\train\\sad\\1.png") == ["train/sad/1.png"]
    assert index.find("/home/me/old/happy/1.png") == ["train/happy/1.png"]
    assert index.find("2.png") == ["train/sad/2.PNG"]
    assert index.find("sad/1.png") == ["train/sad/1.png", "val/sad/1.png"]
    assert index.find("sad/1.png", within="val") == ["val/sad/1.png"]
    assert index.find("fear/1.png") == index.find("3.png") == []
    assert len(index.find("1.png")) == 3


def test_accents_as_a_mac_writes_them(tmp_path: Path) -> None:
    save(tmp_path / "images" / "cafe\u0301.png")
    assert len(ImageIndex(tmp_path).find("caf\u00e9.png")) == 1


@pytest.mark.parametrize("inner", ["train", "images", "Training set"])
def test_split_folders_within_themselves(tmp_path: Path, inner: str) -> None:
    class_folders(tmp_path / "train" / inner)
    class_folders(tmp_path / "val")
    assert list(find_faces(tmp_path).splits) == ["train", "val"]
    # Whatever lies beside classes is not one of them, and is not guessed at.
    save(tmp_path / "train" / "happy" / "b.png")
    with pytest.raises(LabelMismatch, match=f"class folder '{inner}'"):
        find_faces(tmp_path)


def test_linked_class_folders_are_entered(tmp_path: Path) -> None:
    class_folders(tmp_path / "elsewhere")
    (tmp_path / "faces/happy").mkdir(parents=True)
    (tmp_path / "faces/happy/more").symlink_to(tmp_path / "elsewhere/happy")
    (tmp_path / "faces/sad").symlink_to(tmp_path / "elsewhere/sad")
    (tmp_path / "faces/sad/back").symlink_to(tmp_path / "faces")
    found = list_faces(tmp_path / "faces")
    assert found.splits["train"].paths == ("happy/more/a.png", "sad/a.png")
    assert any("sad/back/" in note for note in found.notes)
