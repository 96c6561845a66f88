"""Images are decoded once, exactly as the contract says, and never from a stale cache."""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import threading
from collections.abc import Sequence
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
import pytest

from fer_train.config.options import TrainConfig
from fer_train.contract.errors import CannotWrite, DataLayoutError, NotFound, UnreadableImage
from fer_train.contract.pixels import Box, crop_resize, face_crop, load_rgb, square_region
from fer_train.contract.preprocess import LUMA
from fer_train.data import cache as cache_module
from fer_train.data.augment import AugmentSpec
from fer_train.data.batches import pixel_statistics, stored_size
from fer_train.data.cache import PixelCache, exclusive, open_cache
from fer_train.data.samples import Sample
from fer_train.run.faces import augmentation
from tests.fer_train.faces import save_image, texture

#: How `fertrain train` augments when nothing is said.
USUAL = augmentation(TrainConfig(data="faces", arch="resnet101"))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    random = np.random.default_rng(1)
    root = tmp_path / "images"
    root.mkdir()
    for number in range(10):
        save_image(root / f"{number}.png", texture(random, 30 + 5 * number))
    return root


def samples_in(root: Path) -> list[Sample]:
    return [Sample(path.name, "anger") for path in sorted(root.iterdir())]


def decode(
    root: Path,
    folder: Path,
    *,
    size: int = 32,
    margin: float = 0.3,
    samples: Sequence[Sample] | None = None,
) -> tuple[PixelCache, int]:
    """Open the cache; also return how many images had to be decoded."""
    decoded: list[int] = []
    opened = open_cache(
        root,
        samples_in(root) if samples is None else samples,
        size=size,
        margin=margin,
        folder=folder,
        workers=2,
        on_progress=decoded.append,
    )
    return opened, sum(decoded)


def leftovers(folder: Path) -> list[str]:
    """What a failed build must not leave; digests of the sources may stay."""
    return [entry.name for entry in folder.iterdir() if entry.name != "digests"]


def test_stored_pixels_are_the_contracts_face_crop(images: Path, tmp_path: Path) -> None:
    opened, decoded = decode(images, tmp_path / "cache")
    assert decoded == 10
    batch = opened.gather(np.array([7, 2]))
    assert batch.dtype == np.uint8
    for row, number in zip(batch, (7, 2), strict=True):
        expected = face_crop(load_rgb(images / f"{number}.png"), size=32)
        np.testing.assert_array_equal(row, expected)


def test_a_face_box_becomes_the_contracts_square(images: Path, tmp_path: Path) -> None:
    box = Box(20, 10, 12, 18)
    sample = Sample("9.png", "fear", box=box)
    opened, _ = decode(images, tmp_path / "cache", samples=[sample], margin=0.5)
    photo = load_rgb(images / "9.png")  # 75 px
    region = square_region(box, image_size=(75, 75), margin=0.5)
    assert region.width == 27
    np.testing.assert_array_equal(opened.gather([0])[0], crop_resize(photo, region, size=32))
    # The margin belongs to the key only where there is a box.
    assert decode(images, tmp_path / "cache", samples=[sample], margin=0.3)[1] == 1
    assert decode(images, tmp_path / "cache", margin=0.3)[1] == 10
    assert decode(images, tmp_path / "cache", margin=0.5)[1] == 0
    sizes = [
        stored_size(images, [sample], input_size=n, margin=0.5, augmentation=USUAL)
        for n in (32, 20)
    ]
    assert sizes == [32, 23]  # 27 px to take from


def test_pixels_of_a_csv_row_go_the_same_way(tmp_path: Path) -> None:
    grey = np.random.default_rng(2).integers(0, 256, (48, 48), dtype=np.uint8)
    row = f'3,"{" ".join(map(str, grey.ravel()))}",Training\n'
    header = "emotion,pixels,Usage\n"
    (tmp_path / "fer2013.csv").write_text(header + "0,1 2 3 4,Training\n" + row)
    offset = len(header) + len("0,1 2 3 4,Training\n")
    sample = Sample("fer2013.csv:3", "happiness", offset=offset)
    opened, decoded = decode(tmp_path, tmp_path / "cache", samples=[sample], size=40)
    assert decoded == 1
    expected = face_crop(np.repeat(grey[:, :, None], 3, axis=2), size=40)
    np.testing.assert_array_equal(opened.gather([0])[0], expected)


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [("1 2 3", "3 numbers are not a square"), ("1 2 3 256", "1 to 256"), ("1 2 x 4", "x")],
)
def test_a_damaged_csv_row_is_an_unreadable_image(tmp_path: Path, pixels: str, reason: str) -> None:
    (tmp_path / "f.csv").write_text(f"emotion,pixels\n0,{pixels}\n")
    with pytest.raises(UnreadableImage, match=r"f\.csv:2 cannot") as caught:
        decode(tmp_path, tmp_path / "cache", samples=[Sample("f.csv:2", "fear", offset=15)])
    assert reason in str(caught.value)


def test_a_second_run_decodes_nothing(images: Path, tmp_path: Path) -> None:
    first, _ = decode(images, tmp_path / "cache")
    second, decoded = decode(images, tmp_path / "cache")
    assert decoded == 0
    assert second == first


def test_an_edited_image_and_another_size_make_another_cache(images: Path, tmp_path: Path) -> None:
    first, _ = decode(images, tmp_path / "cache")
    save_image(images / "3.png", np.zeros((40, 40, 3), dtype=np.uint8))
    second, decoded = decode(images, tmp_path / "cache")
    assert decoded == 10
    assert second.digests[3] != first.digests[3]
    assert not second.gather([3]).any()
    assert decode(images, tmp_path / "cache", size=48)[1] == 10


def test_an_edit_that_keeps_size_and_date_is_noticed(images: Path, tmp_path: Path) -> None:
    for number in (3, 4):
        pixels = np.full((40, 40, 3), 10 * number, dtype=np.uint8)
        (images / f"{number}.ppm").write_bytes(b"P6 40 40 255\n" + pixels.tobytes())
    decode(images, tmp_path / "cache")
    status = (images / "3.ppm").stat()
    shutil.copyfile(images / "4.ppm", images / "3.ppm")
    os.utime(images / "3.ppm", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (images / "3.ppm").stat().st_size == status.st_size
    opened, decoded = decode(images, tmp_path / "cache")
    assert decoded == 12
    index = [sample.name for sample in samples_in(images)].index("3.ppm")
    assert (opened.gather([index]) == 40).all()


def test_moved_or_touched_data_finds_its_cache(images: Path, tmp_path: Path) -> None:
    decode(images, tmp_path / "cache")
    moved = tmp_path / "elsewhere"
    shutil.copytree(images, moved)
    assert decode(moved, tmp_path / "cache")[1] == 0
    (moved / "1.png").touch()
    assert decode(moved, tmp_path / "cache")[1] == 0


def test_a_truncated_cache_is_rebuilt(images: Path, tmp_path: Path) -> None:
    opened, _ = decode(images, tmp_path / "cache")
    os.truncate(opened.pixels, 100)
    again, decoded = decode(images, tmp_path / "cache")
    assert decoded == 10
    assert again.gather([9]).shape == (1, 32, 32, 3)


def test_all_unreadable_images_are_found_and_five_are_named(images: Path, tmp_path: Path) -> None:
    for number in range(7):
        (images / f"{number}.png").write_bytes(b"not an image" if number else b"")
    with pytest.raises(UnreadableImage) as caught:
        decode(images, tmp_path / "cache")
    message = str(caught.value)
    assert message.startswith("7 of 10 images")
    assert "0.png" in message and "4.png" in message and "5.png" not in message
    assert "it is empty" in message and "not an image" in message and "BytesIO" not in message
    assert "and 2 more" in message and "fertrain data check" in message
    assert leftovers(tmp_path / "cache") == []


def test_a_full_disk_leaves_nothing_behind(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_json = cache_module.write_json

    def full(path: Path, value: object) -> None:
        if path.name == cache_module.MARKER:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_json(path, value)

    monkeypatch.setattr(cache_module, "write_json", full)
    with pytest.raises(CannotWrite, match="No space left"):
        decode(images, tmp_path / "cache")
    assert leftovers(tmp_path / "cache") == []


def test_a_file_that_disappears_is_named(images: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"gone\.png"):
        decode(images, tmp_path / "cache", samples=[Sample("gone.png", "fear")])


def test_data_that_changes_during_the_build_is_refused(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "content_digests", lambda *_, **__: ["0" * 64] * 10)
    with pytest.raises(DataLayoutError, match="changed while they were read"):
        decode(images, tmp_path / "cache")
    assert leftovers(tmp_path / "cache") == []


def build_and_report(root: Path, folder: Path, queue: multiprocessing.Queue[int]) -> None:
    queue.put(decode(root, folder)[1])


def test_two_processes_build_a_cache_once(images: Path, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    queue: multiprocessing.Queue[int] = context.Queue()
    builders = [
        context.Process(target=build_and_report, args=(images, tmp_path / "cache", queue))
        for _ in range(2)
    ]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join(120)
        assert builder.exitcode == 0
    # Whichever came second waited, or arrived when all was done; neither decoded it again.
    assert sorted([queue.get(timeout=5), queue.get(timeout=5)]) == [0, 10]
    assert not list((tmp_path / "cache").glob("*.lock"))


def test_the_second_builder_waits_for_the_first(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cache"
    waiting, original = threading.Event(), cache_module._decode_all
    second: list[int] = []

    def look_again() -> None:
        def on_progress(count: int) -> None:
            if inside.is_set() and count == 0:
                waiting.set()  # digests come from the file: this is the lock's call
            second.append(count)

        open_cache(
            images,
            samples_in(images),
            size=32,
            margin=0.3,
            folder=folder,
            workers=1,
            on_progress=on_progress,
        )

    inside = threading.Event()
    other = threading.Thread(target=look_again)

    def slow(*arguments: object, **options: object) -> list[str]:
        inside.set()
        other.start()
        assert waiting.wait(30), "the second builder did not wait"
        return original(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(cache_module, "_decode_all", slow)
    assert decode(images, folder)[1] == 10
    other.join(30)
    assert sum(second) == 0


def test_what_a_killed_builder_left_is_cleared(images: Path, tmp_path: Path) -> None:
    opened, _ = decode(images, tmp_path / "cache")
    key = opened.pixels.parent.name
    shutil.rmtree(opened.pixels.parent)
    (tmp_path / "cache" / f".{key}.abc.partial").mkdir()
    decode(images, tmp_path / "cache")
    assert sorted(leftovers(tmp_path / "cache")) == [key]


def hold(path: Path, held: Event) -> None:
    with exclusive(path, while_waiting=lambda: None):
        held.set()
        threading.Event().wait()


def test_the_lock_of_a_killed_builder_is_free(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    path, held, waited = tmp_path / "key.lock", context.Event(), threading.Event()
    holder = context.Process(target=hold, args=(path, held))
    holder.start()
    assert held.wait(60)

    def kill() -> None:
        waited.set()
        holder.kill()

    with exclusive(path, while_waiting=kill):
        assert waited.is_set()
    holder.join(30)
    assert not path.exists()


def test_who_waits_for_a_lock_may_give_up(tmp_path: Path) -> None:
    path = tmp_path / "key.lock"

    def give_up() -> None:
        raise KeyboardInterrupt

    with exclusive(path, while_waiting=lambda: None):
        with pytest.raises(KeyboardInterrupt), exclusive(path, while_waiting=give_up):
            pass
        assert path.exists()  # the holder's


def test_a_lock_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    lock = exclusive(tmp_path / "cache" / "key.lock", while_waiting=lambda: None)
    with pytest.raises(CannotWrite, match=r"key\.lock"), lock:
        pass


def test_training_images_are_stored_larger_than_the_input_but_never_enlarged(
    images: Path,
) -> None:
    samples = samples_in(images)  # sides 30 to 75, median 52.5

    def stored(input_size: int, spec: AugmentSpec = USUAL) -> int:
        return stored_size(
            images,
            samples,
            input_size=input_size,
            margin=0.3,
            augmentation=spec,
        )

    assert stored(32) == 37  # ceil(1.15 * 32)
    assert stored(48) == 52  # the median original
    assert stored(96) == 96  # evaluation enlarges too
    # A little tighter: 1.15 * sqrt(0.8 / 0.6) = 1.33 times the input. Much tighter: all there is.
    assert stored(32, AugmentSpec(crop_area=(0.6, 1.0), crop_ratio=(1 / 1.1, 1.1))) == 43
    assert stored(32, AugmentSpec(crop_area=(0.08, 1.0))) == 52


def test_statistics_of_the_training_pixels(images: Path, tmp_path: Path) -> None:
    opened, _ = decode(images, tmp_path / "cache")
    pixels = opened.gather(np.arange(10)).reshape(-1, 3) / 255.0
    mean, std = pixel_statistics(opened, color="rgb")
    np.testing.assert_allclose(mean, pixels.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(std, pixels.std(axis=0), atol=1e-9)
    grey_mean, grey_std = pixel_statistics(opened, color="gray")
    np.testing.assert_allclose(grey_mean, (pixels @ LUMA).mean(), atol=1e-9)
    np.testing.assert_allclose(grey_std, (pixels @ LUMA).std(), atol=1e-9)
