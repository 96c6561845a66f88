"""Splits made by the tool: seeded, stratified, and never through a group of duplicates."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fer_train.contract.errors import DataLayoutError, EmptyClass, UnreadableImage
from fer_train.data.dataset import DataRequest, FaceFolder, find_faces
from fer_train.data.samples import Sample
from fer_train.data.scan import Scan, scan_images
from fer_train.data.splits import SplitPlan, held_out
from tests.fer_train.data.trees import picture, save

#: Groups of duplicates: their sizes, by label; at least three groups of one image each.
GROUPS = st.dictionaries(
    st.sampled_from(["anger", "fear", "neutral"]),
    st.lists(st.integers(1, 4), min_size=3, max_size=25).map(lambda sizes: [1, 1, 1, *sizes]),
    min_size=2,
)


FRACTIONS = st.floats(0.05, 0.6)


def members(groups: dict[str, list[int]]) -> tuple[list[str], list[str]]:
    """Return label and group key of every image."""
    labels, keys = [], []
    for label, sizes in groups.items():
        for number, size in enumerate(sizes):
            labels += [label] * size
            keys += [f"{label}{number}"] * size
    return labels, keys


@given(GROUPS, FRACTIONS, st.integers(0, 5))
def test_no_group_is_split(groups: dict[str, list[int]], fraction: float, seed: int) -> None:
    labels, keys = members(groups)
    chosen = set(held_out(labels, keys, fraction=fraction, seed=seed, split="val"))
    for key in set(keys):
        sides = {index in chosen for index, of in enumerate(keys) if of == key}
        assert len(sides) == 1


@given(
    st.dictionaries(st.sampled_from(["anger", "fear", "neutral"]), st.integers(2, 60), min_size=2),
    FRACTIONS,
    st.integers(0, 5),
)
def test_single_images_are_shared_exactly(
    counts: dict[str, int], fraction: float, seed: int
) -> None:
    labels, keys = members({label: [1] * count for label, count in counts.items()})
    chosen = held_out(labels, keys, fraction=fraction, seed=seed, split="val")
    taken = Counter(labels[index] for index in chosen)
    for label, count in counts.items():
        assert taken[label] == min(max(round(fraction * count), 1), count - 1)
        assert abs(taken[label] - fraction * count) <= 1


@given(GROUPS, FRACTIONS, st.integers(0, 5))
def test_every_class_is_on_both_sides_and_never_more_than_asked_for(
    groups: dict[str, list[int]], fraction: float, seed: int
) -> None:
    labels, keys = members(groups)
    chosen = held_out(labels, keys, fraction=fraction, seed=seed, split="val")
    taken = Counter(labels[index] for index in chosen)
    for label, total in Counter(labels).items():
        target = max(round(fraction * total), 1)
        # What is missing is less than the largest group: single images fill the rest.
        assert max(1, target - 3) <= taken[label] <= target < total


@given(GROUPS, FRACTIONS, st.randoms(use_true_random=False))
def test_the_order_of_the_files_does_not_matter(
    groups: dict[str, list[int]], fraction: float, random: object
) -> None:
    labels, keys = members(groups)
    order = list(range(len(labels)))
    random.shuffle(order)  # type: ignore[attr-defined]

    def chosen(positions: Sequence[int]) -> list[str]:
        drawn = held_out(
            [labels[p] for p in positions],
            [keys[p] for p in positions],
            fraction=fraction,
            seed=1,
            split="val",
        )
        return sorted(keys[positions[index]] for index in drawn)

    assert chosen(order) == chosen(range(len(labels)))


def test_another_seed_and_another_split_draw_differently() -> None:
    labels, keys = members({"anger": [1] * 50, "fear": [1] * 50})
    draws = {
        tuple(held_out(labels, keys, fraction=0.2, seed=seed, split=split))
        for seed in (0, 1)
        for split in ("val", "test")
    }
    assert len(draws) == 4


def test_a_group_whose_labels_disagree_is_not_held_out() -> None:
    labels = ["anger", "fear"] + ["anger"] * 4 + ["fear"] * 4
    keys = ["x", "x", *"abcdefgh"]
    for seed in range(20):
        assert not {0, 1} & set(held_out(labels, keys, fraction=0.5, seed=seed, split="val"))


def test_a_class_of_one_picture_cannot_be_shared() -> None:
    labels = ["anger"] * 4 + ["fear"] * 3
    with pytest.raises(EmptyClass, match=r"fear has 3 image\(s\) in 1 group"):
        held_out(labels, [*"abcd", "x", "x", "x"], fraction=0.1, seed=0, split="val")


def scanner(root: Path, samples: Sequence[Sample]) -> Scan:
    folder = root.parent / "cache"
    return scan_images(root, samples, folder=folder, workers=1, on_progress=lambda n: None)


def faces(path: Path, plan: SplitPlan) -> FaceFolder:
    return find_faces(path, DataRequest(splits=plan), scanner=scanner)


@pytest.fixture
def unsplit(tmp_path: Path) -> Path:
    root = tmp_path / "faces"
    for index, name in enumerate(("happy", "sad")):
        for number in range(20):
            save(root / name / f"{number}.png", 100 * index + number)
    return root


def names_by_content(found: FaceFolder, split: str) -> set[bytes]:
    return {(found.root / path).read_bytes() for path in found.splits[split].paths}


def test_renamed_files_stay_on_their_side(unsplit: Path, tmp_path: Path) -> None:
    plan = SplitPlan(val=0.2, test=0.1)
    before = faces(unsplit, plan)
    moved = tmp_path / "moved"
    for path in unsplit.rglob("*.png"):
        target = moved / path.parent.name / f"{hash(path.name) % 997}-{path.name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    after = faces(moved, plan)
    for split, count in (("train", 28), ("val", 8), ("test", 4)):
        assert len(names_by_content(before, split)) == count
        assert names_by_content(before, split) == names_by_content(after, split)
    assert before.made_splits == after.made_splits


def test_asking_for_a_test_split_leaves_val_as_it_was(unsplit: Path) -> None:
    without = faces(unsplit, SplitPlan(val=0.2))
    with_test = faces(unsplit, SplitPlan(val=0.2, test=0.25))
    assert without.splits["val"].paths == with_test.splits["val"].paths
    assert len(with_test.splits["test"].paths) == 10


def test_near_copies_and_mirror_images_stay_together(unsplit: Path) -> None:
    for number in range(6):
        image = Image.fromarray(picture(number, 40))
        image.save(unsplit / "happy" / f"{number}-recompressed.jpg", quality=80)
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(
            unsplit / "happy" / f"{number}-mirrored.png"
        )
    for seed in range(8):
        found = faces(unsplit, SplitPlan(val=0.3, seed=seed))
        held = {Path(path).stem for path in found.splits["val"].paths if "happy" in path}
        for number in range(6):
            group = {f"{number}", f"{number}-recompressed", f"{number}-mirrored"}
            assert not group & held or group <= held, (seed, group & held)
    assert found.made_splits["duplicate_groups"] == 12


def test_a_split_the_data_has_is_not_made(unsplit: Path, tmp_path: Path) -> None:
    root = tmp_path / "split"
    shutil.copytree(unsplit, root / "train")
    shutil.copytree(unsplit, root / "test")
    with pytest.raises(DataLayoutError, match=r"test split of its own \(40 images\)") as caught:
        faces(root, SplitPlan(val=0.1, test=0.1))
    assert "Leave out --test-fraction" in str(caught.value)
    found = faces(root, SplitPlan(val=0.1))
    assert [len(split.paths) for split in found.splits.values()] == [36, 4, 40]


def test_images_that_cannot_be_compared_stop_the_split(unsplit: Path) -> None:
    (unsplit / "sad" / "3.png").write_bytes(b"nothing")
    with pytest.raises(UnreadableImage, match=r"1 of 40 images"):
        faces(unsplit, SplitPlan(val=0.1))
