"""What lies in a data folder and is not used is said, sort by sort."""

from __future__ import annotations

import os
from pathlib import Path

from fer_train.data.dataset import DataRequest, list_faces, read_listing
from fer_train.data.unused import describe_unused
from tests.fer_train.data.trees import save, write_affectnet_2021, write_fer2013, write_noamsegal


def unused(root: Path) -> list[str]:
    listing, _ = read_listing(root, DataRequest())
    return describe_unused(listing)


def test_every_sort_has_its_sentence(tmp_path: Path) -> None:
    for name in ("happy/a.png", "sad/a.png", "loose.png"):
        save(tmp_path / name)
    for name in ("happy/b.dng", "more.zip", "sad/._a.png", "sad/@eaDir/a.png/t.jpg", "README"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    for number in range(4):
        (tmp_path / f"note{number}.txt").write_bytes(b"")
    (tmp_path / "sad/back").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "sad/pipe.png")
    sentences = unused(tmp_path)
    assert sentences == [
        "1 image on disk not used: loose.png",
        "1 picture not used that Pillow cannot open here (convert to JPEG or PNG; HEIC opens where "
        "pillow-heif is installed): happy/b.dng",
        "1 archive not looked into (unpack what is data): more.zip",
        "5 other files not used (.txt 4, none 1), such as README, note0.txt, note1.txt",
        "1 linked folder not entered that leads back: sad/back/",
        "1 special file not read (pipe, socket or device): sad/pipe.png",
        "skipped 2 of a system's files and folders: sad/@eaDir/, sad/._a.png",
    ]
    assert set(sentences) <= set(list_faces(tmp_path).notes)


def test_what_labels_were_read_from_is_used(tmp_path: Path) -> None:
    write_affectnet_2021(tmp_path / "npy")
    assert unused(tmp_path / "npy") == ["1 image on disk not used: train_set/images/99.jpg"]
    write_fer2013(tmp_path / "pixels" / "fer2013.csv")
    assert unused(tmp_path / "pixels") == []
    write_noamsegal(tmp_path / "csv")
    assert unused(tmp_path / "csv") == []


def test_around_a_single_file_nothing_is_looked_at(tmp_path: Path) -> None:
    write_fer2013(tmp_path / "fer2013.csv")
    (tmp_path / "thesis.tex").write_bytes(b"")
    notes = list_faces(tmp_path / "fer2013.csv").notes
    assert not any("thesis" in note for note in notes)
    assert "1 other file not used: thesis.tex" in list_faces(tmp_path).notes
