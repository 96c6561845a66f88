"""Many images at once, where a runtime answers each as it answers it alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_convert.parity.runners.answers import Images

Answers = tuple[NDArray[Any], NDArray[Any]]  # logits and probabilities, each [N, K]

#: How far a probability may move when its image has company. Another order of sums is far below
#: it; half precision rounds what it sums, so that it needs more. An answer that belongs to another
#: image is above both, and so are the answers of a program that has one batch size baked in.
FULL_TOLERANCE, HALF_TOLERANCE = 1e-3, 0.05


class Together:
    """Asks about many images at once, and one by one where that would change the answers.

    A trace may hold a batch size as a number, or mix the images of a batch: the first time, the
    last image of the batch is asked alone, too.
    """

    def __init__(
        self, answer: Callable[[Images], Answers], *, tolerance: float = FULL_TOLERANCE
    ) -> None:
        """
        Args:
            answer: runs a batch; it may raise whatever it likes where it takes one image only.
        """
        self._answer = answer
        self._tolerance = tolerance
        self._trusted: bool | None = None  # not asked yet

    def __call__(self, images: Images) -> Answers:
        if len(images) == 1 or self._trusted is False:
            return self._alone(images)
        if self._trusted:
            return self._answer(images)
        answers = self._tried(images)
        self._trusted = answers is not None
        return self._alone(images) if answers is None else answers

    def _tried(self, images: Images) -> Answers | None:
        try:
            answers = self._answer(images)
        except MemoryError:
            raise
        except Exception:  # a baked batch size makes each runtime raise its own
            return None
        if any(len(scores) != len(images) for scores in answers):
            return None
        alone = self._answer(images[-1:])
        same = np.allclose(
            *(answers[1][-1], alone[1][0]), rtol=0, atol=self._tolerance, equal_nan=True
        )
        return answers if same else None

    def _alone(self, images: Images) -> Answers:
        answers = [self._answer(image[None]) for image in images]
        logits, probabilities = zip(*answers, strict=True)
        return np.concatenate(logits), np.concatenate(probabilities)
