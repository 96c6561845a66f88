"""Apple's own runtime, through coremltools; macOS only."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import Literal

import numpy as np

from fer_convert.parity.result import Prediction
from fer_convert.parity.runners.answers import Image, Images, labels_in, prediction
from fer_train.contract.errors import ArtefactError, ParityNotRun

ComputeUnits = Literal["CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE", "ALL"]

COMPUTE_UNITS: tuple[ComputeUnits, ...] = ("CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE", "ALL")

APPLE_RUNTIME = "Apple Core ML"


def apple_runtime_missing() -> str | None:
    """Return why Apple's runtime cannot be used here, or None if it can."""
    if sys.platform != "darwin":
        return f"needs macOS; this is {platform.system()}"
    return None


class AppleRunner:
    """A Core ML file in Apple's runtime, on the compute units given."""

    def __init__(
        self, path: Path, *, units: ComputeUnits, labels: tuple[str, ...] | None = None
    ) -> None:
        """
        Args:
            labels: the classes of a file without a contract.
        """
        reason = apple_runtime_missing()
        if reason is not None:
            raise ParityNotRun(reason)
        import coremltools as ct

        self.name = f"{APPLE_RUNTIME}, macOS {platform.mac_ver()[0]}, {units}"
        self._model = ct.models.MLModel(str(path), compute_units=ct.ComputeUnit[units])
        self.metadata = dict(self._model.user_defined_metadata)
        self._labels = labels_in(self.metadata, path) if labels is None else labels
        # Of somebody else's file: whatever its maker called them.
        description = self._model.get_spec().description
        self._input = description.input[0].name
        self._label = description.predictedFeatureName
        self._scores = description.predictedProbabilitiesName

    def run_many(self, images: Images) -> list[Prediction]:
        # One by one, as an app does: a batch may be computed on another unit than a single image.
        return [self._predict(image) for image in images]

    def _predict(self, image: Image) -> Prediction:
        from PIL import Image as PillowImage

        outputs = self._model.predict({self._input: PillowImage.fromarray(image)})
        scores = outputs[self._scores]
        unknown = [label for label in self._labels if label not in scores]
        if unknown or len(scores) != len(self._labels):
            raise ArtefactError(
                f"Core ML answers with the labels {', '.join(map(str, scores))}; the contract "
                f"lists {', '.join(self._labels)}."
            )
        probabilities = np.array([scores[label] for label in self._labels], dtype=np.float64)
        # Core ML does not return logits; a softmax's logarithm equals them up to a constant.
        logits = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
        return prediction(
            self._labels,
            logits=logits,
            probabilities=probabilities,
            top1=str(outputs[self._label]),
        )
