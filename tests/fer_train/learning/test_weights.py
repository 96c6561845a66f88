"""Starting weights: offline, damaged, foreign, our own; and nothing silent."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import torch
import torchvision

from fer_train.contract.architectures import architecture, build_model
from fer_train.contract.checkpoint import Checkpoint, write_checkpoint
from fer_train.contract.errors import (
    ArchitectureMismatch,
    CheckpointCorrupt,
    CheckpointError,
    CheckpointPickled,
    NonFiniteWeights,
    NotFound,
)
from fer_train.contract.labels import EMOTIONS
from fer_train.contract.preprocess import PreprocessSpec
from fer_train.learning import weights as weights_module
from fer_train.learning.weights import (
    fetch_pretrained,
    load_starting_weights,
    read_starting_weights,
)

ARCH = architecture("efficientnet_b0")


@pytest.fixture(scope="module")
def imagenet_state() -> dict[str, torch.Tensor]:
    """What a torchvision file holds: 1000 classes."""
    torch.manual_seed(7)
    return dict(build_model(ARCH.name, num_classes=1000).state_dict())


def load(source: object, *, arch: str = ARCH.name) -> tuple[torch.nn.Module, list[str]]:
    torch.manual_seed(0)
    model, said = build_model(arch, num_classes=8), []
    weights = read_starting_weights(architecture(arch), source=str(source), say=said.append)
    load_starting_weights(
        model, architecture(arch), weights=weights, labels=EMOTIONS, say=said.append
    )
    return model, said


def offline(*_: object, **__: object) -> None:
    raise urllib.error.URLError("Name or service not known")


def test_offline_says_what_to_put_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(urllib.request, "urlopen", offline)
    with pytest.raises(NotFound) as caught:
        fetch_pretrained("resnet152", say=lambda text: None)
    url = torchvision.models.ResNet152_Weights.DEFAULT.url
    message, name = str(caught.value), url.rpartition("/")[2]
    assert url in message
    assert str(tmp_path / "hub" / "checkpoints" / name) in message
    assert name.removesuffix(".pth").rpartition("-")[2] in message
    assert "--weights FILE" in message and "--weights none" in message
    assert capfd.readouterr().out == ""
    assert not list(tmp_path.rglob("*.pth"))


def test_a_damaged_cached_file_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch checks the hash only while downloading."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    name = torchvision.models.EfficientNet_B0_Weights.DEFAULT.url.rpartition("/")[2]
    cached = tmp_path / "hub" / "checkpoints" / name
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"half a download")
    with pytest.raises(CheckpointCorrupt, match="Delete the file"):
        raise_if_downloading = offline
        monkeypatch.setattr(urllib.request, "urlopen", raise_if_downloading)
        fetch_pretrained(ARCH.name, say=lambda text: None)


def test_a_download_is_checked_and_kept_where_torch_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"weights"
    url = f"https://example.invalid/net-{hashlib.sha256(content).hexdigest()[:8]}.pth"

    class Weights:
        DEFAULT = type("W", (), {"url": url})

    served = tmp_path / "served"
    served.write_bytes(content)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(
        weights_module.torchvision.models,
        "get_model_weights",
        lambda name: {"DEFAULT": Weights.DEFAULT},
    )
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: served.open("rb"))
    path = fetch_pretrained(ARCH.name, say=lambda text: None)
    assert path == tmp_path / "hub" / "checkpoints" / url.rpartition("/")[2]
    assert path.read_bytes() == content
    path.unlink()
    served.write_bytes(b"a proxy's login page")
    with pytest.raises(CheckpointCorrupt, match="nothing was saved"):
        fetch_pretrained(ARCH.name, say=lambda text: None)
    assert not path.exists()


def test_a_torchvision_file_gives_the_backbone_only(
    tmp_path: Path, imagenet_state: dict[str, torch.Tensor]
) -> None:
    file = tmp_path / "imagenet.pth"
    torch.save(imagenet_state, file)
    model, said = load(file)
    random_head = load("none")[0].state_dict()["classifier.1.weight"]
    state = model.state_dict()
    assert torch.equal(state["features.0.0.weight"], imagenet_state["features.0.0.weight"])
    assert torch.equal(state["classifier.1.weight"], random_head)
    assert said == [
        "imagenet.pth: the head is left: classifier.1.weight [1000, 1280], "
        "classifier.1.bias [1000]",
        "imagenet.pth: backbone only, head starts random",
    ]


def test_old_densenet_names_are_understood(tmp_path: Path) -> None:
    torch.manual_seed(3)
    state = dict(build_model("densenet121", num_classes=1000).state_dict())
    old = {}
    for key, value in state.items():
        if key.endswith("num_batches_tracked"):
            continue
        for layer in ("norm", "conv"):
            for number in "12":
                if "denselayer" in key:
                    key = key.replace(f".{layer}{number}.", f".{layer}.{number}.")
        old[key] = value
    assert any(".norm.1." in key for key in old)
    torch.save(old, tmp_path / "old.pth")
    model, _ = load(tmp_path / "old.pth", arch="densenet121")
    key = "features.denseblock1.denselayer1.norm1.weight"
    assert torch.equal(model.state_dict()[key], state[key])


def test_our_own_checkpoint_keeps_its_head_for_the_same_labels(tmp_path: Path) -> None:
    torch.manual_seed(5)
    trained = build_model(ARCH.name, num_classes=8).state_dict()
    checkpoint = Checkpoint(
        arch=ARCH.name, labels=EMOTIONS, preprocess=PreprocessSpec(), model=trained
    )
    write_checkpoint(tmp_path / "best.pt", checkpoint)
    model, said = load(tmp_path / "best.pt")
    assert torch.equal(model.state_dict()["classifier.1.bias"], trained["classifier.1.bias"])
    assert said == ["best.pt: backbone and head"]
    with pytest.raises(ArchitectureMismatch, match="resnet101"):
        load(tmp_path / "best.pt", arch="resnet101")


def test_weights_of_another_architecture(
    tmp_path: Path, imagenet_state: dict[str, torch.Tensor]
) -> None:
    torch.save(imagenet_state, tmp_path / "w.pth")
    with pytest.raises(ArchitectureMismatch):
        load(tmp_path / "w.pth", arch="densenet121")


def test_nan_weights_and_pickles_and_nothing(
    tmp_path: Path, imagenet_state: dict[str, torch.Tensor]
) -> None:
    broken = {**imagenet_state, "features.0.0.weight": torch.full((32, 3, 3, 3), torch.nan)}
    torch.save(broken, tmp_path / "nan.pth")
    with pytest.raises(NonFiniteWeights):
        load(tmp_path / "nan.pth")
    torch.save(torch.nn.Linear(1, 1), tmp_path / "pickle.pth")
    with pytest.raises(CheckpointPickled, match="then give that file as --weights"):
        load(tmp_path / "pickle.pth")
    with pytest.raises(NotFound):
        load(tmp_path / "missing.pth")


def test_a_training_checkpoint_of_another_tool(tmp_path: Path) -> None:
    """Nested, wrapped, with a head of two layers: the backbone is taken, and the rest is said."""
    arch = architecture("shufflenet_v2_x0_5")
    torch.manual_seed(1)
    state = {
        f"module.{k}": v for k, v in build_model(arch.name, num_classes=7).state_dict().items()
    }
    weight = state.pop("module.fc.weight")
    state |= {"module.fc.0.weight": torch.ones(64, 1024), "module.fc.2.weight": weight[:, :64]}
    torch.save({"epoch": 9, "model": state}, tmp_path / "theirs.pt")
    model, said = load(tmp_path / "theirs.pt", arch=arch.name)
    assert torch.equal(model.state_dict()["conv1.0.weight"], state["module.conv1.0.weight"])
    assert said == [
        "theirs.pt: weights taken from 'model' (339 tensors); left: epoch",
        "theirs.pt: every name began with 'module.', which is left out",
        "theirs.pt: the head is left: fc.bias [7], fc.0.weight [64, 1024], fc.2.weight [7, 64]",
        "theirs.pt: backbone only, head starts random",
    ]


def test_a_larger_network_is_not_taken_for_a_smaller_one(tmp_path: Path) -> None:
    state = build_model("resnet34", num_classes=7).state_dict()
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(ArchitectureMismatch, match="not those of resnet18 with any head"):
        load(tmp_path / "w.pt", arch="resnet18")


def test_a_class_beside_the_weights_is_allowed_by_name(tmp_path: Path) -> None:
    arch = architecture("shufflenet_v2_x0_5")
    state = build_model(arch.name, num_classes=7).state_dict()
    torch.save({"model": state, "where": torch.nn.ReLU()}, tmp_path / "w.pt")
    said: list[str] = []
    allowed = "torch.nn.modules.activation.ReLU"
    weights = read_starting_weights(
        arch, source=str(tmp_path / "w.pt"), say=said.append, allow_class=allowed
    )
    assert weights is not None and f"in place of {allowed} are empty objects" in said[1]


def test_a_folder_is_not_weights(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is a folder, not a checkpoint"):
        load(tmp_path)
