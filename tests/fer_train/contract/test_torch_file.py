"""Files of torch.save are read without running what they name."""

from __future__ import annotations

import argparse
import collections
import pickle
import sys
import types
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from fer_train.contract.errors import CheckpointCorrupt, CheckpointError, CheckpointPickled
from fer_train.contract.torch_file import is_pickled_module, parse_classes, read_torch

STATE = {"fc.weight": torch.ones(2, 2)}

containers = pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])


@pytest.fixture
def theirs() -> Iterator[types.ModuleType]:
    """A module of somebody else's with three classes."""
    module = types.ModuleType("their_project")
    module.ran = []  # type: ignore[attr-defined]

    def remember(self: object, state: object) -> None:
        module.ran.append(state)

    body = {"__module__": module.__name__, "__setstate__": remember}
    for name, base in (("Config", object), ("Options", dict), ("History", list)):
        setattr(module, name, type(name, (base,), body))
    sys.modules[module.__name__] = module
    yield module
    sys.modules.pop(module.__name__, None)


def save(value: object, path: Path, *, legacy: bool) -> Path:
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    return path


@containers
def test_numbers_and_values_beside_weights(legacy: bool, tmp_path: Path) -> None:
    record = {
        "model": STATE,
        "args": argparse.Namespace(lr=np.float64(0.1), out=Path("runs"), when=datetime(2024, 1, 2)),
        "history": collections.defaultdict(list, {"loss": [np.float32(0.5)]}),
        "best": np.float64(0.75),
        "seen": np.int64(3),
        "done": np.bool_(True),
        "confusion": np.arange(4).reshape(2, 2),
        "names": np.array(["a", "b"]),
    }
    read = read_torch(save(record, tmp_path / "w.pt", legacy=legacy), reader="ferconv").record
    assert read["best"] == 0.75 and read["seen"] == 3
    assert read["confusion"].tolist() == [[0, 1], [2, 3]]
    assert torch.equal(read["model"]["fc.weight"], STATE["fc.weight"])
    assert vars(read["args"])["lr"] == 0.1


@pytest.mark.parametrize("core", ["core", "_core"])
def test_numbers_of_numpy_1_and_2(core: str, tmp_path: Path) -> None:
    file = save({"best": np.float64(0.75)}, tmp_path / "w.pt", legacy=True)
    content = file.read_bytes()
    for old in (b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"):
        content = content.replace(old, f"cnumpy.{core}.multiarray\n".encode())
    file.write_bytes(content)
    assert read_torch(file, reader="ferconv").record == {"best": 0.75}


@containers
def test_another_class_is_named_and_its_code_does_not_run(
    legacy: bool, tmp_path: Path, theirs: types.ModuleType
) -> None:
    record = {"model": STATE, "config": theirs.Config(), "options": theirs.Options(a=1)}
    vars(record["config"])["size"] = 224
    file = save(record, tmp_path / "w.pt", legacy=legacy)
    del sys.modules["their_project"]
    with pytest.raises(CheckpointPickled) as caught:
        read_torch(file, reader="weights", allow=["their_project.Options"])
    assert "objects of their_project.Config." in str(caught.value)
    assert "--allow-class their_project.Config reads" in str(caught.value)
    allowed = ("their_project.Config", "their_project.Options", "their_project.Absent")
    read = read_torch(file, reader="weights", allow=allowed)
    assert vars(read.record["config"]) == {"size": 224}
    assert (read.allowed, read.unneeded) == (allowed[:2], allowed[2:])
    assert theirs.ran == [] and "their_project" not in sys.modules


def test_what_cannot_be_stood_in_for(tmp_path: Path, theirs: types.ModuleType) -> None:
    file = save({"model": STATE, "log": theirs.History([1])}, tmp_path / "w.pt", legacy=False)
    with pytest.raises(CheckpointPickled, match=r"their_project\.History"):
        read_torch(file, reader="ferconv", allow=["their_project.History"])


class Command:
    """What a hostile file does."""

    def __init__(self, function: object, *arguments: object) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self._call


@containers
def test_a_hostile_file_does_nothing(legacy: bool, tmp_path: Path) -> None:
    import os

    trace = tmp_path / "trace"
    words = f"open({str(trace)!r}, 'w')"
    file = save({"model": STATE, "x": Command(eval, words)}, tmp_path / "w.pt", legacy=legacy)
    with pytest.raises(CheckpointPickled, match=r"builtins\.eval"):
        read_torch(file, reader="ferconv")
    read_torch(file, reader="ferconv", allow=["builtins.eval"])
    save({"model": STATE, "x": Command(os.system, f"touch {trace}")}, file, legacy=legacy)
    for allow in ((), ("posix.system", "nt.system")):
        with pytest.raises(CheckpointPickled, match="runs commands of the system"):
            read_torch(file, reader="ferconv", allow=allow)
    assert not trace.exists()


@containers
def test_a_network_pickled_whole(legacy: bool, tmp_path: Path) -> None:
    file = save(nn.Sequential(nn.Linear(2, 2)), tmp_path / "w.pt", legacy=legacy)
    with pytest.raises(CheckpointPickled, match="is a pickled Python object") as caught:
        read_torch(file, reader="ferconv")
    assert "torch.nn.modules.container.Sequential" in str(caught.value)
    assert "--allow-class" not in str(caught.value)  # it would help nobody


def test_a_network_in_a_dict_stays_one_when_its_class_is_allowed(tmp_path: Path) -> None:
    file = save({"model": nn.ReLU()}, tmp_path / "w.pt", legacy=False)
    read = read_torch(file, reader="ferconv", allow=["torch.nn.modules.activation.ReLU"])
    assert is_pickled_module(read.record["model"])


@pytest.mark.parametrize("keep", [20, 300, -30, -5])
def test_a_cut_legacy_file(keep: int, tmp_path: Path) -> None:
    file = save(dict.fromkeys("abcdefgh", torch.ones(9)), tmp_path / "w.pt", legacy=True)
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(CheckpointCorrupt):
        read_torch(file, reader="ferconv")


def test_a_flipped_byte_is_never_a_traceback(tmp_path: Path) -> None:
    file = save({"model": STATE, "best": np.float64(1)}, tmp_path / "w.pt", legacy=True)
    content = file.read_bytes()
    rng = np.random.default_rng(0)
    for position in rng.integers(16, len(content), 150):
        file.write_bytes(content[:position] + rng.bytes(1) + content[position + 1 :])
        try:
            read_torch(file, reader="ferconv")
        except CheckpointError:
            continue


def test_a_plain_pickle(tmp_path: Path) -> None:
    (tmp_path / "w.pkl").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(CheckpointPickled, match=r"torch\.save did not write it"):
        read_torch(tmp_path / "w.pkl", reader="ferconv")


def test_names_of_classes() -> None:
    assert parse_classes(" a.B, c.D,") == ("a.B", "c.D")
    assert parse_classes(None) == parse_classes("") == ()
