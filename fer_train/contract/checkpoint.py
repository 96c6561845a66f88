"""Read and write best.pt and last.pt, safely.

A checkpoint is a plain dict of tensors and primitives that ``torch.load(weights_only=True)``
accepts: never a pickled class. ``last.pt`` is ``best.pt``'s record plus ``train_state``.
"""

from __future__ import annotations

import io
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_train.contract.architectures import architecture, expected_state, is_head_parameter
from fer_train.contract.errors import (
    ArchitectureMismatch,
    CheckpointError,
    NonFiniteWeights,
)
from fer_train.contract.files import write_bytes
from fer_train.contract.labels import validate_labels
from fer_train.contract.preprocess import PreprocessSpec
from fer_train.contract.torch_file import read_torch

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = "fertrain.checkpoint"
FORMAT_VERSION = 1

#: Lowest and highest temperature that a checkpoint may have.
TEMPERATURE_RANGE = (0.05, 20.0)

#: Key fragments that betray a wrapper or a pruning reparametrisation instead of a dense model.
_WRAPPER_MARKS = {
    "module.": "DataParallel or DistributedDataParallel",
    "_orig_mod.": "torch.compile",
}
_PRUNING_SUFFIXES = ("_orig", "_mask")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Everything a converter needs to know about a trained model.

    Attributes:
        arch: name of the network (`architectures`).
        labels: class names in the order of the logits.
        custom_labels: the names that are none of the eight emotions and were allowed on purpose; a
            file whose labels have others is refused.
        preprocess: how pixels reach the backbone.
        model: dense state dict with the library's names.
        temperature: its probabilities are softmax(logits / temperature), in `TEMPERATURE_RANGE`;
            1 in files without the field, and until a run has ended and fitted it.
        metrics: plain numbers, with the split they came from.
        sparsity: ``{"global": 0..1, "layers": {key: 0..1}}``, or empty when not pruned.
        loss: what training minimised: class weights, smoothing, and the logit adjustment with its
            prior, which is never applied at inference.
        config: the resolved training configuration.
        data: fingerprint of the data: root name, counts per class and split, sha256.
        created_with: versions of the tools.
        train_state: only in last.pt: what exact resume needs.
    """

    arch: str
    labels: tuple[str, ...]
    preprocess: PreprocessSpec
    model: Mapping[str, Tensor]
    custom_labels: tuple[str, ...] = ()
    temperature: float = 1.0
    metrics: Mapping[str, Any] = field(default_factory=dict)
    sparsity: Mapping[str, Any] = field(default_factory=dict)
    loss: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    created_with: Mapping[str, str] = field(default_factory=dict)
    train_state: Mapping[str, Any] | None = None


def write_checkpoint(path: Path | str, checkpoint: Checkpoint) -> None:
    """Write atomically, after proving that the file loads with ``weights_only=True``.

    Raises:
        CannotWrite: disk full, no permission; the previous file is intact.
        CheckpointError: a value is not a tensor or primitive; the message names the offender. Or
            the temperature is none.
    """
    import torch

    validate_temperature(checkpoint.temperature, source=path)

    record: dict[str, Any] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "arch": checkpoint.arch,
        "labels": list(checkpoint.labels),
        "preprocess": checkpoint.preprocess.to_dict(),
        "model": {key: value.detach().cpu() for key, value in checkpoint.model.items()},
        "temperature": checkpoint.temperature,
        "metrics": dict(checkpoint.metrics),
        "sparsity": dict(checkpoint.sparsity),
        "loss": dict(checkpoint.loss),
        "config": dict(checkpoint.config),
        "data": dict(checkpoint.data),
        "created_with": dict(checkpoint.created_with),
    }
    if checkpoint.custom_labels:
        record["custom_labels"] = list(checkpoint.custom_labels)
    if checkpoint.train_state is not None:
        record["train_state"] = dict(checkpoint.train_state)
    _require_primitives(record, where="checkpoint")
    # Serialised in memory first: torch's own file writer turns a full disk into a RuntimeError
    # without errno, and writes before we could refuse.
    buffer = io.BytesIO()
    torch.save(record, buffer)
    write_bytes(path, buffer.getvalue())


def read_checkpoint(path: Path | str) -> Checkpoint:
    """Read and validate best.pt or last.pt.

    Raises:
        NotFound, CheckpointCorrupt, CheckpointPickled: the file itself.
        CheckpointError: a file of another kind, format or version, a missing field or an
            impossible temperature.
        ArchitectureMismatch, LabelMismatch, NonFiniteWeights: the content.
    """
    record = read_torch(path, reader="checkpoint").record
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} is not a fertrain checkpoint (it has no format = {FORMAT!r}).",
            hint="Give the best.pt or last.pt of a run. A bare torchvision state dict is for "
            "fertrain train --weights, or for ferconv with --arch, --labels and --preprocess.",
        )
    version = record.get("format_version")
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has format version {version!r}; this tool reads version {FORMAT_VERSION}.",
            hint="Upgrade the tool, or write the checkpoint again with this version.",
        )
    missing = [k for k in ("arch", "labels", "preprocess", "model") if k not in record]
    if missing:
        raise CheckpointError(f"{path} lacks the field(s) {', '.join(missing)}.")
    if not isinstance(record["arch"], str):
        raise CheckpointError(f"The arch in {path} is {record['arch']!r}; expected a name.")
    custom = tuple(record.get("custom_labels", ()))
    labels = validate_labels(record["labels"], custom=custom)
    validate_weights(record["model"], arch=record["arch"], num_classes=len(labels), source=path)
    return Checkpoint(
        arch=record["arch"],
        labels=labels,
        custom_labels=custom,
        preprocess=PreprocessSpec.from_dict(record["preprocess"]),
        model=record["model"],
        temperature=validate_temperature(record.get("temperature", 1.0), source=path),
        metrics=record.get("metrics", {}),
        sparsity=record.get("sparsity", {}),
        loss=record.get("loss", {}),
        config=record.get("config", {}),
        data=record.get("data", {}),
        created_with=record.get("created_with", {}),
        train_state=record.get("train_state"),
    )


def validate_weights(
    model: Mapping[str, Tensor], *, arch: str, num_classes: int | None, source: Path | str
) -> None:
    """Check that a state dict is dense, finite, and exactly the architecture's: `require_fit`.

    Args:
        num_classes: rows of the head; None: there must be no head.

    Raises:
        CheckpointError: keys of a wrapper or of an unfinished pruning, or weights that are no dense
            floating-point numbers (sparse, quantised, complex, float8).
        ArchitectureMismatch: missing, extra or differently shaped weights.
        NonFiniteWeights: NaN or infinity, naming the first tensors.
    """
    if not isinstance(model, dict) or not model:
        raise CheckpointError(f"{source} holds no state dict.")
    _refuse_wrapped_keys(model, source)
    chosen = architecture(arch)
    like = expected_state(arch, num_classes=num_classes or 1)
    if num_classes is None:
        like = {k: value for k, value in like.items() if not is_head_parameter(k, chosen)}
    require_fit(model, like, network=f"{arch} with {_outputs(num_classes)}", source=source)


def require_fit(
    model: Mapping[str, Tensor], like: Mapping[str, Tensor], *, network: str, source: Path | str
) -> None:
    """Check that a state dict is dense, finite, and has a network's names and shapes.

    Args:
        like: the network's own; on the meta device, too.
        network: what it is, for messages.

    Raises:
        CheckpointError: weights that are no dense floating-point numbers.
        ArchitectureMismatch: missing, extra or differently shaped weights.
        NonFiniteWeights: NaN or infinity, naming the first tensors.
    """
    import torch

    _refuse_other_numbers(model, source)
    expected = {key: tuple(value.shape) for key, value in like.items()}
    wrong = [k for k in expected if k not in model] + [k for k in model if k not in expected]
    if not wrong:
        wrong = [k for k, shape in expected.items() if tuple(model[k].shape) != shape]
    if wrong:
        first = wrong[0]
        seen = tuple(model[first].shape) if first in model else "absent"
        raise ArchitectureMismatch(
            f"The weights in {source} are not those of {network}: "
            f"{len(wrong)} tensors are missing, too many or of another shape.",
            hint=f"First: {first} is {seen}, expected {expected.get(first, 'absent')}. "
            "Check the architecture (--arch) and the number of labels.",
        )
    whole = [k for k, v in like.items() if v.is_floating_point() > model[k].is_floating_point()]
    if whole:
        raise _other_numbers(whole[0], model[whole[0]], source)
    bad = [key for key, value in model.items() if not bool(torch.isfinite(value).all())]
    if bad:
        raise NonFiniteWeights(
            f"{source} holds NaN or infinite values in {len(bad)} tensor(s), first {bad[0]}.",
            hint="The training diverged: use an earlier checkpoint, or train with a lower --lr.",
        )


def _outputs(num_classes: int | None) -> str:
    return "any head" if num_classes is None else f"{num_classes} classes"


def validate_temperature(value: Any, *, source: Path | str) -> float:
    """Return the temperature as a float.

    Raises:
        CheckpointError: not a number in `TEMPERATURE_RANGE`.
    """
    low, high = TEMPERATURE_RANGE
    # Exact types: True is an int by inheritance. Written so that NaN fails.
    if type(value) not in (int, float) or not low <= value <= high:
        raise CheckpointError(
            f"The temperature in {source} is {value!r}; allowed is a number from {low} to {high}.",
            hint="It divides the logits, so that confidence means what it says; 1 changes nothing.",
        )
    return float(value)


def tool_versions(**extra: str) -> dict[str, str]:
    """Return the versions that decide a result, for ``created_with``."""
    from importlib.metadata import version

    packages = ("torch", "torchvision", "numpy")
    return {**extra, **{p: version(p) for p in packages}, "python": platform.python_version()}


def _refuse_wrapped_keys(model: Mapping[str, Tensor], source: Path | str) -> None:
    for key in model:
        for mark, wrapper in _WRAPPER_MARKS.items():
            if key.startswith(mark):
                raise CheckpointError(
                    f"{source} was saved from a wrapped model ({wrapper}): its keys start "
                    f"with {mark!r}, for example {key}.",
                    hint="Save the inner module's state_dict() instead.",
                )
        if key.endswith(_PRUNING_SUFFIXES):
            raise CheckpointError(
                f"{source} was saved in the middle of pruning: it holds {key}.",
                hint="Call torch.nn.utils.prune.remove on every pruned layer, then save again.",
            )


def _refuse_other_numbers(model: Mapping[str, Tensor], source: Path | str) -> None:
    """Refuse what torch cannot compute with here, or what would lose a part on the way to float32.

    Whole numbers are for counters and indices; where an architecture has them, only it can tell.
    """
    import torch

    floats = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    whole = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool)
    for key, value in model.items():
        if not isinstance(value, torch.Tensor):
            raise CheckpointError(f"{source} holds a {type(value).__name__} as {key}, no tensor.")
        dense = value.layout == torch.strided and not value.is_meta
        if not dense or value.dtype not in (*floats, *whole):
            raise _other_numbers(key, value, source)


def _other_numbers(key: str, value: Tensor, source: Path | str) -> CheckpointError:
    import torch

    dtype = str(value.dtype).removeprefix("torch.")
    kind = dtype if value.layout == torch.strided else f"{value.layout} {dtype}"
    return CheckpointError(
        f"{source} holds {key} as {'a tensor without values' if value.is_meta else kind}; allowed "
        "are dense weights in float16, bfloat16, float32 or float64.",
        hint="Save the weights as they were before they were compressed; or in Python, tensor by "
        "tensor: value.to_dense() if it is sparse, value.dequantize() if it is quantised, "
        "value.float() if it is float8.",
    )


def _require_primitives(value: Any, *, where: str) -> None:
    """Refuse anything ``weights_only`` loading would refuse, naming where it is."""
    import torch

    if isinstance(value, dict):
        for key, item in value.items():
            _require_primitives(item, where=f"{where}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            _require_primitives(item, where=f"{where}[{index}]")
    # Exact types: numpy's float64 is a float by inheritance and does not load back.
    elif type(value) not in (str, int, float, bool, type(None)) and not isinstance(
        value, torch.Tensor
    ):
        raise CheckpointError(
            f"{where} is a {type(value).__name__}; a checkpoint holds only tensors and primitives."
        )
