"""Which folders are understood, and what is said about the others."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fer_train.contract.errors import DataLayoutError, EmptyClass, LabelMismatch, NotFound
from fer_train.contract.labels import EMOTIONS, LABEL_ORDERS
from fer_train.data.dataset import DataRequest, content_fingerprint, find_faces
from tests.fer_train.faces import write_faces


def test_numeric_folders_have_affectnet_meaning_by_default(faces: Path) -> None:
    found = find_faces(faces)
    assert found.labels == EMOTIONS
    assert dict(found.id_table) == {str(i): name for i, name in enumerate(EMOTIONS)}
    assert "0 anger" in found.layout and "7 contempt" in found.layout
    assert found.counts()["train"] == dict.fromkeys(EMOTIONS, 3)
    assert set(found.splits) == {"train", "val"}
    assert not found.synthetic


def test_another_label_order_moves_the_targets_not_the_labels(faces: Path) -> None:
    found = find_faces(faces, DataRequest(label_order="alphabetical"))
    assert found.labels == EMOTIONS  # the order of the logits never depends on folder numbers
    for path, target in zip(
        found.splits["train"].paths, found.splits["train"].targets, strict=True
    ):
        folder = int(path.split("/")[1])
        assert found.labels[target] == LABEL_ORDERS["alphabetical"][folder]


def test_named_folders_with_aliases_and_any_case(tmp_path: Path) -> None:
    write_faces(tmp_path, classes=("Happy", "SAD", "neutral"))
    found = find_faces(tmp_path)
    assert found.labels == ("happiness", "sadness", "neutral")
    assert found.id_table["Happy"] == "happiness"


def test_split_names_vary_and_test_is_found(tmp_path: Path) -> None:
    write_faces(tmp_path, classes=("happy", "sad"))
    shutil.copytree(tmp_path / "val", tmp_path / "Test")
    (tmp_path / "val").rename(tmp_path / "Validation")
    assert set(find_faces(tmp_path).splits) == {"train", "val", "test"}


def test_seven_numeric_folders_are_not_guessed(tmp_path: Path) -> None:
    write_faces(tmp_path, classes=[str(i) for i in range(7)])
    with pytest.raises(DataLayoutError, match="never guessed") as caught:
        find_faces(tmp_path)
    assert "--label-order" in str(caught.value)
    assert find_faces(tmp_path, DataRequest(label_order="fer2013")).labels == EMOTIONS[:7]


def test_missing_validation_split(tmp_path: Path) -> None:
    write_faces(tmp_path)
    shutil.rmtree(tmp_path / "val")
    with pytest.raises(DataLayoutError, match="no val split"):
        find_faces(tmp_path)


def test_the_folders_of_an_archive_are_entered(tmp_path: Path) -> None:
    write_faces(tmp_path / "archive (3)" / "AffectNet")
    (tmp_path / "__MACOSX" / "train" / "0").mkdir(parents=True)
    found = find_faces(tmp_path)
    assert found.root == tmp_path / "archive (3)" / "AffectNet"
    assert any("begins in" in note for note in found.notes)
    assert found.splits["train"].paths[0] == "train/0/0.png"


def test_two_data_sets_in_one_folder_are_the_users_choice(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_faces(tmp_path / name)
    with pytest.raises(DataLayoutError, match="holds 2 data sets") as caught:
        find_faces(tmp_path)
    for name in ("one", "two"):
        assert f"--data '{tmp_path / name}' --layout folders" in str(caught.value)


def test_a_folder_of_something_else_lists_what_is_known(tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataLayoutError, match=r"holiday/, notes\.txt") as caught:
        find_faces(tmp_path)
    assert "fer2013.csv" in str(caught.value) and "docs/data.md" in str(caught.value)
    with pytest.raises(DataLayoutError, match="not of the layout rafdb"):
        find_faces(tmp_path, DataRequest(layout="rafdb"))


def test_data_without_splits_needs_a_fraction(tmp_path: Path) -> None:
    write_faces(tmp_path, classes=("happy", "sad"))
    with pytest.raises(DataLayoutError, match="no val split") as caught:
        find_faces(tmp_path / "train")
    assert "--val-fraction 0.1" in str(caught.value)


def test_split_folders_that_mean_the_same(tmp_path: Path) -> None:
    write_faces(tmp_path, classes=("happy", "sad"))
    shutil.copytree(tmp_path / "val", tmp_path / "validation")
    with pytest.raises(DataLayoutError, match="both mean the val split"):
        find_faces(tmp_path)


def test_fewer_classes_are_named(tmp_path: Path) -> None:
    write_faces(tmp_path, classes=("happy", "sad", "neutral"))
    notes = find_faces(tmp_path).notes
    assert any("3 of the eight emotions" in note and "contempt" in note for note in notes)


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        find_faces(tmp_path / "nowhere")


@pytest.mark.parametrize("split", ["train", "val"])
def test_empty_class_is_named(tmp_path: Path, split: str) -> None:
    write_faces(tmp_path)
    for image in (tmp_path / split / "1").iterdir():
        image.unlink()
    with pytest.raises(EmptyClass, match=rf"{split} split .* disgust \(class 1\)"):
        find_faces(tmp_path)


def test_a_class_only_in_validation_is_refused(tmp_path: Path) -> None:
    write_faces(tmp_path, classes=("happy", "sad"))
    (tmp_path / "val" / "fear").mkdir()
    with pytest.raises(DataLayoutError, match="fear"):
        find_faces(tmp_path)


def test_two_folders_of_one_emotion(tmp_path: Path) -> None:
    write_faces(tmp_path, classes=("happy", "happiness", "sad"))
    with pytest.raises(DataLayoutError, match="both mean happiness"):
        find_faces(tmp_path)


def test_an_unknown_class_folder_is_named(tmp_path: Path) -> None:
    write_faces(tmp_path, classes=("happy", "sad", "sleepy"))
    with pytest.raises(LabelMismatch, match=r"class folder 'sleepy' of .*train"):
        find_faces(tmp_path)


def test_numbers_and_names_do_not_mix(tmp_path: Path) -> None:
    write_faces(tmp_path, classes=("0", "sad"))
    with pytest.raises(DataLayoutError, match="mixes numeric folders with sad"):
        find_faces(tmp_path)


def test_other_files_are_named_and_hidden_ones_are_not_images(tmp_path: Path) -> None:
    write_faces(tmp_path, classes=("happy", "sad"))
    (tmp_path / "train" / "happy" / "labels.csv").write_text("x")
    (tmp_path / "train" / "happy" / "._0.png").write_text("x")
    found = find_faces(tmp_path)
    assert len(found.splits["train"].paths) == 6
    assert "1 other file not used: train/happy/labels.csv" in found.notes
    assert "skipped 1 of a system's files and folders: train/happy/._0.png" in found.notes


def test_fingerprint_knows_content_and_label(tmp_path: Path) -> None:
    write_faces(tmp_path, classes=("happy", "sad"))
    found = find_faces(tmp_path)
    digests = {name: ["a"] * len(split.paths) for name, split in found.splits.items()}
    changed = {**digests, "train": ["b", *digests["train"][1:]]}
    assert content_fingerprint(found, digests) != content_fingerprint(found, changed)
    (tmp_path / "train" / "sad" / "0.png").rename(tmp_path / "train" / "happy" / "9.png")
    assert content_fingerprint(find_faces(tmp_path), digests) != content_fingerprint(found, digests)
