"""A foreign ONNX file in onnxruntime: the reference that its artefacts are judged against."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_convert.source.form import Form
from fer_convert.source.outputs import Way
from fer_convert.source.scores import ScoreKind
from fer_train.contract.errors import CheckpointCorrupt, CheckpointError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from fer_convert.source.model import Reference


class OnnxSession:
    """One file, opened by onnxruntime on the CPU.

    Attributes:
        name: runtime and version, as a report prints them.
        batch_sizes: what stands in the first place of its input's shape, if it is a number above 1.

    Raises:
        CheckpointCorrupt: onnxruntime refuses the file.
        CheckpointError: it does not take one float32 image.
    """

    def __init__(self, file: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what it cannot run is said by ferconv
        try:
            self._session = onnxruntime.InferenceSession(
                str(file), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own classes, one per kind of fault
            raise CheckpointCorrupt(
                f"{file} is refused by onnxruntime: {str(error).strip().splitlines()[0]}"
            ) from error
        self.name = f"onnxruntime {version('onnxruntime')}"
        self._file = file
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 4:
            seen = "; ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
            raise CheckpointError(
                f"{file} takes {seen}; expected one float32 image of four axes.",
                hint="Export the classifier alone, for float32 pixels that are normalised.",
            )
        self._input = inputs[0].name
        first = inputs[0].shape[0]
        self.batch_sizes = [first] if isinstance(first, int) and first > 1 else []

    def run(self, pixels: Tensor) -> list[NDArray[Any]]:
        """Return all outputs for pixels in the file's own form."""
        outputs: list[NDArray[Any]] = self._session.run(None, {self._input: pixels.numpy()})
        return outputs

    def position(self, output: str | None) -> str | None:
        """Return the position of an output that is called by its name in the file.

        Raises:
            CheckpointError: there are several, and none is called so.
        """
        names = [value.name for value in self._session.get_outputs()]
        if output is None and len(names) == 1:
            return None
        if output in names:
            return str(names.index(output)) if len(names) > 1 else None
        if output is not None and output.isdecimal() and int(output) < len(names):
            return output if len(names) > 1 else None
        listed = "; ".join(f"{v.name} {v.shape}" for v in self._session.get_outputs())
        if output is None:
            raise CheckpointError(
                f"{self._file} returns {len(names)} outputs: {listed}.",
                hint=f"Say which are the scores, for example --output {names[0]}.",
            )
        raise CheckpointError(
            f"{self._file} has no output {output!r}.", hint=f"--output may be: {listed}."
        )

    def classifier(self, *, form: Form, way: Way, kind: ScoreKind) -> Reference:
        """Return the file as a function from normalised pixels to logits.

        Args:
            way: to the scores among its outputs.
            kind: what the scores are; logarithms are taken of probabilities, whatever they sum to.
        """
        position = int(way[0]) if way else 0

        def classify(pixels: NDArray[np.float32]) -> NDArray[np.float64]:
            import numpy as np
            import torch

            arranged = form.arrange(torch.from_numpy(pixels)).contiguous()
            scores = self.run(arranged)[position]
            row: NDArray[np.float64] = scores.reshape(form.batch, -1)[0].astype(np.float64)
            if kind == "probabilities":
                tiny = np.finfo(np.float64).tiny
                row = np.log(np.maximum(row, tiny))
            return row

        return classify
