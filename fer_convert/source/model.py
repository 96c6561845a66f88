"""A `Source`: a trained network and everything a converter needs to know about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fer_train.contract.architectures import build_for_weights
from fer_train.contract.checkpoint import Checkpoint
from fer_train.contract.errors import LabelMismatch
from fer_train.contract.files import sha256_file
from fer_train.contract.labels import describe_order
from fer_train.contract.preprocess import PreprocessSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    #: A network in another runtime than torch.
    Reference = Callable[[NDArray[np.float32]], NDArray[np.float64]]

SourceKind = Literal["best", "last", "state dict", "torchscript", "exported program", "onnx"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A trained network and everything a converter needs to know about it.

    Attributes:
        kind: what the file turned out to be.
        architecture: one of the six names, or ``torchscript`` when nobody said.
        sha256: of the file.
        network: evaluation mode, CPU, float32; normalised ``[N, 3, S, S]`` -> logits ``[N, K]``.
        zero_share: share of exact zeros among convolution and linear weights, 0 to 1.
        weight_bytes: of all tensors in float32.
        temperature: the probabilities are softmax(logits / temperature); 1 for foreign files.
        synthetic: the checkpoint's data were drawn by ``fertrain synth``.
        metrics, sparsity, created_with, config, data: as a fertrain checkpoint records them, else
            empty.
        reference: what its artefacts are judged against, if that is not ``network``: normalised
            float32 ``[1, 3, S, S]`` -> logits float64 ``[K]``.
        notes: sentences that the user should see: what was assumed, taken, left out, changed.
    """

    path: Path
    kind: SourceKind
    architecture: str
    labels: tuple[str, ...]
    preprocess: PreprocessSpec
    sha256: str
    network: nn.Module
    zero_share: float
    weight_bytes: int
    temperature: float = 1.0
    synthetic: bool = False
    metrics: Mapping[str, Any] = field(default_factory=dict)
    sparsity: Mapping[str, Any] = field(default_factory=dict)
    created_with: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    reference: Reference | None = None
    notes: tuple[str, ...] = ()


def make_source(
    file: Path,
    *,
    kind: SourceKind,
    architecture: str,
    labels: tuple[str, ...],
    spec: PreprocessSpec,
    network: nn.Module,
    recorded: Checkpoint | None = None,
    reference: Reference | None = None,
    notes: tuple[str, ...] = (),
) -> Source:
    tensors = list(network.state_dict().values())
    weights = [tensor for tensor in tensors if tensor.dim() >= 2]  # not BatchNorm, not biases
    zeros = sum(int((weight == 0).sum()) for weight in weights)
    return Source(
        path=file,
        kind=kind,
        architecture=architecture,
        labels=labels,
        preprocess=spec,
        sha256=sha256_file(file),
        network=network,
        zero_share=zeros / max(sum(weight.numel() for weight in weights), 1),
        weight_bytes=4 * sum(tensor.numel() for tensor in tensors),
        temperature=recorded.temperature if recorded else 1.0,
        synthetic=bool(recorded and recorded.data.get("synthetic")),
        metrics=recorded.metrics if recorded else {},
        sparsity=recorded.sparsity if recorded else {},
        created_with=recorded.created_with if recorded else {},
        config=recorded.config if recorded else {},
        data=recorded.data if recorded else {},
        reference=reference,
        notes=notes,
    )


def named_network(arch: str, num_classes: int, state: Mapping[str, Tensor]) -> nn.Module:
    network = build_for_weights(arch, num_classes=num_classes)
    network.load_state_dict(dict(state), assign=True)
    return network.float().eval().requires_grad_(False)


def require_classes(file: Path, seen: int, labels: tuple[str, ...]) -> None:
    if seen != len(labels):
        raise LabelMismatch(
            f"{file} has {seen} outputs but --labels names {len(labels)} classes.",
            hint=f"--labels says {describe_order(labels)}.",
        )
