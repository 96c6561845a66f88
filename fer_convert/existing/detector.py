"""Faces found by a detector that is no part of the project: an extra whose package has its model.

No network of ours: where a box comes from is the user's affair, and both sides get the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fer_convert.existing.photos import Face
from fer_train.contract.errors import InstallationBroken, ParityFailed
from fer_train.contract.pixels import Box, load_rgb

DetectorName = Literal["opencv"]

#: Smallest face that is looked for, as a share of the picture's shorter side.
_SMALLEST = 0.1

_MODEL = "haarcascade_frontalface_default.xml"

Detector = Callable[[NDArray[np.uint8]], list[Box]]


def find_faces(
    pictures: Sequence[Face], detector: Detector, *, progress: Callable[[int, int], None]
) -> tuple[list[Face], list[str]]:
    """Return the largest face of every picture, and the names of those in which none was found.

    Raises:
        ParityFailed: none was found anywhere.
    """
    found, without = [], []
    for done, picture in enumerate(pictures, start=1):
        boxes = detector(load_rgb(picture.path))
        if boxes:
            largest = max(boxes, key=lambda box: box.width * box.height)
            found.append(replace(picture, box=largest))
        else:
            without.append(picture.name)
        progress(done, len(pictures))
    if not found:
        raise ParityFailed(
            f"The detector finds no face in any of {len(pictures)} pictures; comparing nothing "
            "proves nothing.",
            hint="Name the boxes yourself: --boxes FILE.",
        )
    return found, without


def open_detector(name: DetectorName) -> tuple[Detector, str]:
    """Return a detector, and what it is for the report.

    Raises:
        InstallationBroken: its package is not installed, or has no model in it.
    """
    try:
        import cv2
    except ImportError as error:
        raise InstallationBroken(
            "--detector opencv needs the package opencv-python-headless.",
            hint="pip install 'fer-toolchain[detector]', or name the boxes yourself: --boxes FILE.",
        ) from error
    # OpenCV 5 has neither the class nor its models any more.
    classifier, data = getattr(cv2, "CascadeClassifier", None), getattr(cv2, "data", None)
    model = Path(getattr(data, "haarcascades", "")) / _MODEL
    cascade = None if classifier is None else classifier(str(model))
    if cascade is None or cascade.empty():
        raise InstallationBroken(
            f"OpenCV {cv2.__version__} comes without {_MODEL}.",
            hint="pip install 'fer-toolchain[detector]' installs a version that has it.",
        )
    return _haar(cv2, cascade), f"OpenCV {cv2.__version__}, {model.name}"


def _haar(cv2: Any, cascade: Any) -> Detector:
    def detect(rgb: NDArray[np.uint8]) -> list[Box]:
        grey = cv2.equalizeHist(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
        least = max(24, int(_SMALLEST * min(grey.shape)))
        found = cascade.detectMultiScale(
            grey, scaleFactor=1.1, minNeighbors=5, minSize=(least, least)
        )
        return [Box(*(float(value) for value in box)) for box in found]

    return detect
