"""Where the weights are in a file, and what is said about it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from fer_train.contract.errors import (
    CheckpointCorrupt,
    CheckpointError,
    InstallationBroken,
    NotFound,
)
from fer_train.contract.weights_file import WeightsFile, listed, read_weights

STATE = {"conv.weight": torch.arange(4.0).reshape(2, 2), "conv.bias": torch.zeros(2)}


def read(record: Any, folder: Path) -> WeightsFile:
    torch.save(record, folder / "w.pt")
    return read_weights(folder / "w.pt", reader="ferconv")


def prefixed(prefix: str) -> dict[str, Tensor]:
    return {prefix + key: value for key, value in STATE.items()}


def test_a_bare_state_dict_is_taken_without_a_word(tmp_path: Path) -> None:
    found = read(STATE, tmp_path)
    assert found.taken == () and not found.own
    assert torch.equal(found.state["conv.weight"], STATE["conv.weight"])


@pytest.mark.parametrize(
    ("record", "place"),
    [
        ({"state_dict": STATE, "epoch": 3}, "state_dict"),
        ({"model_state_dict": STATE, "optimizer_state_dict": {"state": {}}}, "model_state_dict"),
        ({"net": STATE, "acc": 0.5}, "net"),
        ({"model": STATE, "model_ema": prefixed("module.")}, "model"),
        ({"checkpoint": {"model": STATE}, "step": 1}, "checkpoint.model"),
        ({"their_own_name": STATE}, "their_own_name"),
        ({"ema": STATE, "epoch": 2}, "ema"),
        ({"model": STATE, "state_dict": STATE}, "state_dict"),
        ({"class_weights": torch.ones(7), "model": STATE}, "model"),
        ({"model": STATE, "criterion": {"center.weight": torch.ones(2)}}, "model"),
    ],
)
def test_nested(record: dict[str, Any], place: str, tmp_path: Path) -> None:
    found = read(record, tmp_path)
    assert found.state.keys() == STATE.keys()
    assert found.taken[0].startswith(f"weights taken from '{place}' (2 tensors)")
    for key in record:
        assert key == place.split(".")[0] or key in found.taken[0]


def test_averages_are_named_with_the_way_to_take_them(tmp_path: Path) -> None:
    found = read({"model": STATE, "ema": {"module": prefixed("module.")}}, tmp_path)
    assert "averaged weights are there, too: ema.module" in found.taken[1]
    assert "['ema']['module'], 'chosen.pt')" in found.taken[1]


def test_several_networks_are_the_users_to_choose_from(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"several networks: a \(2 tensors\), b \(2") as error:
        read({"a": STATE, "b": STATE}, tmp_path)
    assert "['a'], 'chosen.pt')" in str(error.value)


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("module.", "'module.'"),
        ("_orig_mod.", "'_orig_mod.'"),
        ("module._orig_mod.model.", "'module._orig_mod.model.'"),
        ("net.backbone.", "'net.backbone.'"),
    ],
)
def test_prefixes_of_every_name_go(prefix: str, said: str, tmp_path: Path) -> None:
    found = read(prefixed(prefix), tmp_path)
    assert found.state.keys() == STATE.keys()
    assert found.taken == (f"every name began with {said}, which is left out",)


def test_a_prefix_of_some_names_stays(tmp_path: Path) -> None:
    state = {**prefixed("model."), "head.weight": torch.ones(2, 2)}
    assert read(state, tmp_path).state.keys() == state.keys()


def test_what_is_no_weight_is_left_by_name(tmp_path: Path) -> None:
    state = {**prefixed("module."), "n_averaged": torch.tensor(3), "classes": ["a"]}
    found = read(state, tmp_path)
    assert found.state.keys() == STATE.keys()
    assert found.taken[:2] == (
        "left, being no tensors: classes",
        "left, being counters of a tool: n_averaged",
    )


def test_arrays_of_numpy_are_weights(tmp_path: Path) -> None:
    arrays = {"fc.weight": np.arange(4, dtype=">f4").reshape(2, 2)}
    found = read(arrays, tmp_path)
    assert torch.equal(found.state["fc.weight"], torch.arange(4.0).reshape(2, 2))


def test_parameters_are_taken_without_gradients(tmp_path: Path) -> None:
    assert (
        not read({"fc.weight": nn.Parameter(torch.ones(2, 2))}, tmp_path)
        .state["fc.weight"]
        .requires_grad
    )


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({}, "holds no weights: its keys are none"),
        ({"state_dict": {}, "epoch": 1}, "its keys are epoch, state_dict"),
        ({"loss": [1.0], 3: "x"}, "its keys are 3, loss"),
        ([STATE], "no state dict but a list"),
        (torch.ones(3), "no state dict but a Tensor"),
    ],
)
def test_no_weights(record: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=words):
        read(record, tmp_path)


def test_safetensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "model.bin"  # the name says nothing
    save_file(prefixed("module."), file)
    found = read_weights(file, reader="weights", allow=["a.B"])
    assert torch.equal(found.state["conv.weight"], STATE["conv.weight"])
    assert found.taken[1] == "--allow-class a.B: the file names no such class"
    whole = file.read_bytes()
    for cut in (len(whole) - 3, 20):
        file.write_bytes(whole[:cut])
        with pytest.raises(CheckpointCorrupt, match="damaged or truncated"):
            read_weights(file, reader="weights")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(InstallationBroken, match="pip install safetensors"):
        read_weights(file, reader="weights")


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_weights(tmp_path / "w.pt", reader="ferconv")


def test_long_lists_are_cut() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed([str(index) for index in range(9)]) == "0, 1, 2, 3, 4, 5 and 3 more"
