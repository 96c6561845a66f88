from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fer_train.contract import errors
from fer_train.contract.architectures import build_model
from fer_train.contract.checkpoint import (
    Checkpoint,
    read_checkpoint,
    validate_weights,
    write_checkpoint,
)
from fer_train.contract.labels import EMOTIONS
from fer_train.contract.preprocess import PreprocessSpec


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return build_model("efficientnet_b0", num_classes=8).state_dict()


def checkpoint(state: dict[str, torch.Tensor], **changes: Any) -> Checkpoint:
    values: dict[str, Any] = {
        "arch": "efficientnet_b0",
        "labels": EMOTIONS,
        "preprocess": PreprocessSpec(),
        "model": state,
        "metrics": {"val": {"accuracy": 0.5}},
    }
    return Checkpoint(**{**values, **changes})


def test_round_trip(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "best.pt", checkpoint(state))
    back = read_checkpoint(tmp_path / "best.pt")
    assert (back.arch, back.labels, back.preprocess) == (
        "efficientnet_b0",
        EMOTIONS,
        PreprocessSpec(),
    )
    assert back.metrics == {"val": {"accuracy": 0.5}} and back.train_state is None
    assert all(torch.equal(back.model[k], v) for k, v in state.items())


def test_the_temperature_is_kept_and_files_without_one_have_1(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    write_checkpoint(tmp_path / "best.pt", checkpoint(state, temperature=1.625))
    assert read_checkpoint(tmp_path / "best.pt").temperature == 1.625
    record = torch.load(tmp_path / "best.pt", weights_only=True)
    assert record["format_version"] == 1
    del record["temperature"]
    torch.save(record, tmp_path / "old.pt")
    assert read_checkpoint(tmp_path / "old.pt").temperature == 1.0


@pytest.mark.parametrize(
    "value", [0, -1.0, 0.04, 20.5, float("nan"), float("inf"), "1", True, None]
)
def test_an_impossible_temperature_is_refused(
    value: object, state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    with pytest.raises(errors.CheckpointError, match=r"allowed is a number from 0\.05 to 20"):
        write_checkpoint(tmp_path / "x.pt", checkpoint(state, temperature=value))
    assert list(tmp_path.iterdir()) == []
    write_checkpoint(tmp_path / "x.pt", checkpoint(state))
    record = torch.load(tmp_path / "x.pt", weights_only=True)
    torch.save({**record, "temperature": value}, tmp_path / "x.pt")
    with pytest.raises(errors.CheckpointError, match="temperature"):
        read_checkpoint(tmp_path / "x.pt")


@pytest.mark.parametrize(
    "value", [Path("x"), np.float64(1), {1, 2}, torch.float32], ids=lambda v: type(v).__name__
)
def test_only_primitives_are_written(
    value: object, state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    with pytest.raises(errors.CheckpointError, match=r"checkpoint\.config\.deep\[0\]"):
        write_checkpoint(tmp_path / "x.pt", checkpoint(state, config={"deep": [value]}))
    assert list(tmp_path.iterdir()) == []


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(errors.NotFound):
        read_checkpoint(tmp_path / "absent.pt")


@pytest.mark.parametrize("keep", [0, 10, 5000, -1])
def test_truncated_file(keep: int, state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "whole.pt", checkpoint(state))
    (tmp_path / "cut.pt").write_bytes((tmp_path / "whole.pt").read_bytes()[:keep])
    with pytest.raises(errors.CheckpointCorrupt):
        read_checkpoint(tmp_path / "cut.pt")


def test_text_is_not_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "notes.pt").write_text("hello, this is not a checkpoint at all\n" * 9)
    with pytest.raises(errors.CheckpointError, match="is text, not a checkpoint"):
        read_checkpoint(tmp_path / "notes.pt")


@pytest.mark.parametrize("legacy", [False, True])
def test_pickled_module_is_refused_with_the_way_out(legacy: bool, tmp_path: Path) -> None:
    torch.save(
        torch.nn.Linear(2, 2), tmp_path / "whole.pt", _use_new_zipfile_serialization=not legacy
    )
    with pytest.raises(errors.CheckpointPickled, match="state_dict"):
        read_checkpoint(tmp_path / "whole.pt")


def test_torchscript_is_recognised(tmp_path: Path) -> None:
    scripted = torch.jit.script(torch.nn.Linear(2, 2))
    torch.jit.save(scripted, str(tmp_path / "s.pt"))
    with pytest.raises(errors.CheckpointError, match="TorchScript"):
        read_checkpoint(tmp_path / "s.pt")


def test_bare_state_dict_names_the_options(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(state, tmp_path / "bare.pt")
    with pytest.raises(errors.CheckpointError, match="--arch"):
        read_checkpoint(tmp_path / "bare.pt")


def test_other_architecture(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "x.pt", checkpoint(state, arch="resnet152"))
    with pytest.raises(errors.ArchitectureMismatch, match="resnet152"):
        read_checkpoint(tmp_path / "x.pt")


def test_label_count_must_fit_the_head(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "x.pt", checkpoint(state, labels=EMOTIONS[:7]))
    with pytest.raises(errors.ArchitectureMismatch, match="7 classes"):
        read_checkpoint(tmp_path / "x.pt")


def test_unknown_label(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "x.pt", checkpoint(state, labels=("tired", *EMOTIONS[1:])))
    with pytest.raises(errors.LabelMismatch, match="tired"):
        read_checkpoint(tmp_path / "x.pt")


def test_labels_given_on_purpose(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    labels = ("tired", *EMOTIONS[1:])
    written = checkpoint(state, labels=labels, custom_labels=("tired",))
    write_checkpoint(tmp_path / "x.pt", written)
    read = read_checkpoint(tmp_path / "x.pt")
    assert (read.labels, read.custom_labels) == (labels, ("tired",))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_weights(value: float, state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    broken = {k: v.clone() for k, v in state.items()}
    broken["classifier.1.bias"][3] = value
    write_checkpoint(tmp_path / "x.pt", checkpoint(broken))
    with pytest.raises(errors.NonFiniteWeights, match=r"classifier\.1\.bias"):
        read_checkpoint(tmp_path / "x.pt")


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (torch.Tensor.to_sparse, r"classifier\.1\.bias as torch.sparse_coo float32"),
        (lambda v: torch.quantize_per_tensor(v, 0.1, 0, torch.qint8), "as qint8"),
        (lambda v: v.to(torch.complex64), "as complex64"),
        (lambda v: v.to(torch.float8_e4m3fn), "as float8_e4m3fn"),
        (lambda v: v.to("meta"), "as a tensor without values"),
        (torch.Tensor.int, "as int32"),
        (torch.Tensor.bool, "as bool"),
        (torch.Tensor.tolist, "a list as classifier"),
    ],
    ids=["sparse", "quantised", "complex", "float8", "meta", "whole", "bool", "list"],
)
def test_only_dense_floating_point_weights(
    change: Callable[[torch.Tensor], Any], seen: str, state: dict[str, torch.Tensor]
) -> None:
    key = "classifier.1.bias"
    with pytest.raises(errors.CheckpointError, match=seen) as caught:
        validate_weights(
            {**state, key: change(state[key])}, arch="efficientnet_b0", num_classes=8, source="w.pt"
        )
    assert caught.value.exit_code == 15


def test_half_precision_and_averaged_counters_are_fine(state: dict[str, torch.Tensor]) -> None:
    """An average of a whole state dict has made numbers of BatchNorm's counters."""
    half = {key: value.to(torch.bfloat16) for key, value in state.items()}
    validate_weights(half, arch="efficientnet_b0", num_classes=8, source="w.pt")


@pytest.mark.parametrize(
    "rename, message",
    [("module.{}", "DataParallel"), ("_orig_mod.{}", "compile"), ("{}_orig", "pruning")],
)
def test_wrapped_keys(
    rename: str, message: str, state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    wrapped = {rename.format(k): v for k, v in state.items()}
    write_checkpoint(tmp_path / "x.pt", checkpoint(wrapped))
    with pytest.raises(errors.CheckpointError, match=message):
        read_checkpoint(tmp_path / "x.pt")


def test_newer_version_says_so(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save({"format": "fertrain.checkpoint", "format_version": 2}, tmp_path / "x.pt")
    with pytest.raises(errors.CheckpointError, match="version 2"):
        read_checkpoint(tmp_path / "x.pt")


def test_an_arch_that_is_no_name(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "x.pt", checkpoint(state, arch=["resnet152"]))
    with pytest.raises(errors.CheckpointError, match="expected a name"):
        read_checkpoint(tmp_path / "x.pt")
