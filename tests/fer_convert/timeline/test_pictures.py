"""The drawn clip as pixels, and what a network is shown of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_convert.bundled import clip_folder
from fer_convert.timeline import Rules
from fer_convert.timeline.pictures import DrawnClip, answered, load_drawn_clip
from fer_train.contract.errors import DataLayoutError, NotFound
from fer_train.contract.pixels import RGBImage, face_crop
from fer_train.contract.preprocess import PreprocessSpec

LABELS = ("sadness", "neutral")


@pytest.fixture(scope="module")
def drawn() -> DrawnClip:
    return load_drawn_clip(clip_folder())


def test_a_frame_is_its_pictures_on_the_backdrop(drawn: DrawnClip) -> None:
    assert np.unique(drawn.pixels(0).reshape(-1, 3), axis=0).tolist() == [list(drawn.backdrop)]
    number = next(n for n, tiles in enumerate(drawn.tiles) if len(tiles) == 1)
    ((picture, left, upper, side),) = drawn.tiles[number]
    left = max(left, 0)  # the first comes in from the left edge
    shown = drawn.pixels(number)[upper : upper + side, left : left + 20]
    tile = np.asarray(drawn.pictures[picture])
    assert np.array_equal(shown, tile[:, side - (drawn.tiles[number][0][1] + side) :][:, :20])


def test_the_network_sees_about_the_face_that_was_drawn(drawn: DrawnClip) -> None:
    """At the margin faces are drawn with, a region is a picture but for the detector's error."""
    seen: list[RGBImage] = []

    def ask(images: NDArray[np.uint8]) -> NDArray[np.float64]:
        seen.extend(images)
        return np.tile([0.25, 0.75], (len(images), 1))

    spec = PreprocessSpec(input_size=48, crop_margin=0.3, color="rgb")
    clip = answered(drawn, spec=spec, labels=LABELS, rules=Rules(), ask=ask)
    number = next(n for n, f in enumerate(clip.frames) if f.time_ms > 2000 and f.faces[0].answer)
    picture = drawn.tiles[number][0][0]
    tile = face_crop(np.asarray(drawn.pictures[picture]), size=48).astype(float)
    nearest = min(float(np.abs(image.astype(float) - tile).mean()) for image in seen)
    assert nearest < 12
    far = float(np.abs(seen[0].astype(float)[::-1] - tile).mean())
    assert far > 3 * nearest
    # The same pixels are asked about once, and faces that are not chosen never.
    asked = sum(face.answer is not None for frame in clip.frames for face in frame.faces)
    assert len(seen) < 100 < 200 < asked < sum(len(frame.faces) for frame in clip.frames)
    assert len({image.tobytes() for image in seen}) == len(seen)


def test_a_clip_that_is_missing_or_another_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="There is no"):
        load_drawn_clip(tmp_path)
    for name in ("clip.json", "faces.png"):
        shutil.copy(clip_folder() / name, tmp_path / name)
    record = json.loads((tmp_path / "clip.json").read_text(encoding="utf-8"))
    record["pictures"].append("one more")
    (tmp_path / "clip.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(DataLayoutError, match="18 pictures of 72 pixels in a sheet of"):
        load_drawn_clip(tmp_path)
