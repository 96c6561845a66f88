"""onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fer_convert.artefact import INPUT_NAME
from fer_convert.parity.result import Prediction
from fer_convert.parity.runners.answers import Images, labels_in, planes, predictions, release
from fer_convert.parity.runners.together import Answers, Together


class OnnxRunner:
    """An ONNX file in onnxruntime's CPU provider."""

    def __init__(self, path: Path, *, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # That a file takes one image at a time is no error here.
        options.log_severity_level = 4
        # Spinning workers starve the other runtimes' pools between two predictions.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.name = f"onnxruntime {release('onnxruntime')} CPU"
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self.metadata = dict(self._session.get_modelmeta().custom_metadata_map)
        self._labels = labels_in(self.metadata, path)
        self._ask = Together(self._answer)

    def run_many(self, images: Images) -> list[Prediction]:
        return predictions(self._labels, self._ask(images))

    def _answer(self, images: Images) -> Answers:
        pixels = planes(images).astype(np.float32)
        probabilities, logits = self._session.run(["probabilities", "logits"], {INPUT_NAME: pixels})
        return logits, probabilities
