"""``emotionkit.contract``: the one JSON string every artefact carries about itself.

Core ML keeps it in ``userDefined``, ONNX in ``metadata_props``, TorchScript in an extra file; Swift
and the parity run read it back and refuse an artefact that says something else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fer_convert.source import Source

SCHEMA = "emotionkit.contract"
VERSION = 1

#: Name of the artefacts' input in every format.
INPUT_NAME = "image"
#: Core ML's names for a classifier's outputs; Vision reads them by these.
LABEL_OUTPUT = "classLabel"
PROBABILITIES_OUTPUT = "classLabel_probs"


def contract_record(source: Source, *, demo: bool) -> dict[str, Any]:
    """Return the contract of a model.

    Args:
        demo: the model was trained on drawn faces and must not be mistaken for a real one.
    """
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "architecture": source.architecture,
        "labels": list(source.labels),
        "preprocess": source.preprocess.to_dict(),
        "temperature": source.temperature,
        "input": INPUT_NAME,
        "outputs": {"label": LABEL_OUTPUT, "probabilities": PROBABILITIES_OUTPUT},
        "checkpoint_sha256": source.sha256,
        "demo": demo,
    }


def contract_text(record: Mapping[str, Any]) -> str:
    """Return the contract as the compact JSON string that artefacts carry."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
