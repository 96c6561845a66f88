"""Judgements on a run: whether it over- or underfitted, and whether it answers only one thing.

Each is said in one sentence, and only as far as history and confusion matrix allow.

The two curves of a history are not two measurements of one thing. A training figure is a running
average over the epoch: the network still moves, dropout is on and the images are augmented; a
validation figure is of the finished epoch on plain images. All of that makes the training figure
the worse one, so a training figure that is clearly *better* means something, and one that is not
better means little. And a network that gives one answer to (almost) everything is named as such,
because every other figure hides it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from statistics import fmean, median
from typing import Any, Literal

from fer_train.contract.page.figures import percent
from fer_train.learning.statistics import Confusion
from fer_train.report.names import figure_name

Verdict = Literal["cannot tell", "overfitting", "still improving", "underfitting", "neither"]

#: Epochs without a change of phase or pruning that a judgement takes.
FEWEST = 3

#: Relative rise of the validation loss over its lowest that counts, and fall of the training loss.
_RISE, _FALL = 0.05, 0.02

#: Relative fall of both losses from one quarter to the next that counts as still improving.
_IMPROVING = 0.01

#: Relative fall of the training loss over all of it below which nothing was learned.
_LEARNED = 0.03

#: Lead of training accuracy over validation accuracy that counts, and one that does not.
_GAP, _LEVEL = 0.10, 0.02

#: Beyond this a network that knows its training images has nothing left to fit.
_FITTED = 0.95

#: Share of all answers from which one class has "almost all", and by how much that must exceed the
#: share of images that do show it: on images of one class a single answer is right.
_ALMOST_ALL, _TOO_MANY = 0.95, 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A judgement on a run.

    Attributes:
        sentence: for people; names the epochs it looked at.
    """

    verdict: Verdict
    sentence: str


def judge_fit(
    history: Sequence[Mapping[str, Any]], *, selection: str = "macro_f1", same_mix: bool = True
) -> Fit:
    """Say whether a run over- or underfitted, from the losses and accuracies of its epochs.

    Judged is the longest stretch without a change of phase or pruning, because both make jumps
    that have other causes.

    Args:
        history: rows of history.csv, numbers as numbers.
        selection: the validation figure that chose the best epoch.
        same_mix: train and val have about the same share of each class; only then do their
            accuracies compare.
    """
    rows = _longest_stretch(history)
    if len(rows) < FEWEST:
        return Fit(
            verdict="cannot tell",
            sentence=f"Cannot tell whether the network over- or underfits: "
            f"{_count(len(rows))} without a change of phase or pruning, and it takes {FEWEST}.",
        )
    figures = ("train_loss", "val_loss", "train_accuracy", "val_accuracy")
    if not all(math.isfinite(row[name]) for row in rows for name in figures):
        return Fit(
            verdict="cannot tell",
            sentence="Cannot tell whether the network over- or underfits: a figure is not finite.",
        )
    rising = _rising(rows, selection)
    if rising is not None:
        return rising
    k = max(1, len(rows) // 4)
    where = f"epochs {rows[0]['epoch']} to {rows[-1]['epoch']}"
    train = fmean(row["train_accuracy"] for row in rows[-k:])
    val = fmean(row["val_accuracy"] for row in rows[-k:])
    accuracies = f"{percent(train)} on training and {percent(val)} on validation images"
    ahead = same_mix and train - val >= _GAP
    if _falls(rows, "val_loss", k) and _falls(rows, "train_loss", k):
        gap = ", though it already knows its training images better" if ahead else ""
        last = rows[-1] is history[-1]
        then = (
            "when the run ended; a longer run would probably be better"
            if last
            else "when that stretch ended; what came after it is too short to judge"
        )
        return Fit(
            verdict="still improving",
            sentence=f"{'Not trained to the end' if last else 'No overfitting seen'}: over "
            f"{where}, with {accuracies} at their end{gap}, both losses were still falling {then}.",
        )
    if ahead:
        return Fit(
            verdict="overfitting",
            sentence=f"Overfitting: over {where} the network came to know its training images "
            f"better than new ones ({accuracies}), although the validation loss did not rise; "
            "more data, stronger augmentation or more regularisation would help.",
        )
    start, end = rows[0]["train_loss"], rows[-1]["train_loss"]
    if train < _FITTED and end > start * (1 - _LEARNED):
        return Fit(
            verdict="underfitting",
            sentence=f"Underfitting: over {where} the network hardly learned, its training loss "
            f"went from {start:.3f} to {end:.3f}, with {accuracies}; try another rate, more "
            "trainable layers, or weights to start from.",
        )
    if train <= val + _LEVEL and train < _FITTED:
        return Fit(
            verdict="underfitting",
            sentence=f"Rather underfitting than overfitting: over {where} the losses levelled off "
            f"with {accuracies}. The network does not fit even its own training images closely; "
            "training more layers, a larger network or weaker augmentation could.",
        )
    mix = "" if same_mix else " (their classes are mixed differently, so these do not compare)"
    return Fit(
        verdict="neither",
        sentence=f"No clear sign of over- or underfitting over {where}: the validation loss did "
        f"not rise, and accuracy ended at {accuracies}{mix}.",
    )


def same_class_mix(counts: Mapping[str, Mapping[str, int]]) -> bool:
    """Tell whether train and val have about the same share of each class.

    Args:
        counts: split -> label -> images. About the same: at most a tenth of the images would have
            to change their class (total variation 0.1).
    """
    train, val = counts.get("train", {}), counts.get("val", {})
    total, held_out = sum(train.values()), sum(val.values())
    if not total or not held_out:
        return False
    labels = {*train, *val}
    apart = sum(abs(train.get(x, 0) / total - val.get(x, 0) / held_out) for x in labels) / 2
    return apart <= 0.1


def one_sided(confusion: Confusion | Sequence[Sequence[int]], labels: Sequence[str]) -> str | None:
    """Return "answers happiness to 100 % of the images, which 12.5 % show"; else None.

    Args:
        confusion: counts [true, predicted].
        labels: of its rows and columns.
    """
    total = sum(sum(row) for row in confusion)
    for index, label in enumerate(labels):
        said = sum(row[index] for row in confusion)
        shown = sum(confusion[index])
        if total and said >= _ALMOST_ALL * total and said - shown >= _TOO_MANY * total:
            return (
                f"answers {label} to {percent(float(said / total))} of the images, "
                f"which {percent(float(shown / total))} show"
            )
    return None


def _rising(rows: Sequence[Mapping[str, Any]], selection: str) -> Fit | None:
    """Return the verdict if validation loss rose while training loss fell on, else None."""
    val = [row["val_loss"] for row in rows]
    # The lowest of many noisy values is low by luck: look for it in the medians of three.
    smooth = [median(val[max(i - 1, 0) : i + 2]) for i in range(len(val))]
    low = smooth.index(min(smooth))
    after = len(rows) - 1 - low
    if after < 2 or smooth[low] <= 0:
        return None
    k = min(3, after)
    jump = median(abs(b - a) for a, b in pairwise(val)) / smooth[low]
    rise = fmean(val[-k:]) / smooth[low] - 1
    train_end, train_low = fmean(row["train_loss"] for row in rows[-k:]), rows[low]["train_loss"]
    if rise < max(_RISE, jump) or train_end > train_low * (1 - _FALL):
        return None
    sentence = (
        f"Overfitting from about epoch {rows[low]['epoch']} on: the validation loss rose from "
        f"{smooth[low]:.3f} to {fmean(val[-k:]):.3f} by epoch {rows[-1]['epoch']} while the "
        f"training loss fell on from {train_low:.3f} to {train_end:.3f}"
    )
    column = f"val_{selection}"
    if selection != "loss" and column in rows[0]:
        scores = [row[column] for row in rows]
        best = scores.index(max(scores))
        if best >= low + 2:
            sentence += (
                f"; {figure_name(selection)} was best at epoch "
                f"{rows[best]['epoch']} all the same, so what grew is overconfidence more than "
                "mistakes"
            )
    return Fit(verdict="overfitting", sentence=f"{sentence}.")


def _longest_stretch(history: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    groups = groupby(history, key=lambda row: (row.get("phase"), row.get("stage")))
    stretches = [list(rows) for _, rows in groups]
    # Of equally long ones the later: max keeps the first it sees.
    return max(reversed(stretches), key=len, default=[])


def _falls(rows: Sequence[Mapping[str, Any]], name: str, k: int) -> bool:
    before, last = (fmean(row[name] for row in part) for part in (rows[-2 * k : -k], rows[-k:]))
    return before > 0 and 1 - last / before >= _IMPROVING


def _count(epochs: int) -> str:
    return {0: "no epoch", 1: "only 1 epoch"}.get(epochs, f"only {epochs} epochs")
