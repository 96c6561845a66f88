"""write_dataset: layout, determinism, and nothing half-written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_train.contract.errors import DataLayoutError, EmptyClass, LabelMismatch, OutputExists
from fer_train.contract.files import sha256_tree
from fer_train.contract.labels import EMOTIONS
from fer_train.synthetic import MARKER, DatasetSummary, demo_counts, draw_face, write_dataset

COUNTS = demo_counts(train=3, val=1, test=1, rare_share=0.67)


def write(root: Path, *, workers: int = 1, seed: int = 0) -> DatasetSummary:
    return write_dataset(root, per_class=COUNTS, size=32, seed=seed, workers=workers)


def test_layout_counts_and_record(tmp_path: Path) -> None:
    root = tmp_path / "faces"
    calls: list[tuple[int, int]] = []
    summary = write_dataset(
        root,
        per_class=COUNTS,
        size=32,
        seed=5,
        workers=1,
        progress=lambda done, total: calls.append((done, total)),
    )
    for split, emotions in COUNTS.items():
        for label, name in enumerate(EMOTIONS):
            files = sorted((root / split / str(label)).iterdir())
            assert len(files) == emotions[name]
            assert all(len(f.stem) == 7 and f.stem.isdigit() for f in files)
    assert summary.images == 22 + 8 + 8 == len(list(root.rglob("*.png")))
    assert calls == [(k, 38) for k in range(1, 39)]

    record = json.loads((root / MARKER).read_text(encoding="utf-8"))
    assert record["labels"] == {str(label): name for label, name in enumerate(EMOTIONS)}
    assert record["counts"] == COUNTS
    assert (record["seed"], record["size"], record["images"]) == (5, 32, 38)
    assert record["pixels_sha256"] == summary.pixels_sha256


def test_a_file_is_the_face_its_name_and_folder_say(tmp_path: Path) -> None:
    write(tmp_path / "faces", seed=2)
    for path in (tmp_path / "faces").rglob("*.png"):
        emotion = EMOTIONS[int(path.parent.name)]
        expected = draw_face(emotion, seed=2, index=int(path.stem), size=32)
        with Image.open(path) as image:
            assert np.array_equal(np.asarray(image), expected)


def test_no_person_appears_twice(tmp_path: Path) -> None:
    write(tmp_path / "faces")
    stems = [path.stem for path in (tmp_path / "faces").rglob("*.png")]
    assert len(set(stems)) == len(stems)


def test_the_bytes_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    alone, pool = (write(tmp_path / str(n), workers=n) for n in (1, 2))
    assert alone.pixels_sha256 == pool.pixels_sha256
    assert sha256_tree(tmp_path / "1") == sha256_tree(tmp_path / "2")
    assert write(tmp_path / "1", seed=1).pixels_sha256 != alone.pixels_sha256


def test_rare_emotions_are_rare_in_training_only() -> None:
    counts = demo_counts(train=100, val=20, test=0)
    assert {counts["train"][name] for name in ("disgust", "contempt")} == {60}
    assert set(counts["val"].values()) == {20}
    assert "test" not in counts


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_write_leaves_the_earlier_dataset_and_nothing_else(
    tmp_path: Path, workers: int
) -> None:
    root = tmp_path / "faces"
    write(root)
    before = sha256_tree(root)

    def interrupt(done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(root, per_class=COUNTS, size=32, seed=9, workers=workers, progress=interrupt)
    assert sha256_tree(root) == before
    assert [path.name for path in tmp_path.iterdir()] == ["faces"]


def test_our_own_dataset_is_replaced_and_anything_else_refused(tmp_path: Path) -> None:
    root = tmp_path / "faces"
    write(root)
    (root / "train" / "0" / "stale.png").write_bytes(b"")
    write(root)
    assert not (root / "train" / "0" / "stale.png").exists()

    foreign = tmp_path / "holiday"
    foreign.mkdir()
    (foreign / "beach.jpg").write_bytes(b"sea")
    with pytest.raises(OutputExists):
        write(foreign)
    assert [path.name for path in foreign.iterdir()] == ["beach.jpg"]


def test_a_size_too_small_for_a_face_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataLayoutError, match="Faces of 31 px"):
        write_dataset(tmp_path / "faces", per_class=COUNTS, size=31, seed=0, workers=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("per_class", "error"),
    [
        ({}, DataLayoutError),
        ({"training": dict.fromkeys(EMOTIONS, 1)}, DataLayoutError),
        ({"train": dict.fromkeys(EMOTIONS, 200_000)}, DataLayoutError),
        ({"train": dict.fromkeys(EMOTIONS[:7], 1)}, EmptyClass),
        ({"train": {**dict.fromkeys(EMOTIONS, 1), "fear": 0}}, EmptyClass),
        ({"train": {**dict.fromkeys(EMOTIONS, 1), "bored": 1}}, LabelMismatch),
    ],
    ids=["no split", "unknown split", "too many", "missing", "zero", "unknown emotion"],
)
def test_unusable_counts_are_refused_before_anything_is_written(
    tmp_path: Path, per_class: dict[str, dict[str, int]], error: type[Exception]
) -> None:
    with pytest.raises(error):
        write_dataset(tmp_path / "faces", per_class=per_class, size=32, seed=0, workers=1)
    assert list(tmp_path.iterdir()) == []
