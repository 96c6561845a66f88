"""The hash survives what copies go through, and the search finds what comparing all would find."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from fer_train.data.perceptual import BITS, NEAR_DISTANCE, Hashes, connected, near_pairs
from fer_train.data.samples import Sample
from fer_train.data.scan import Scan, duplicate_groups, equal_pixels, near_duplicates, scan_images
from fer_train.synthetic import draw_face
from tests.fer_train.data.trees import save


def scan(root: Path, folder: Path) -> tuple[list[str], Scan]:
    names = sorted(path.name for path in root.iterdir())
    samples = [Sample(name, "fear") for name in names]
    seen = scan_images(root, samples, folder=folder, workers=2, on_progress=lambda n: None)
    return names, seen


def as_jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "recompressed": lambda image: as_jpeg(image, 60),
    "enlarged": lambda image: image.resize((200, 200), Image.Resampling.BICUBIC),
    "reduced": lambda image: image.resize((48, 48), Image.Resampling.BILINEAR),
    "grey": lambda image: image.convert("L"),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}


@pytest.mark.parametrize("name", COPIES)
def test_copies_are_near_and_other_faces_are_not(name: str, tmp_path: Path) -> None:
    root = tmp_path / "faces"
    root.mkdir()
    for index in range(40):
        emotion = ("anger", "happiness", "neutral", "surprise")[index % 4]
        face = Image.fromarray(draw_face(emotion, seed=5, index=index, size=96))
        face.save(root / f"{index:02}.png")
        if index < 10:
            COPIES[name](face).save(root / f"{index:02}-copy.png")
    names, seen = scan(root, tmp_path / "cache")
    pairs = near_duplicates(seen, distance=NEAR_DISTANCE)
    found = {(names[a], names[b]) for a, b, _ in pairs.tolist()}
    assert found == {(f"{index:02}-copy.png", f"{index:02}.png") for index in range(10)}


def test_equal_pixels_in_another_file_format_are_the_same_picture(tmp_path: Path) -> None:
    root = tmp_path / "faces"
    save(root / "a.png", 1)
    save(root / "b.png", 2)
    Image.open(root / "a.png").save(root / "c.bmp")
    (root / "d.png").write_bytes(b"nothing")
    (root / "e.png").write_bytes(b"nothing")
    _, seen = scan(root, tmp_path / "cache")
    assert equal_pixels(seen).tolist() == [[0, 2, 0]]
    assert "cannot be decoded" in seen.errors[3]
    # Unreadable files have no pixels in common.
    assert duplicate_groups(seen, distance=0).tolist() == [0, 1, 0, 3, 4]


def test_blank_images_are_no_near_duplicates(tmp_path: Path) -> None:
    root = tmp_path / "faces"
    root.mkdir()
    for value in range(3):
        Image.new("L", (48, 48), value).save(root / f"{value}.png")
    _, seen = scan(root, tmp_path / "cache")
    assert not len(near_duplicates(seen, distance=NEAR_DISTANCE))
    assert len(seen.comparable()) == 0


def test_a_second_look_decodes_nothing(tmp_path: Path) -> None:
    save(tmp_path / "faces" / "a.png", 1)
    samples = [Sample("a.png", "fear")]
    counted: list[int] = []
    for _ in range(2):
        seen = scan_images(
            tmp_path / "faces",
            samples,
            folder=tmp_path / "c",
            workers=1,
            on_progress=counted.append,
        )
    assert counted == [1]
    assert seen.sizes.tolist() == [[40, 40]] and seen.errors == [""]
    (kept,) = (tmp_path / "c" / "scans").iterdir()
    kept.write_bytes(kept.read_bytes()[:100])
    scan_images(
        tmp_path / "faces", samples, folder=tmp_path / "c", workers=1, on_progress=counted.append
    )
    assert counted == [1, 1]


def hashes_of(bits: np.ndarray) -> Hashes:
    packed = np.zeros((len(bits), 32), dtype=np.uint8)
    packed[:, : (BITS + 7) // 8] = np.packbits(bits, axis=1)
    return packed.view(np.uint64)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 24), st.integers(2, 30))
def test_the_search_finds_what_comparing_all_finds(seed: int, distance: int, count: int) -> None:
    random = np.random.default_rng(seed)
    bits = random.integers(0, 2, (count, BITS), dtype=np.uint8)
    for index in range(1, count):  # near, equal and distant relatives of earlier ones
        if random.random() < 0.7:
            bits[index] = bits[random.integers(index)]
            flips = random.integers(0, 30)
            bits[index, random.choice(BITS, flips, replace=False)] ^= 1
    found = near_pairs(hashes_of(bits), distance=distance)
    apart = (bits[:, None] != bits[None]).sum(axis=2)
    expected = np.argwhere(np.triu(apart <= distance, k=1))
    assert all(apart[a, b] == d and a < b for a, b, d in found.tolist())
    full = np.column_stack([expected, np.zeros(len(expected), dtype=np.int64)])
    assert connected(count, found).tolist() == connected(count, full).tolist()
    # Of different hashes every pair is found, not only enough to connect them.
    different = {tuple(pair) for pair in np.argwhere(np.triu((apart > 0) & (apart <= distance)))}
    _, first = np.unique(bits, axis=0, return_index=True)
    different = {pair for pair in different if set(pair) <= set(first.tolist())}
    assert different <= {(a, b) for a, b, _ in found.tolist()}


def test_many_frames_of_one_film_are_connected_in_bounded_work() -> None:
    random = np.random.default_rng(0)
    film = np.tile(random.integers(0, 2, (1, BITS), dtype=np.uint8), (1500, 1))
    for row in film:
        row[random.choice(BITS, 3, replace=False)] ^= 1
    pairs = near_pairs(hashes_of(film), distance=NEAR_DISTANCE)
    assert len(set(connected(1500, pairs).tolist())) == 1
    # All with all would be 1.1 million pairs.
    assert len(pairs) < 1500 * 256
