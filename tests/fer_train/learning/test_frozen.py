"""The faster copy of a frozen backbone gives its features, and never those of other weights."""

from __future__ import annotations

import platform

import pytest
import torch
from torch import nn

from fer_train.contract.architectures import architecture, build_model, features
from fer_train.learning import frozen
from fer_train.learning.frozen import FrozenBackbone

#: BatchNorm after convolutions, before them, and none at all; branches.
NETWORKS = ("efficientnet_b0", "resnet18", "densenet121", "alexnet", "googlenet", "regnet_y_400mf")


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    model = build_model(name, num_classes=3)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            # Statistics of nobody: an untrained network's own would hide a forgotten one.
            module.running_mean = torch.rand(module.num_features) - 0.5
            module.running_var = torch.rand(module.num_features) + 0.5
    return model.eval()


@pytest.mark.parametrize("name", NETWORKS)
def test_features_are_the_networks_own(name: str) -> None:
    model, images = network(name), torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        own = features(model, architecture(name), images)
    made = FrozenBackbone(model, architecture(name), batch=2)(images)
    assert not made.requires_grad
    torch.testing.assert_close(made, own, rtol=1e-3, atol=1e-4 * float(own.abs().max()))


def test_batchnorm_after_a_convolution_is_gone_and_the_network_is_untouched() -> None:
    model = network("resnet18")
    before = {key: value.clone() for key, value in model.state_dict().items()}
    backbone = FrozenBackbone(model, architecture("resnet18"), batch=2)
    backbone(torch.rand(1, 3, 64, 64))
    assert backbone.folded is not None
    assert not any(isinstance(m, nn.BatchNorm2d) for m in backbone.folded.modules())
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


@pytest.mark.parametrize("changed", ["weight", "statistics"])
def test_a_changed_backbone_is_folded_anew(changed: str) -> None:
    model, images = network("resnet18"), torch.rand(2, 3, 64, 64)
    backbone = FrozenBackbone(model, architecture("resnet18"), batch=2)
    before = backbone(images)
    with torch.no_grad():
        tensor = model.conv1.weight if changed == "weight" else model.bn1.running_mean
        tensor.mul_(0.5)
    after = backbone(images)
    assert not torch.allclose(before, after)
    with torch.no_grad():
        own = features(model, architecture("resnet18"), images)
    torch.testing.assert_close(after, own, rtol=1e-3, atol=1e-4)


def test_learning_the_head_does_not_fold_again() -> None:
    model, images = network("resnet18"), torch.rand(2, 3, 64, 64)
    backbone = FrozenBackbone(model, architecture("resnet18"), batch=2)
    backbone(images)
    copy = backbone.folded
    with torch.no_grad():
        model.fc.weight.add_(1)
    backbone(images)
    assert backbone.folded is copy


def test_a_network_that_cannot_be_traced_runs_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def untraceable(*arguments: object, **options: object) -> nn.Module:
        raise torch.fx.proxy.TraceError("control flow")

    model, images = network("resnet18"), torch.rand(2, 3, 64, 64)
    monkeypatch.setattr(frozen, "fuse", untraceable)
    made = FrozenBackbone(model, architecture("resnet18"), batch=2)(images)
    with torch.no_grad():
        own = features(model, architecture("resnet18"), images)
    torch.testing.assert_close(made, own, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64") or not torch.backends.mkldnn.is_available(),
    reason="oneDNN Graph needs an x86 processor and a PyTorch with oneDNN",
)
def test_batches_of_the_given_size_are_fused_and_others_are_not() -> None:
    backbone = FrozenBackbone(network("resnet18"), architecture("resnet18"), batch=2)
    backbone(torch.rand(1, 3, 64, 64))
    assert backbone.fused is None
    whole = torch.rand(2, 3, 64, 64)
    backbone(whole)
    assert backbone.fused is not None
    assert "oneDNNFusion" in str(backbone.fused.graph_for(whole))


def test_which_way_a_batch_takes_does_not_depend_on_what_came_before() -> None:
    """A resumed run repeats every bit, whatever batch it begins with."""
    model = network("resnet18")
    small, whole = torch.rand(1, 3, 64, 64), torch.rand(2, 3, 64, 64)
    first = FrozenBackbone(model, architecture("resnet18"), batch=2)
    last, full = first(small), first(whole)
    resumed = FrozenBackbone(model, architecture("resnet18"), batch=2)
    assert torch.equal(resumed(whole), full)
    assert torch.equal(resumed(small), last)
    assert torch.equal(resumed(whole), full)


def test_another_image_size_is_fused_anew() -> None:
    model = network("resnet18")
    backbone = FrozenBackbone(model, architecture("resnet18"), batch=2)
    for size in (64, 48):
        images = torch.rand(2, 3, size, size)
        with torch.no_grad():
            own = features(model, architecture("resnet18"), images)
        torch.testing.assert_close(backbone(images), own, rtol=1e-3, atol=1e-4)


def test_a_pytorch_without_onednn_runs_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(enabled: bool) -> None:
        raise RuntimeError("oneDNN Graph is only supported with MKLDNN builds")

    model, images = network("resnet18"), torch.rand(2, 3, 64, 64)
    monkeypatch.setattr(torch.jit, "enable_onednn_fusion", missing)
    backbone = FrozenBackbone(model, architecture("resnet18"), batch=2)
    made = backbone(images)
    assert backbone.fused is None
    assert backbone.folded is not None
    with torch.no_grad():
        assert torch.equal(made, backbone.folded(images))


def test_a_wrong_compilation_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    compile_rightly = torch.jit.freeze

    def compile_wrongly(module: torch.jit.ScriptModule) -> nn.Module:
        return nn.Sequential(compile_rightly(module), nn.ReLU(), nn.Threshold(0.1, 5.0))

    model, images = network("resnet18"), torch.rand(2, 3, 64, 64)
    monkeypatch.setattr(torch.jit, "freeze", compile_wrongly)
    backbone = FrozenBackbone(model, architecture("resnet18"), batch=2)
    backbone(images)
    assert backbone.fused is None


def test_fusion_is_off_again_for_everything_else() -> None:
    backbone = FrozenBackbone(network("resnet18"), architecture("resnet18"), batch=2)
    backbone(torch.rand(2, 3, 64, 64))
    assert not torch.jit.onednn_fusion_enabled()


def test_bfloat16_runs_folded() -> None:
    model, images = network("resnet18"), torch.rand(2, 3, 64, 64)
    backbone = FrozenBackbone(model, architecture("resnet18"), batch=2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        made = backbone(images)
    assert made.dtype == torch.bfloat16
    assert backbone.fused is None
