"""Made answers, pictures and a runner that only says them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_convert.parity.fixtures import Fixture
from fer_convert.parity.result import Prediction

LABELS = ("anger", "disgust", "fear")


CONTRACT: dict[str, Any] = {
    "schema": "emotionkit.contract",
    "version": 1,
    "labels": list(LABELS),
    "preprocess": {"input_size": 32, "std": (0.5, 0.25, 0.125)},
}


def predict(*logits: float, labels: tuple[str, ...] = LABELS) -> Prediction:
    """A prediction whose probabilities are the softmax of ``logits``."""
    values = np.array(logits, dtype=np.float64)
    odds = np.exp(values - values.max())
    probabilities = odds / odds.sum()
    best = labels[int(np.nanargmax(values))]
    return Prediction(labels=labels, logits=values, probabilities=probabilities, top1=best)


def picture(name: str, number: int) -> Fixture:
    """A fixture whose first pixel says which prediction the fake runner gives."""
    image = np.full((32, 32, 3), number % 256, dtype=np.uint8)
    image[..., 1] = number // 256
    return Fixture(name=name, kind="face", label=None, image=image, path=Path(name))


@dataclass
class FakeRunner:
    """Answers with prepared predictions; an exception among them is raised."""

    answers: list[Prediction | Exception]
    metadata: dict[str, str] = field(default_factory=dict)
    name: str = "fake 1.0"

    def run_many(self, images: NDArray[np.uint8]) -> list[Prediction]:
        return [self._answer(image) for image in images]

    def _answer(self, image: NDArray[np.uint8]) -> Prediction:
        low, high, _ = image[0, 0].tolist()
        answer = self.answers[low + 256 * high]
        if isinstance(answer, Exception):
            raise answer
        return answer
