"""The drawn clip (``fixtures/events``): its frames as pixels, and a network's answers to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_convert.timeline.clip import Clip, Face, Frame
from fer_convert.timeline.replay import asked_for
from fer_convert.timeline.rules import Rules
from fer_train.contract.errors import DataLayoutError, NotFound
from fer_train.contract.pixels import Box, RGBImage, crop_resize, load_rgb, square_region
from fer_train.contract.preprocess import PreprocessSpec

SCRIPT, SHEET = "clip.json", "faces.png"
SCHEMA, VERSION = "fertrain.clip", 1

#: Decimals of an answer: more than a network's single precision is sure of.
_DECIMALS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnClip:
    """Frames before any network has seen them.

    Attributes:
        backdrop: what no picture covers.
        pictures: the sheet, cut apart.
        tiles: for each frame, back to front: picture, left, upper edge, side.
        frames: what a detector says; no answers.
    """

    image_size: tuple[int, int]
    backdrop: tuple[int, int, int]
    pictures: Sequence[Image.Image]
    tiles: Sequence[Sequence[tuple[int, int, int, int]]]
    frames: Sequence[Frame]

    def pixels(self, number: int) -> RGBImage:
        """Return one frame as a camera would deliver it, uint8 ``[H, W, 3]``."""
        image = Image.new("RGB", self.image_size, self.backdrop)
        for picture, left, upper, side in self.tiles[number]:
            tile = self.pictures[picture]
            if side != tile.width:
                tile = tile.resize((side, side), Image.Resampling.BILINEAR)
            image.paste(tile, (left, upper))
        return np.asarray(image)


def load_drawn_clip(folder: Path) -> DrawnClip:
    """Read the clip that is drawn into ``folder`` (``python -m fixtures.generate``).

    Raises:
        NotFound, DataLayoutError, UnreadableImage: it is not there, or is no such clip.
    """
    path = folder / SCRIPT
    if not path.is_file():
        raise NotFound(
            f"There is no {path}.",
            hint="Restore it: git checkout in a checkout, else install again.",
        )
    sheet = Image.fromarray(load_rgb(folder / SHEET))
    try:
        return _clip(json.loads(path.read_text(encoding="utf-8")), sheet)
    except (ValueError, KeyError, TypeError) as error:
        raise DataLayoutError(
            f"{path} is not a drawn clip: {type(error).__name__} {error}.",
            hint="Restore it: git checkout in a checkout, else install again.",
        ) from error


def answered(
    drawn: DrawnClip,
    *,
    spec: PreprocessSpec,
    labels: tuple[str, ...],
    rules: Rules,
    ask: Callable[[NDArray[np.uint8]], NDArray[np.float64]],
) -> Clip:
    """Show a network every face that these rules choose.

    Args:
        ask: uint8 RGB ``[N, S, S, 3]``, all different, to probabilities ``[N, K]`` in the order of
            ``labels``.
    """
    clip = Clip(
        image_size=drawn.image_size,
        labels=labels,
        crop_margin=spec.crop_margin,
        frames=drawn.frames,
    )
    crops = {
        (number, place): crop
        for number, places in enumerate(asked_for(clip, rules))
        if places
        for place, crop in _crops(drawn, number, places, spec).items()
    }
    different = {crop.tobytes(): crop for crop in crops.values()}
    rows = ask(np.stack(list(different.values()))).round(_DECIMALS).tolist()
    known = dict(zip(different, rows, strict=True))
    frames = [
        replace(
            frame,
            faces=[
                replace(face, answer=known[crops[number, place].tobytes()])
                if (number, place) in crops
                else face
                for place, face in enumerate(frame.faces)
            ],
        )
        for number, frame in enumerate(drawn.frames)
    ]
    return replace(clip, frames=frames)


def _crops(
    drawn: DrawnClip, number: int, places: Sequence[int], spec: PreprocessSpec
) -> dict[int, RGBImage]:
    """Cut some faces out of one frame, as a phone would: position -> ``[S, S, 3]``."""
    pixels = drawn.pixels(number)
    regions = {
        place: square_region(
            drawn.frames[number].faces[place].box,
            image_size=drawn.image_size,
            margin=spec.crop_margin,
        )
        for place in places
    }
    return {
        place: crop_resize(pixels, region, size=spec.input_size)
        for place, region in regions.items()
    }


def _clip(record: dict[str, Any], sheet: Image.Image) -> DrawnClip:
    if record["schema"] != SCHEMA or record["version"] != VERSION:
        raise ValueError(f"{record['schema']} of version {record['version']}")
    side = int(record["tile"])
    count = len(record["pictures"])
    if sheet.size != (side * count, side):
        raise ValueError(f"{count} pictures of {side} pixels in a sheet of {sheet.size}")
    width, height = record["image"]
    red, green, blue = record["backdrop"]
    return DrawnClip(
        image_size=(width, height),
        backdrop=(red, green, blue),
        pictures=[sheet.crop((side * n, 0, side * (n + 1), side)) for n in range(count)],
        tiles=[[tuple(tile) for tile in frame["tiles"]] for frame in record["frames"]],
        frames=[
            Frame(
                time_ms=frame["time_ms"],
                faces=[
                    Face(
                        box=Box(*face["box"]),
                        confidence=face["confidence"],
                        quality=face["quality"],
                    )
                    for face in frame["faces"]
                ],
            )
            for frame in record["frames"]
        ],
    )
