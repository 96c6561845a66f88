"""What ``ferconv`` starts from: best.pt, last.pt, a bare state dict or a TorchScript file.

All of them become a `Source`: a network from normalised pixels to logits, with the labels and the
pixel contract it was trained under. Whatever a file does not say must be given, and whatever it
says must not be contradicted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fer_train.contract.architectures import Architecture, architecture, build_model
from fer_train.contract.checkpoint import (
    FORMAT,
    Checkpoint,
    is_torchscript,
    load_weights_only,
    read_checkpoint,
    validate_weights,
)
from fer_train.contract.errors import (
    ArchitectureMismatch,
    CheckpointCorrupt,
    CheckpointError,
    LabelMismatch,
    NonFiniteWeights,
    NotFound,
)
from fer_train.contract.files import sha256_file
from fer_train.contract.labels import (
    LABEL_ORDERS,
    describe_order,
    label_order,
    parse_custom_labels,
    validate_labels,
)
from fer_train.contract.preprocess import PreprocessSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

SourceKind = Literal["best", "last", "state dict", "torchscript"]


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
        metrics, sparsity, created_with: as a fertrain checkpoint records them, else empty.
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

    @property
    def note(self) -> str | None:
        """A line the user should see about this source, if any."""
        if self.kind == "last":
            return f"{self.path} holds the newest weights of a run, not its best; see best.pt."
        return None


def load_source(
    path: Path | str,
    *,
    arch: str | None = None,
    labels: str | None = None,
    custom_labels: str | None = None,
    preprocess: str | None = None,
) -> Source:
    """Read a checkpoint of any accepted kind.

    Args:
        arch: needed for a bare state dict.
        labels: needed for a state dict and TorchScript: names in logit order separated by
            commas, or the name of a known order (``LABEL_ORDERS``).
        custom_labels: names in ``labels`` that are no emotions and are meant so, with commas.
        preprocess: likewise: a JSON file or inline JSON with `PreprocessSpec`'s fields.

    Raises:
        NotFound, CheckpointCorrupt, CheckpointPickled, CheckpointError, ArchitectureMismatch,
        NonFiniteWeights, LabelMismatch: see the contract; each has its exit code.
    """
    file = Path(path)
    custom = parse_custom_labels(custom_labels)
    given_labels = None if labels is None else parse_labels(labels, custom=custom)
    given_spec = None if preprocess is None else parse_preprocess(preprocess)
    if file.is_file() and is_torchscript(file):
        return _from_torchscript(file, arch, given_labels, given_spec)
    record = load_weights_only(file, plain_weights="give --arch, --labels, --preprocess")
    if isinstance(record, dict) and record.get("format") == FORMAT:
        del record  # up to three times the weights in last.pt: not to be held twice
        return _from_checkpoint(file, arch, given_labels, given_spec)
    return _from_state_dict(file, record, arch, given_labels, given_spec)


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


def _from_checkpoint(
    file: Path, arch: str | None, labels: tuple[str, ...] | None, spec: PreprocessSpec | None
) -> Source:
    checkpoint = read_checkpoint(file)
    if labels is not None and labels != checkpoint.labels:
        raise LabelMismatch(
            f"--labels contradicts {file}: it was trained on {describe_order(checkpoint.labels)}.",
            hint=f"--labels says {describe_order(labels)}. Leave the option out: the checkpoint "
            "knows.",
        )
    if arch is not None and arch != checkpoint.arch:
        raise ArchitectureMismatch(
            f"--arch {arch} contradicts {file}, which holds {checkpoint.arch}.",
            hint="Leave the option out: the checkpoint knows.",
        )
    if spec is not None and spec != checkpoint.preprocess:
        raise CheckpointError(
            f"--preprocess contradicts {file}: it was trained with {checkpoint.preprocess}.",
            hint="Leave the option out: the checkpoint knows.",
        )
    return _source(
        file,
        kind="best" if checkpoint.train_state is None else "last",
        architecture=checkpoint.arch,
        labels=checkpoint.labels,
        spec=checkpoint.preprocess,
        network=_torchvision_network(checkpoint.arch, len(checkpoint.labels), checkpoint.model),
        recorded=checkpoint,
    )


def _from_state_dict(
    file: Path,
    record: Any,
    arch: str | None,
    labels: tuple[str, ...] | None,
    spec: PreprocessSpec | None,
) -> Source:
    import torch

    if not isinstance(record, dict) or not all(
        isinstance(v, torch.Tensor) for v in record.values()
    ):
        seen = sorted(map(str, record))[:6] if isinstance(record, dict) else type(record).__name__
        raise CheckpointError(
            f"{file} is neither a fertrain checkpoint nor a bare state dict: it holds {seen}.",
            hint="Save the state dict alone: torch.save(model.state_dict(), 'weights.pt').",
        )
    if arch is None or labels is None or spec is None:
        raise CheckpointError(
            f"{file} is a bare state dict: it does not say which architecture it belongs to, what "
            "its classes are called or how its pixels were prepared.",
            hint=f"Give --arch, --labels (names in order, or one of {', '.join(LABEL_ORDERS)}) and "
            "--preprocess.",
        )
    head = record.get(f"{_known_architecture(arch).linear}.weight")
    if head is not None:
        _require_classes(file, len(head), labels)
    validate_weights(record, arch=arch, num_classes=len(labels), source=file)
    return _source(
        file,
        kind="state dict",
        architecture=arch,
        labels=labels,
        spec=spec,
        network=_torchvision_network(arch, len(labels), record),
    )


def _known_architecture(name: str) -> Architecture:
    try:
        return architecture(name)
    except ArchitectureMismatch as error:
        raise ArchitectureMismatch(
            error.message,
            hint=f"{error.hint}\n  Any other network: load the weights into it, and give the "
            "TorchScript file that torch.jit.trace makes of it.",
        ) from None


def _from_torchscript(
    file: Path, arch: str | None, labels: tuple[str, ...] | None, spec: PreprocessSpec | None
) -> Source:
    import torch

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
    _require_classes(file, _torchscript_classes(file, network, spec), labels)
    return _source(
        file,
        kind="torchscript",
        architecture=arch or "torchscript",
        labels=labels,
        spec=spec,
        network=network,
    )


def _torchscript_classes(file: Path, network: nn.Module, spec: PreprocessSpec) -> int:
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


def _require_classes(file: Path, seen: int, labels: tuple[str, ...]) -> None:
    if seen != len(labels):
        raise LabelMismatch(
            f"{file} has {seen} outputs but --labels names {len(labels)} classes.",
            hint=f"--labels says {describe_order(labels)}.",
        )


def _torchvision_network(arch: str, num_classes: int, state: Mapping[str, Tensor]) -> nn.Module:
    # Built without weights: drawing random ones for resnet152 would cost seconds for nothing.
    network = build_model(arch, num_classes=num_classes, device="meta")
    network.load_state_dict(dict(state), assign=True)
    return network.float().eval().requires_grad_(False)


def _source(
    file: Path,
    *,
    kind: SourceKind,
    architecture: str,
    labels: tuple[str, ...],
    spec: PreprocessSpec,
    network: nn.Module,
    recorded: Checkpoint | None = None,
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
    )
