"""timm's networks by name: the head is found or the network refused, and nothing is fetched."""

from __future__ import annotations

import builtins
import importlib
from typing import Any

import pytest
import torch

from fer_train.contract import timm_networks
from fer_train.contract.architectures import (
    architecture,
    build_for_weights,
    build_model,
    expected_shapes,
    features,
    head_layers,
    require_input_size,
)
from fer_train.contract.errors import ArchitectureMismatch, InstallationBroken

#: One small network of some families, with the path of its final Linear and its input size.
FAMILIES = (
    ("timm/efficientnet_lite0", "classifier", 32),
    ("timm/mobilenetv3_small_050.lamb_in1k", "classifier", 32),
    ("timm/convnext_atto", "head.fc", 32),
    ("timm/vit_tiny_patch16_224", "head", 224),
    ("timm/caformer_s18", "head.fc.fc2", 32),  # the last of two in a head
)


@pytest.mark.parametrize(("name", "linear", "size"), FAMILIES)
def test_features_then_head_is_the_whole_forward(name: str, linear: str, size: int) -> None:
    torch.manual_seed(0)
    model = build_model(name, num_classes=8).eval()
    chosen = architecture(name)
    assert (chosen.name, chosen.linear) == (name, linear)
    x = torch.randn(1, 3, size, size)
    with torch.inference_mode():
        split = head_layers(model, chosen)(features(model, chosen, x))
        assert split.shape == (1, 8)
        torch.testing.assert_close(split, model(x), rtol=0, atol=0)


def test_a_name_of_both_libraries_is_torchvisions_without_the_prefix() -> None:
    assert "layer1.0.conv1.weight" in expected_shapes("timm/resnet18", num_classes=8)
    ours, theirs = (
        set(expected_shapes(name, num_classes=8))
        for name in ("convnext_tiny", "timm/convnext_tiny")
    )
    assert "features.0.0.weight" in ours and "stem.0.weight" in theirs


def test_tables_beside_the_state_dict_are_there_when_weights_are_assigned() -> None:
    """BEiT's relative positions are no weights; built without memory they would stay empty."""
    name = "timm/beit_base_patch16_224"
    network = build_for_weights("timm/swin_tiny_patch4_window7_224", num_classes=2)
    assert not any(buffer.is_meta for buffer in network.buffers())
    assert architecture(name).linear == "head"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("timm/dpn68", "is a Conv2d without a Linear"),
        ("timm/efficientformer_l1", "2 layers side by side"),
        ("timm/deit_tiny_distilled_patch16_224", "2 layers side by side"),
        ("timm/volo_d1_224", "is not that of one Linear"),
        ("timm/mobilenetv5_300m_enc", "it is no classifier"),
        ("timm/repvit_m0_9", "is not that of one Linear"),
    ],
)
def test_a_network_without_one_final_linear_is_refused(name: str, reason: str) -> None:
    with pytest.raises(ArchitectureMismatch, match=reason):
        architecture(name)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("timm/efficientnet_lite", "Did you mean 'timm/efficientnet_lite"),
        ("timm/resnet18.nothing", "timm/resnet18.a1_in1k"),
        ("timm/hf-hub:timm/resnet18.a1_in1k", "is an address, not a name"),
        ("timm/local-dir:models", "is an address, not a name"),
        ("hf-hub:timm/resnet18.a1_in1k", "is no name of a network"),
        ("os:getcwd", "a checkpoint cannot name one"),
        ("efficientnet_lite0", "timm has it: --arch timm/efficientnet_lite0"),
    ],
)
def test_what_is_no_name_is_refused(name: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.socket.connect", _no_network)
    with pytest.raises(ArchitectureMismatch) as caught:
        architecture(name)
    assert says in str(caught.value)


def _no_network(*_: object) -> None:
    raise AssertionError("a name must not be looked up anywhere")


def test_an_input_size_that_does_not_fit_is_named_with_the_one_that_does() -> None:
    require_input_size("timm/efficientnet_lite0", 48)
    with pytest.raises(ArchitectureMismatch, match="does not accept images of 48 px") as caught:
        require_input_size("timm/vit_tiny_patch16_384", 48)
    assert "--input-size 384" in str(caught.value)


def test_without_timm_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    original = importlib.import_module

    def without_timm(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "timm":
            raise ImportError("No module named 'timm'")
        return original(name, *rest)

    monkeypatch.setattr(timm_networks.importlib, "import_module", without_timm)
    with pytest.raises(InstallationBroken) as caught:
        architecture("timm/resnet26")
    assert "pip install 'fer-toolchain[timm]'" in str(caught.value)
    with pytest.raises(ArchitectureMismatch, match="not a classification network of torchvision"):
        architecture("resnet26")


def test_torchvisions_names_import_no_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def refusing(name: str, *rest: Any) -> Any:
        assert name.partition(".")[0] != "timm"
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refusing)
    monkeypatch.setattr(timm_networks, "_timm", lambda: pytest.fail("timm was asked"))
    build_model("shufflenet_v2_x0_5", num_classes=2, device="meta")
