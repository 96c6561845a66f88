"""golden.json: numbers that Python computed and Swift must compute too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from fer_convert.parity.result import Prediction
from fer_convert.swift_package.canary import canary_cases
from fer_train.contract.labels import EMOTIONS
from fer_train.contract.pixels import Box, square_region

SCHEMA = "emotionkit.golden"


VERSION = 1


_SEED = 20240731


#: exp() may differ in its last bit between C libraries; the file must not.
_DECIMALS = 12


class LabelledImage(Protocol):
    """What golden.json says of a fixture; ``parity.fixtures.Fixture`` is one."""

    @property
    def name(self) -> str: ...
    @property
    def label(self) -> str | None: ...


def golden_record(
    images: Sequence[LabelledImage] = (), predictions: Sequence[Prediction] = ()
) -> dict[str, Any]:
    """Return golden.json's content: the same vectors always, and one entry per image.

    Args:
        images: the fixtures of a build; none for the repository's own file.
        predictions: the checkpoint's, one per image.
    """
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "labels": list(EMOTIONS),
        "softmax": [_softmax_vector(logits) for logits in _logit_vectors()],
        "label_lists": [
            {"labels": list(labels), "accepted": accepted} for labels, accepted in LABEL_LISTS
        ],
        "regions": [_region_vector(*case) for case in _region_cases()],
        "canaries": canary_cases(),
        "images": [
            {
                "name": image.name,
                "label": image.label,
                "probabilities": [float(p) for p in expected.probabilities],
                "top1": expected.top1,
            }
            for image, expected in zip(images, predictions, strict=True)
        ],
    }


def _labels(count: int) -> list[str]:
    return [f"label {number}" for number in range(count)]


#: Label lists of a contract (version 2), and whether Python and Swift take them.
LABEL_LISTS: Sequence[tuple[Sequence[str], bool]] = (
    (EMOTIONS, True),
    (EMOTIONS[:7], True),  # FER2013, RAF-DB
    (tuple(reversed(EMOTIONS)), True),
    (("pain", "neutral", "engaged"), True),
    (("müde", "gähnend", "眠い"), True),
    (("very low", "low", "high", "very-high", "1", "2_3"), True),
    (("a", "b"), True),
    (_labels(64), True),
    (("n" * 64, "other"), True),
    ((), False),
    (("alone",), False),
    (_labels(65), False),
    (("pain", "pain"), False),
    (("pain", "Pain"), False),  # nobody tells them apart
    (("\u00e9mu", "e\u0301mu"), False),  # the same text, typed in two ways
    (("Anger", "fear"), False),  # a known emotion in another spelling
    (("", "pain"), False),
    ((" pain", "fear"), False),
    (("pain\n", "fear"), False),
    (("pa\u0000in", "fear"), False),
    (("n" * 65, "other"), False),
)


def _logit_vectors() -> list[list[float]]:
    count = len(EMOTIONS)
    generator = np.random.default_rng(_SEED)
    ordinary = [[round(float(v), 3) for v in generator.normal(0, 3, count)] for _ in range(6)]
    extreme = [
        [0.0] * count,  # equal
        [1000.0, *[0.0] * (count - 1)],  # exp() alone would overflow
        [-1000.0] * (count - 1) + [-999.0],  # exp() alone would underflow to 0/0
        [5.0, 5.0, *[-5.0] * (count - 2)],  # a tie for the first place
        [88.8, 88.7, *[0.0] * (count - 2)],  # just above float32's exp()
    ]
    return ordinary + extreme


def _softmax_vector(logits: list[float]) -> dict[str, list[float]]:
    largest = max(logits)
    exponentials = [math.exp(value - largest) for value in logits]
    total = math.fsum(exponentials)
    return {
        "logits": logits,
        "probabilities": [round(value / total, _DECIMALS) for value in exponentials],
    }


def _region_cases() -> list[tuple[tuple[int, int], Box, float]]:
    photo = (640, 480)
    edges = [
        (photo, Box(270, 190, 100, 100), 0.3),  # well inside
        (photo, Box(270, 190, 100, 100), 0.0),  # no margin
        (photo, Box(0, 0, 100, 120), 0.3),  # shifted from the top left corner
        (photo, Box(560, 380, 80, 100), 0.3),  # shifted from the bottom right corner
        (photo, Box(-20, 100, 90, 90), 0.3),  # a detector's box may leave the image
        (photo, Box(600, 440, 120, 120), 0.3),
        (photo, Box(100, 20, 400, 440), 0.3),  # larger than the image: shrunk
        (photo, Box(0, 0, 640, 480), 0.3),  # the whole image
        ((480, 640), Box(200, 300, 60, 90), 0.5),  # portrait
        ((1, 1), Box(0, 0, 1, 1), 0.3),  # the smallest image
    ]
    generator = np.random.default_rng(_SEED)
    drawn = []
    for _ in range(24):
        width, height = (int(v) for v in generator.integers(48, 4000, 2))
        x, y = generator.uniform(-0.1, 0.9, 2) * (width, height)
        w, h = generator.uniform(0.05, 0.8, 2) * (width, height)
        box = Box(*(round(float(v), 2) for v in (x, y, w, h)))
        drawn.append(((width, height), box, float(generator.choice([0.0, 0.2, 0.3, 0.5]))))
    return edges + drawn


def _region_vector(size: tuple[int, int], box: Box, margin: float) -> dict[str, Any]:
    region = square_region(box, image_size=size, margin=margin)
    return {
        "image": list(size),
        "box": [float(v) for v in box],
        "margin": margin,
        "region": [round(float(v), _DECIMALS) + 0.0 for v in region],  # no -0.0
    }
