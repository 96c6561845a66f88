"""The images of a comparison: face crops as they are, or faces in photographs, cut in two ways."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fer_convert.existing.detector import DetectorName, find_faces, open_detector
from fer_convert.existing.photos import Face, faces_in, whole_pictures
from fer_convert.export.log import captured
from fer_convert.parity.fixtures import Fixture, load_fixtures
from fer_convert.parity.witness import cut_face
from fer_convert.progress import Progress
from fer_train.contract.pixels import (
    RGBImage,
    centred_square,
    crop_resize,
    load_rgb,
    square_region,
)
from fer_train.contract.preprocess import PreprocessSpec

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """Where the images come from.

    Attributes:
        fixtures: a folder of face crops; used where ``photos`` is None.
        photos: a folder of photographs, or of pictures that enter as files.
        boxes: the list of faces in them; None takes the one beside them, if there is one.
        detector: finds the faces instead.
    """

    fixtures: Path
    photos: Path | None = None
    boxes: Path | None = None
    detector: DetectorName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """The pixels that networks get.

    Attributes:
        images: as training cuts them.
        apart: the same faces, cut from the files in the second way; None for face crops.
        notes: sentences for the user.
    """

    images: Sequence[Fixture]
    apart: Sequence[Fixture] | None = None
    notes: tuple[str, ...] = ()


def read_pictures(source: Input, *, spec: PreprocessSpec, progress: Progress) -> Pictures:
    """Read and cut every image.

    Raises:
        FerError: a folder, a list or an image cannot be used; its class says why.
    """
    if source.photos is None:
        with progress.stage("read images") as stage:
            images = load_fixtures(source.fixtures, spec=spec)
            stage.outcome = f"{len(images)} images"
        return Pictures(images=images)
    faces, notes = _faces(source, source.photos, progress)
    with progress.stage("cut faces as training does") as stage:
        images = _each(faces, lambda face: _trained_cut(face, spec=spec), stage.advance)
        stage.outcome = f"{len(images)} faces"
    same = 0

    def again(face: Face) -> Fixture:
        nonlocal same
        cut = cut_face(face.path, face.box, spec=spec)
        same += not cut.decoded_apart
        return _fixture(face, cut.pixels)

    with (
        progress.stage("cut faces in the second way") as stage,
        # Decoders print what they forgive: "known incorrect sRGB profile".
        tempfile.TemporaryFile("w") as words,
        captured(words),
    ):
        apart = _each(faces, again, stage.advance)
    if same:
        notes.append(
            f"{same} of {len(faces)} faces are of files that only Pillow decodes: both ways begin "
            "with the same picture there."
        )
    return Pictures(images=images, apart=apart, notes=tuple(notes))


def _faces(source: Input, photos: Path, progress: Progress) -> tuple[list[Face], list[str]]:
    if source.detector is None:
        faces = faces_in(photos, source.boxes)
        whole = all(face.box is None for face in faces)
        said = "No list of boxes: each picture is taken as a face that is cut already."
        return faces, [said] if whole else []
    detector, name = open_detector(source.detector)
    with progress.stage("find faces") as stage:
        pictures = whole_pictures(photos)
        found, without = find_faces(pictures, detector, progress=stage.advance)
        stage.outcome = f"{len(found)} of {len(pictures)} pictures"
    notes = [f"Boxes by {name}, the largest face of each picture; an app's detector has its own."]
    if without:
        more = f" and {len(without) - _MOST_NAMED} more" if len(without) > _MOST_NAMED else ""
        notes.append(f"No face was found in {', '.join(without[:_MOST_NAMED])}{more}.")
    return found, notes


def _each(
    faces: Sequence[Face], cut: Callable[[Face], Fixture], advance: Callable[[int, int], None]
) -> list[Fixture]:
    cuts = []
    for done, face in enumerate(faces, start=1):
        cuts.append(cut(face))
        advance(done, len(faces))
    return cuts


def _trained_cut(face: Face, *, spec: PreprocessSpec) -> Fixture:
    picture = load_rgb(face.path)
    height, width = picture.shape[:2]
    region = (
        centred_square(width, height)
        if face.box is None
        else square_region(face.box, image_size=(width, height), margin=spec.crop_margin)
    )
    cut = crop_resize(picture, region, size=spec.input_size)
    return replace(_fixture(face, cut), box=face.box, region=region)


def _fixture(face: Face, pixels: RGBImage) -> Fixture:
    return Fixture(
        name=face.name,
        kind="face",
        label=face.label,
        image=pixels,
        path=face.path,
    )
