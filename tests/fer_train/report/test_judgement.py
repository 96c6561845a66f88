"""The sentence on over- or underfitting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from fer_train.report.judgement import Verdict, judge_fit, same_class_mix
from tests.fer_train.finished import row


def course(
    train_loss: Sequence[float],
    val_loss: Sequence[float],
    *,
    train: float = 0.6,
    val: float = 0.5,
    **columns: Sequence[Any],
) -> list[dict[str, Any]]:
    return [
        row(
            i + 1,
            train_loss=train_loss[i],
            val_loss=val_loss[i],
            train_accuracy=train,
            val_accuracy=val,
            **{name: values[i] for name, values in columns.items()},
        )
        for i in range(len(train_loss))
    ]


RISING = course([2.0, 1.5, 1.1, 0.8, 0.5, 0.3, 0.2], [1.8, 1.5, 1.4, 1.45, 1.6, 1.8, 2.0])


FALLING = course([2.0, 1.8, 1.6, 1.4], [2.0, 1.85, 1.7, 1.6])


LEVEL = [2.0, 1.6, 1.4, 1.3, 1.3, 1.3, 1.3, 1.3]


@pytest.mark.parametrize(
    ("history", "verdict"),
    [
        ([], "cannot tell"),
        (FALLING[:2], "cannot tell"),
        (RISING, "overfitting"),
        (FALLING, "still improving"),
        (course(LEVEL, LEVEL, train=0.9, val=0.6), "overfitting"),
        (course(LEVEL, LEVEL, train=0.55, val=0.57), "underfitting"),
        (course([2.08] * 5, [2.08] * 5, train=0.15, val=0.12), "underfitting"),
        (course(LEVEL, LEVEL, train=0.62, val=0.57), "neither"),
        (course(LEVEL, LEVEL, train=0.99, val=0.985), "neither"),
        (course([2.0, 1.5, float("nan")], [2.0, 1.5, 1.2]), "cannot tell"),
    ],
    ids=[
        "no epoch",
        "two epochs",
        "validation loss rises",
        "both fall",
        "level, training far ahead",
        "level, training not ahead",
        "nothing learned",
        "level, training a little ahead",
        "everything learned",
        "not finite",
    ],
)
def test_verdict(history: list[dict[str, Any]], verdict: Verdict) -> None:
    fit = judge_fit(history)
    assert fit.verdict == verdict, fit.sentence
    assert fit.sentence.endswith(".")


def test_sentence_names_the_epoch_and_the_losses() -> None:
    sentence = judge_fit(RISING).sentence
    assert "about epoch 4" not in sentence and "about epoch 3" in sentence
    assert "by epoch 7" in sentence


def test_a_better_figure_in_spite_of_a_rising_loss_is_called_overconfidence() -> None:
    scores = [0.3, 0.4, 0.5, 0.52, 0.55, 0.58, 0.6]
    history = [{**r, "val_macro_f1": s} for r, s in zip(RISING, scores, strict=True)]
    fit = judge_fit(history)
    assert fit.verdict == "overfitting"
    assert "macro-F1 was best at epoch 7 all the same" in fit.sentence
    assert "overconfidence" not in judge_fit(RISING).sentence


def test_one_bad_epoch_of_a_noisy_validation_loss_is_no_overfitting() -> None:
    train = [2.0, 1.8, 1.7, 1.6, 1.55, 1.5, 1.45, 1.4]
    noisy = [2.0, 1.6, 1.9, 1.55, 1.85, 1.5, 1.8, 1.75]
    assert judge_fit(course(train, noisy)).verdict != "overfitting"


def test_a_rise_of_both_losses_is_no_overfitting() -> None:
    both = [2.0, 1.5, 1.4, 1.6, 1.8, 2.0]
    assert judge_fit(course(both, both)).verdict != "overfitting"


def test_only_the_longest_stretch_without_a_change_is_judged() -> None:
    # Pruning makes the loss jump: read as one course, this would be overfitting.
    dense = course([2.0, 1.8, 1.6, 1.4], [2.0, 1.85, 1.7, 1.6])
    recovery = [row(5 + i, stage="recovery", val_loss=2.5, train_loss=1.2) for i in range(3)]
    fit = judge_fit([*dense, *recovery])
    assert fit.verdict == "still improving" and "epochs 1 to 4" in fit.sentence
    assert "the run ended" not in fit.sentence and "the run ended" in judge_fit(dense).sentence
    # Three changes of phase leave nothing to judge.
    short = [row(i + 1, phase=i // 2 + 1) for i in range(6)]
    assert judge_fit(short).verdict == "cannot tell"


def test_accuracies_of_different_class_mixes_do_not_count() -> None:
    history = course(LEVEL, LEVEL, train=0.9, val=0.6)
    fit = judge_fit(history, same_mix=False)
    assert fit.verdict == "neither" and "mixed differently" in fit.sentence


def test_same_class_mix() -> None:
    assert same_class_mix({"train": {"a": 90, "b": 10}, "val": {"a": 9, "b": 1}})
    assert not same_class_mix({"train": {"a": 90, "b": 10}, "val": {"a": 5, "b": 5}})
    assert not same_class_mix({"train": {"a": 90}})
    assert not same_class_mix({})
