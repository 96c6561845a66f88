"""timm's weights: from its client, from a file, or the reason; nothing is downloaded here."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest
import torch

from fer_train.contract import timm_networks
from fer_train.contract.architectures import architecture, build_model
from fer_train.contract.errors import NotFound
from fer_train.contract.labels import EMOTIONS
from fer_train.learning.timm_weights import fetch_timm
from fer_train.learning.weights import load_starting_weights, read_starting_weights

NAME = "timm/mobilenetv3_small_050"


def read(source: object, said: list[str], name: str = NAME) -> torch.nn.Module:
    torch.manual_seed(0)
    arch, model = architecture(name), build_model(name, num_classes=8)
    weights = read_starting_weights(arch, source=str(source), say=said.append)
    load_starting_weights(model, arch, weights=weights, labels=EMOTIONS, say=said.append)
    return model


def offline(*_: object, **__: object) -> None:
    raise urllib.error.URLError("Name or service not known")


def test_offline_says_what_to_get(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(urllib.request, "urlopen", offline)
    with pytest.raises(NotFound) as caught:
        read("default", [])
    message = str(caught.value)
    assert "are not on this machine and cannot be downloaded: Name or service not known" in message
    assert "model.safetensors of timm/mobilenetv3_small_050.lamb_in1k" in message
    assert "--weights FILE" in message and "--weights none" in message


@pytest.mark.parametrize("source", ["default", "lamb_in1k"])
def test_the_backbone_of_timms_own_weights(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """timm's client stands in for itself: what it loads is a network with its weights."""
    torch.manual_seed(9)
    theirs = build_model(NAME, num_classes=1)
    asked = []

    def pretrained(name: str, *, num_classes: int, pretrained: bool) -> torch.nn.Module:
        asked.append((name, pretrained))
        return theirs

    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: "here")
    with monkeypatch.context() as patch:
        arch = architecture(NAME)
        patch.setattr("fer_train.learning.timm_weights.timm_networks.build", pretrained)
        said: list[str] = []
        patch.setattr(
            "fer_train.learning.weights.validate_weights", lambda *_, **__: None
        )  # it builds, too
        weights = read_starting_weights(arch, source=source, say=said.append)
    assert weights is not None and weights.labels is None
    assert asked == [(NAME if source == "default" else f"{NAME}.{source}", True)]
    assert "classifier.weight" not in weights.state
    assert torch.equal(weights.state["conv_stem.weight"], theirs.state_dict()["conv_stem.weight"])


def test_weights_of_other_pixels_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: "here")
    built = torch.nn.Linear(1, 1)
    monkeypatch.setattr(timm_networks, "build", lambda *_, **__: built)
    said: list[str] = []
    fetch_timm("timm/vit_tiny_patch16_224", say=said.append)
    assert "mean (0.5, 0.5, 0.5)" in said[1] and "--finetune all" in said[1]
    said.clear()
    fetch_timm(NAME, say=said.append)
    assert len(said) == 1


def test_a_network_without_published_weights() -> None:
    assert timm_networks.weights_tags("timm/vovnet39a") == []
    with pytest.raises(NotFound, match="timm has no pretrained weights of timm/vovnet39a"):
        read("default", [], name="timm/vovnet39a")


def test_a_file_with_timms_names_gives_the_backbone(tmp_path: Path) -> None:
    torch.manual_seed(9)
    theirs = build_model(NAME, num_classes=1000).state_dict()
    torch.save(theirs, tmp_path / "timm.pth")
    said: list[str] = []
    model = read(tmp_path / "timm.pth", said)
    assert torch.equal(model.state_dict()["conv_stem.weight"], theirs["conv_stem.weight"])
    assert said == [
        "timm.pth: the head is left: classifier.weight [1000, 1024], classifier.bias [1000]",
        "timm.pth: backbone only, head starts random",
    ]


def test_neither_a_file_nor_a_name() -> None:
    with pytest.raises(NotFound, match="Allowed: default, none, lamb_in1k, or a file"):
        read("imagenet", [])
