"""Batches are only trusted where they change no answer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_convert.parity.runners.answers import Images, softmax
from fer_convert.parity.runners.together import Answers, Together

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3)).astype(np.uint8)


def honest(images: Images) -> Answers:
    """The mean of every channel, as three logits."""
    logits = images.mean(axis=(1, 2)) / 64
    return logits, softmax(logits)


def mixing(images: Images) -> Answers:
    return honest(np.roll(images, 1, axis=0))


def one_answer(images: Images) -> Answers:
    logits, probabilities = honest(images)
    return logits[:1], probabilities[:1]


def refusing(images: Images) -> Answers:
    if len(images) > 1:
        raise RuntimeError("shape '[1, 48]' is invalid for input of size 240")
    return honest(images)


class Counting:
    """Counts the calls of a function of images."""

    def __init__(self, answer: Callable[[Images], Answers]) -> None:
        self.sizes: list[int] = []
        self._answer = answer

    def __call__(self, images: Images) -> Answers:
        self.sizes.append(len(images))
        return self._answer(images)


def test_what_batches_honestly_is_asked_together() -> None:
    counted = Counting(honest)
    ask = Together(counted)
    np.testing.assert_array_equal(ask(IMAGES)[1], honest(IMAGES)[1])
    ask(IMAGES)
    assert counted.sizes == [5, 1, 5]


@pytest.mark.parametrize("dishonest", [mixing, one_answer, refusing])
def test_what_does_not_is_asked_one_by_one_for_ever(
    dishonest: Callable[[Images], Answers],
) -> None:
    counted = Counting(dishonest)
    ask = Together(counted)
    for _ in range(2):
        logits, probabilities = ask(IMAGES)
        np.testing.assert_array_equal(logits, honest(IMAGES)[0])
        np.testing.assert_array_equal(probabilities, honest(IMAGES)[1])
    assert counted.sizes.count(5) == 1


def test_no_number_stays_no_number_and_is_the_same_answer() -> None:
    def overflowing(images: Images) -> Answers:
        nothing: NDArray[np.float64] = np.full((len(images), 3), np.nan)
        return nothing, nothing

    counted = Counting(overflowing)
    ask = Together(counted)
    assert np.isnan(ask(IMAGES)[0]).all()
    assert counted.sizes == [5, 1]


def test_a_single_image_says_nothing_about_batches() -> None:
    counted = Counting(mixing)
    ask = Together(counted)
    ask(IMAGES[:1])
    np.testing.assert_array_equal(ask(IMAGES)[0], honest(IMAGES)[0])
