"""What a user says about a file that does not say it itself: labels and pixel contract."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from fer_train.contract.errors import CheckpointError, NotFound
from fer_train.contract.labels import label_order, parse_custom_labels, validate_labels
from fer_train.contract.preprocess import PreprocessSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The user's words about a file, understood; None where nothing was said.

    Attributes:
        arch: name of the architecture.
        labels: class names in logit order.
        spec: how pixels reach the network.
    """

    arch: str | None = None
    labels: tuple[str, ...] | None = None
    spec: PreprocessSpec | None = None


def understand(
    *, arch: str | None, labels: str | None, custom_labels: str | None, preprocess: str | None
) -> Given:
    """Parse the options.

    Raises:
        LabelMismatch, NotFound, CheckpointError: see the parts.
    """
    custom = parse_custom_labels(custom_labels)
    return Given(
        arch=arch,
        labels=None if labels is None else parse_labels(labels, custom=custom),
        spec=None if preprocess is None else parse_preprocess(preprocess),
    )


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


def parse_preprocess(text: str) -> PreprocessSpec:
    """Return the spec from inline JSON, or from the JSON file that ``text`` names.

    Raises:
        NotFound: no such file. CheckpointError: not JSON, or not `PreprocessSpec`'s fields.
    """
    if not text.lstrip().startswith("{"):
        if not Path(text).is_file():
            raise NotFound(
                f"There is no preprocess file {text}.",
                hint="--preprocess takes a JSON file or JSON text that starts with '{'.",
            )
        text = Path(text).read_text(encoding="utf-8")
    try:
        values = json.loads(text)
    except ValueError as error:
        raise CheckpointError(f"--preprocess is not JSON: {error}.") from error
    if not isinstance(values, dict):
        raise CheckpointError("--preprocess must be a JSON object.")
    return PreprocessSpec.from_dict(values)
