"""Which of a network's outputs are its scores: ``--output``, or the only one there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fer_train.contract.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

#: The way through tuples, lists and dictionaries to one tensor.
Way = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Output:
    """One tensor that a network returns."""

    way: Way
    tensor: Tensor

    @property
    def name(self) -> str:
        """What ``--output`` calls it: ``0``, ``logits``, or ``1.0`` within another."""
        return ".".join(map(str, self.way))

    @property
    def text(self) -> str:
        return f"{self.name or 'the output'} {list(self.tensor.shape)}"


def outputs_of(returned: object, way: Way = ()) -> list[Output]:
    """List the tensors in whatever a network returned, in order."""
    import torch

    if isinstance(returned, torch.Tensor):
        return [Output(way, returned)]
    if isinstance(returned, Mapping):
        inner = [outputs_of(value, (*way, str(key))) for key, value in returned.items()]
    elif isinstance(returned, (tuple, list)):
        inner = [outputs_of(value, (*way, index)) for index, value in enumerate(returned)]
    else:
        return []
    return [output for outputs in inner for output in outputs]


def at(returned: object, way: Way) -> Tensor:
    """Return the tensor at the end of a way."""
    for step in way:
        returned = returned[step]  # type: ignore[index]
    return returned  # type: ignore[return-value]


def choose_output(file: Path, returned: object, *, wanted: str | None, batch: int) -> Output:
    """Return the output that holds one row of scores for each image.

    Raises:
        CheckpointError: there are several and nobody said which, none is called so, or it is no row
            of scores.
    """
    every = outputs_of(returned)
    if not every:
        raise CheckpointError(
            f"{file} returns {type(returned).__name__}; expected a tensor of scores.",
            hint="Trace the classifier alone.",
        )
    listed = "; ".join(output.text for output in every)
    if wanted is not None:
        chosen = next((output for output in every if output.name == wanted), None)
        if chosen is None and wanted == "0" and len(every) == 1:
            chosen = every[0]
        if chosen is None:
            raise CheckpointError(
                f"{file} has no output {wanted!r}.", hint=f"--output may be: {listed}."
            )
    elif len(every) > 1:
        raise CheckpointError(
            f"{file} returns {len(every)} outputs: {listed}.",
            hint=f"Say which are the scores, for example --output {every[0].name}.",
        )
    else:
        chosen = every[0]
    _require_row(file, chosen, batch)
    return chosen


def rows(scores: Tensor, batch: int) -> Tensor:
    """Return scores as ``[N, K]``: networks end in ``[N, K, 1, 1]`` or lose N when it is 1."""
    return scores.reshape(batch, -1) if scores.dim() == 1 else scores.flatten(1)


def _require_row(file: Path, chosen: Output, batch: int) -> None:
    shape = list(chosen.tensor.shape)
    row = batch == 1 and len(shape) == 1
    table = len(shape) >= 2 and shape[0] == batch and all(side == 1 for side in shape[2:])
    if not (row or table) or not chosen.tensor.is_floating_point():
        raise CheckpointError(
            f"{file} returns a {chosen.tensor.dtype} tensor {shape}; expected one row of scores "
            f"[{batch}, classes].",
            hint="Trace the classifier alone, without a pixel wrapper and without an argmax.",
        )
