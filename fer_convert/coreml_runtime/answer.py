"""What `predict` returns: computed arrays as the values Core ML hands to a caller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fer_convert.coreml_runtime.description import Feature
from fer_convert.coreml_runtime.element_types import Array
from fer_convert.coreml_runtime.errors import ExecutionFailed
from fer_convert.coreml_runtime.images import picture, presented

Label = str | int


class Answer(dict[str, Any]):
    """The outputs by name, as ``coremltools``' ``MLModel.predict`` returns them, and how they were
    computed.

    Attributes:
        engine: ``reference`` or ``fast``. precision: ``declared``, ``fp32`` or ``fp16``. A
            pipeline joins those of its models: ``fast+reference``.
    """

    def __init__(self, values: Mapping[str, Any], *, engine: str, precision: str) -> None:
        super().__init__(values)
        self.engine = engine
        self.precision = precision


def answer_of(
    values: Mapping[str, Array],
    *,
    outputs: Sequence[Feature],
    labels: Sequence[Label],
    label_name: str,
    probabilities_name: str,
    engine: str,
    precision: str,
) -> Answer:
    """Turn `Program.run`'s arrays into an `Answer`.

    Args:
        values: by name; for a classifier (``labels`` not empty) with the scores, in label order,
            under ``probabilities_name``.
    """
    declared = {feature.name: feature for feature in outputs}
    result: dict[str, Any] = {
        name: _declared(declared[name], array) if name in declared else array
        for name, array in values.items()
    }
    if labels:
        scores = values[probabilities_name].reshape(-1).tolist()
        result[probabilities_name] = dict(zip(labels, scores, strict=True))
        result[label_name] = labels[scores.index(max(scores))]
    return Answer(result, engine=engine, precision=precision)


def _declared(feature: Feature, array: Array) -> Any:
    if feature.kind == "image":
        return picture(feature, array)
    if feature.kind in {"double", "int64"}:
        return _number(feature, array)
    if feature.kind != "array":
        return array
    if feature.five_dimensional:
        array = presented(array, feature.shape)
    return np.atleast_1d(array).astype(feature.element.numpy)  # no array of Core ML is a scalar


def _number(feature: Feature, array: Array) -> float | int:
    """The first element, as Core ML hands it on.

    Raises:
        ExecutionFailed: there is none, or it is no integer where one is declared.
    """
    kind = float if feature.kind == "double" else int
    try:
        return kind(array.reshape(-1)[0])
    except (IndexError, OverflowError, ValueError) as error:
        raise ExecutionFailed(
            f"Output '{feature.name}' is declared {feature.kind} and was computed as "
            f"{list(array.shape)}: {error}"
        ) from error
