"""What a user says about a file that does not say it itself: labels and pixel contract."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fer_convert.source.pixels import parse_preprocess
from fer_train.contract.errors import CheckpointError
from fer_train.contract.labels import label_order, parse_custom_labels, validate_labels
from fer_train.contract.preprocess import PreprocessSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The user's words about a file, understood; None where nothing was said.

    Attributes:
        arch: name of the architecture.
        labels: class names in logit order.
        spec: how pixels reach the network.
        assumed: a sentence about what ``spec`` assumes.
        output: which of several outputs is meant: its position or its name.
    """

    arch: str | None = None
    labels: tuple[str, ...] | None = None
    spec: PreprocessSpec | None = None
    assumed: str | None = None
    output: str | None = None


def understand(
    *,
    arch: str | None,
    labels: str | None,
    custom_labels: str | None,
    preprocess: str | None,
    output: str | None,
) -> Given:
    """Parse the options.

    Raises:
        LabelMismatch, NotFound, CheckpointError: see the parts.
    """
    custom = parse_custom_labels(custom_labels)
    spec, assumed = (None, None) if preprocess is None else parse_preprocess(preprocess)
    return Given(
        arch=arch,
        labels=None if labels is None else parse_labels(labels, custom=custom),
        spec=spec,
        assumed=assumed,
        output=output,
    )


def assumptions(given: Given) -> tuple[str, ...]:
    """Return the sentences about what was not said and is assumed."""
    return () if given.assumed is None else (given.assumed,)


def require_words(file: Path, given: Given, *, kind: str) -> tuple[tuple[str, ...], PreprocessSpec]:
    """Return labels and pixels of a program that says neither.

    Args:
        kind: what the file is, with its article.

    Raises:
        CheckpointError: one of them is not given.
    """
    if given.labels is None or given.spec is None:
        raise CheckpointError(
            f"{file} is {kind}: it does not say what its classes are called or how its pixels were "
            "prepared.",
            hint="Give --labels and --preprocess (the network must take normalised pixels).",
        )
    return given.labels, given.spec


def parse_labels(text: str, *, custom: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return label names from ``"anger,disgust,…"`` or from the name of a known order.

    Args:
        custom: names beyond the eight emotions that may be among them.

    Raises:
        LabelMismatch: neither.
    """
    if "," in text:
        return validate_labels(text.split(","), custom=custom)
    return label_order(text)
