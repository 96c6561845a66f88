"""The project's own runtime for saved Core ML files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fer_convert import __version__
from fer_convert.parity.result import Prediction
from fer_convert.parity.runners.answers import Images, prediction
from fer_train.contract.errors import ArtefactError

if TYPE_CHECKING:
    from fer_convert.coreml_runtime.reference.operations import Precision

PORTABLE_RUNTIME = f"portable coreml_runtime {__version__}"


class PortableRunner:
    """A Core ML file in the project's own runtime, by default in the precision that the file
    declares."""

    def __init__(self, path: Path, *, precision: Precision = "declared") -> None:
        from fer_convert import coreml_runtime

        every = {"declared": "", "fp32": ", nothing rounded", "fp16": ", every value rounded"}
        self.name = f"{PORTABLE_RUNTIME}{every[precision]}"
        self._precision = precision
        self._program = coreml_runtime.load_program(path)
        self.metadata = dict(self._program.metadata.user)
        self.differences = self._program.differences
        # Of somebody else's file: whatever its maker called it.
        self._input = self._program.inputs[0].name

    def run_many(self, images: Images) -> list[Prediction]:
        program = self._program
        logits_name = program.logits_name
        if logits_name is None:
            raise ArtefactError("The artefact has no logits: no softmax feeds its classifier.")
        answers = program.run_many(
            [{self._input: image} for image in images],
            precision=self._precision,
            capture=[logits_name],
        )
        # The label is the first largest score: the rule by which the runtime names it, too.
        return [
            prediction(
                tuple(str(label) for label in program.labels),
                logits=outputs[logits_name].ravel(),
                probabilities=outputs[program.probabilities_name],
            )
            for outputs in answers
        ]
