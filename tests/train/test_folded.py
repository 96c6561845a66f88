"""The folded copy of a frozen backbone gives its features, and never those of other weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fer_train import folded
from fer_train.contract.architectures import architecture, build_model, features
from fer_train.folded import FoldedBackbone

#: BatchNorm after convolutions, before them, and none at all; branches.
NETWORKS = ("efficientnet_b0", "resnet18", "densenet121", "vgg11", "googlenet", "regnet_y_400mf")


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
    made = FoldedBackbone(model, architecture(name))(images)
    assert not made.requires_grad
    torch.testing.assert_close(made, own, rtol=1e-3, atol=1e-4 * float(own.abs().max()))


def test_batchnorm_after_a_convolution_is_gone_and_the_network_is_untouched() -> None:
    model = network("resnet18")
    before = {key: value.clone() for key, value in model.state_dict().items()}
    backbone = FoldedBackbone(model, architecture("resnet18"))
    backbone(torch.rand(1, 3, 64, 64))
    assert backbone.folded is not None
    assert not any(isinstance(m, nn.BatchNorm2d) for m in backbone.folded.modules())
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


@pytest.mark.parametrize("changed", ["weight", "statistics"])
def test_a_changed_backbone_is_folded_anew(changed: str) -> None:
    model, images = network("resnet18"), torch.rand(2, 3, 64, 64)
    backbone = FoldedBackbone(model, architecture("resnet18"))
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
    backbone = FoldedBackbone(model, architecture("resnet18"))
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
    monkeypatch.setattr(folded, "fuse", untraceable)
    made = FoldedBackbone(model, architecture("resnet18"))(images)
    with torch.no_grad():
        own = features(model, architecture("resnet18"), images)
    torch.testing.assert_close(made, own, rtol=1e-5, atol=1e-6)
