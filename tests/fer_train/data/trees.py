"""Tiny data sets in the layouts in circulation, with the file and column names they really have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_train.data.samples import Sample

#: fer2013new.csv's header.
FERPLUS_HEADER = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
)


#: training.csv's header of AffectNet 2017.
AFFECTNET_HEADER = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
    "expression,valence,arousal"
)


def picture(seed: int, size: int = 40) -> NDArray[np.uint8]:
    """Return seeded colour noise [size, size, 3], smooth enough to be a picture."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC))


def save(path: Path, seed: int = 0, size: int = 40) -> None:
    """Write `picture` to an image file, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(seed, size)).save(path)


def pixels(seed: int, size: int = 8) -> str:
    """Return a grey picture as FER2013 writes it."""
    return " ".join(str(value) for value in picture(seed, size)[:, :, 0].ravel())


def labels_of(samples: Sequence[Sample]) -> Mapping[str, str]:
    """Return name -> label."""
    return {sample.name: sample.label for sample in samples}


def write_affectnet_2017(root: Path, *, lists: str = "", header: bool = True) -> None:
    """Write two photographs per split, and rows that must be left out."""
    images = root / "Manually_Annotated_Images"
    for number in (1, 2, 3):
        save(images / str(number) / f"{number}f.jpg", number, size=80)
    folder = root / lists
    folder.mkdir(parents=True, exist_ok=True)
    landmarks = ";".join(["10.5"] * 136)
    rows = [
        f"1/1f.jpg,10,12,30,32,{landmarks},0,0.1,0.2",
        f"2/2f.jpg,5,6,40,40,{landmarks},7,0.1,0.2",
        f"2/2f.jpg,5,6,40,40,{landmarks},10,-2,-2",
        f"3/3f.jpg,5,6,0,40,{landmarks},1,0.1,0.2",
        f"9/gone.jpg,5,6,40,40,{landmarks},1,0.1,0.2",
    ]
    (folder / "training.csv").write_text("\n".join([AFFECTNET_HEADER, *rows]) + "\n")
    val = [f"3/3f.jpg,1,2,30,30,{landmarks},6,0.1,0.2"]
    head = [AFFECTNET_HEADER] if header else []
    (folder / "validation.csv").write_text("\n".join([*head, *val]) + "\n")


def write_affectnet_2021(root: Path) -> None:
    """Write three images; annotations are text, as in the release."""
    for split, name, expression in (
        ("train_set", "0", "1"),
        ("train_set", "17", "5"),
        ("val_set", "3", "7"),
    ):
        save(root / split / "images" / f"{name}.jpg", int(name))
        folder = root / split / "annotations"
        folder.mkdir(exist_ok=True)
        np.save(folder / f"{name}_exp.npy", np.array(expression))
        np.save(folder / f"{name}_val.npy", np.array("0.25"))
    save(root / "train_set" / "images" / "99.jpg", 99)


def write_fer2013(path: Path, *, spaces: bool = False) -> None:
    """Write four rows; ``spaces``: the columns of icml_face_data.csv."""
    rows = [(3, "Training"), (6, "Training"), (0, "PublicTest"), (4, "PrivateTest")]
    if spaces:
        lines = ["emotion, Usage, pixels"]
        lines += [f"{emotion},{usage},{pixels(n)}" for n, (emotion, usage) in enumerate(rows)]
    else:
        lines = ["emotion,pixels,Usage"]
        lines += [f"{emotion},{pixels(n)},{usage}" for n, (emotion, usage) in enumerate(rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def write_noamsegal(root: Path) -> None:
    """Write class folders and labels.csv; the two disagree on one image."""
    names = ["anger/image0000006.jpg", "anger/image0000060.jpg", "happy/image0000012.jpg"]
    for number, name in enumerate(names):
        save(root / name, number)
    save(root / "happy" / "unlisted.jpg", 9)
    lines = [
        ",pth,label,relFCs",
        "0,anger/image0000006.jpg,surprise,0.8731",
        "1,anger/image0000060.jpg,anger,0.8523",
        "2,happy/image0000012.jpg,happy,0.9",
        "3,sad/image0000099.jpg,sad,0.9",
    ]
    (root / "labels.csv").write_text("\n".join(lines) + "\n")


def write_rafdb(root: Path) -> None:
    """Write the basic set's list and its aligned faces."""
    names = {"train_00001": 5, "train_00002": 1, "test_0001": 7}
    for number, name in enumerate(names):
        save(root / "basic" / "Image" / "aligned" / f"{name}_aligned.jpg", number, size=100)
    folder = root / "basic" / "EmoLabel"
    folder.mkdir(parents=True)
    lines = [f"{name}.jpg {label}" for name, label in names.items()]
    (folder / "list_patition_label.txt").write_text("\n".join(lines) + "\n")


def write_rafdb_kaggle(root: Path, *, contradict: bool = False) -> None:
    """Write DATASET/{train,test}/{1..7} and its two CSV files."""
    for split in ("train", "test"):
        lines = ["image,label"]
        for label in range(1, 8):
            name = f"{split}_{label:05d}_aligned.jpg"
            save(root / "DATASET" / split / str(label) / name, label)
            written = 4 if contradict and split == "train" and label == 3 else label
            lines.append(f"{name},{written}")
        (root / f"{split}_labels.csv").write_text("\n".join(lines) + "\n")
