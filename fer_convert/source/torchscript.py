"""Read a TorchScript program: the labels and the pixels must be given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fer_convert.source.given import Given
from fer_convert.source.model import Source, make_source, require_classes
from fer_train.contract.errors import CheckpointCorrupt, CheckpointError, NonFiniteWeights
from fer_train.contract.preprocess import PreprocessSpec

if TYPE_CHECKING:
    from torch import nn


def from_torchscript(file: Path, given: Given) -> Source:
    """Load a program and try it on one image.

    Raises:
        CheckpointError: something is not given, or it is no classifier of images of that size.
        CheckpointCorrupt, NonFiniteWeights, LabelMismatch: see the contract.
    """
    import torch

    labels, spec = given.labels, given.spec
    if labels is None or spec is None:
        raise CheckpointError(
            f"{file} is a TorchScript program: it does not say what its classes are called or how "
            "its pixels were prepared.",
            hint="Give --labels and --preprocess (the network must take normalised pixels).",
        )
    try:
        loaded = torch.jit.load(str(file), map_location="cpu")  # type: ignore[no-untyped-call]
        network: nn.Module = loaded.float().eval()
    except RuntimeError as error:
        raise CheckpointCorrupt(f"{file} is not a readable TorchScript program.") from error
    bad = [k for k, v in network.state_dict().items() if not bool(torch.isfinite(v).all())]
    if bad:
        raise NonFiniteWeights(f"{file} holds NaN or infinite values, first in {bad[0]}.")
    require_classes(file, _count_classes(file, network, spec), labels)
    return make_source(
        file,
        kind="torchscript",
        architecture=given.arch or "torchscript",
        labels=labels,
        spec=spec,
        network=network,
    )


def _count_classes(file: Path, network: nn.Module, spec: PreprocessSpec) -> int:
    """Run the program once; return the number of logits."""
    import torch

    side = spec.input_size
    try:
        with torch.no_grad():
            output = network(torch.zeros(1, 3, side, side))
    except RuntimeError as error:
        raise CheckpointError(
            f"{file} does not accept a [1, 3, {side}, {side}] float tensor.",
            hint=str(error).strip().splitlines()[-1],
        ) from error
    if not isinstance(output, torch.Tensor) or output.dim() != 2:
        raise CheckpointError(
            f"{file} returns {_shape_of(output)}; expected one tensor of logits [1, classes].",
            hint="Trace the classifier alone, without the softmax and without a pixel wrapper.",
        )
    if bool((output >= 0).all()) and abs(float(output.sum()) - 1) < 1e-4:
        raise CheckpointError(
            f"{file} returns probabilities (they sum to 1); expected logits.",
            hint="Trace the classifier without its softmax: ferconv adds its own.",
        )
    return output.shape[1]


def _shape_of(value: object) -> str:
    shape = getattr(value, "shape", None)
    return type(value).__name__ if shape is None else f"a tensor {list(shape)}"
