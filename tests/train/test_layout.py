"""Which folders are understood, and what is said about the others."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fer_train.contract.errors import DataLayoutError, EmptyClass, NotFound
from fer_train.contract.labels import EMOTIONS, LABEL_ORDERS
from fer_train.data.layout import content_fingerprint, find_faces
from tests.train.faces import write_faces


def test_numeric_folders_have_affectnet_meaning_by_default(faces: Path) -> None:
    found = find_faces(faces)
    assert found.labels == EMOTIONS
    assert dict(found.id_table) == {str(i): name for i, name in enumerate(EMOTIONS)}
    assert "0 anger" in found.layout and "7 contempt" in found.layout
    assert found.counts()["train"] == dict.fromkeys(EMOTIONS, 3)
    assert set(found.splits) == {"train", "val"}
    assert not found.synthetic


def test_another_label_order_moves_the_targets_not_the_labels(faces: Path) -> None:
    found = find_faces(faces, order="alphabetical")
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
    assert find_faces(tmp_path, order="fer2013").labels == EMOTIONS[:7]


def test_missing_validation_split(tmp_path: Path) -> None:
    write_faces(tmp_path)
    shutil.rmtree(tmp_path / "val")
    with pytest.raises(DataLayoutError, match="no val split"):
        find_faces(tmp_path)


def test_the_folder_above_the_data_is_pointed_out(tmp_path: Path) -> None:
    write_faces(tmp_path / "AffectNet")
    with pytest.raises(DataLayoutError, match=r"Did you mean --data .*AffectNet\?"):
        find_faces(tmp_path)


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        find_faces(tmp_path / "nowhere")


@pytest.mark.parametrize("split", ["train", "val"])
def test_empty_class_is_named(tmp_path: Path, split: str) -> None:
    write_faces(tmp_path)
    for image in (tmp_path / split / "1").iterdir():
        image.unlink()
    with pytest.raises(EmptyClass, match=rf"{split} split .* disgust \(folder 1\)"):
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


def test_other_files_are_counted_and_hidden_ones_are_not_images(tmp_path: Path) -> None:
    write_faces(tmp_path, classes=("happy", "sad"))
    (tmp_path / "train" / "happy" / "labels.csv").write_text("x")
    (tmp_path / "train" / "happy" / "._0.png").write_text("x")
    split = find_faces(tmp_path).splits["train"]
    assert split.ignored == 1
    assert len(split.paths) == 6


def test_fingerprint_knows_content_and_label(tmp_path: Path) -> None:
    write_faces(tmp_path, classes=("happy", "sad"))
    found = find_faces(tmp_path)
    digests = {name: ["a"] * len(split.paths) for name, split in found.splits.items()}
    changed = {**digests, "train": ["b", *digests["train"][1:]]}
    assert content_fingerprint(found, digests) != content_fingerprint(found, changed)
    (tmp_path / "train" / "sad" / "0.png").rename(tmp_path / "train" / "happy" / "9.png")
    assert content_fingerprint(find_faces(tmp_path), digests) != content_fingerprint(found, digests)
