from __future__ import annotations

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from fer_train.contract.architectures import (
    ARCHITECTURES,
    architecture,
    build_model,
    expected_shapes,
    head_module,
    is_head_parameter,
)
from fer_train.contract.errors import ArchitectureMismatch
from fer_train.contract.network import PixelNormalizer
from fer_train.contract.preprocess import PreprocessSpec


@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_normalizer_equals_the_rule_written_out(color: str) -> None:
    spec = PreprocessSpec.from_dict(
        {**PreprocessSpec().to_dict(), "color": color, "std": [0.229, 0.3, 0.1]}
    )
    rgb = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 8)).astype(np.float64)
    unit = rgb / 255
    if color == "gray":
        luma = 0.299 * unit[:, 0] + 0.587 * unit[:, 1] + 0.114 * unit[:, 2]
        unit = np.stack([luma] * 3, axis=1)
    mean, std = (np.array(v).reshape(1, 3, 1, 1) for v in (spec.mean, spec.std))
    seen = PixelNormalizer(spec)(torch.from_numpy(rgb).float()).numpy()
    np.testing.assert_allclose(seen, (unit - mean) / std, atol=2e-5)


def test_normalizer_is_never_trained() -> None:
    assert not any(p.requires_grad for p in PixelNormalizer(PreprocessSpec()).parameters())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_head_is_replaced_and_the_rest_is_torchvisions(name: str) -> None:
    chosen = architecture(name)
    ours = expected_shapes(name, num_classes=8)
    with torch.device("meta"):
        theirs = torchvision.models.get_model(name, weights=None).state_dict()
    assert list(ours) == list(theirs)
    changed = {k for k in ours if ours[k] != tuple(theirs[k].shape)}
    assert changed == {f"{chosen.linear}.weight", f"{chosen.linear}.bias"}
    assert all(is_head_parameter(key, chosen) for key in changed)


def test_efficientnet_keeps_its_dropout() -> None:
    model = build_model("efficientnet_b0", num_classes=8)
    head = head_module(model, architecture("efficientnet_b0"))
    assert isinstance(head, nn.Sequential)
    assert isinstance(head[0], nn.Dropout) and head[0].p == 0.2


@pytest.mark.parametrize("name", ["efficientnet_b0", "resnet101", "densenet121"])
def test_features_then_head_is_the_whole_forward(name: str) -> None:
    torch.manual_seed(0)
    model = build_model(name, num_classes=8).eval()
    chosen = architecture(name)
    x = torch.randn(2, 3, 48, 48)
    with torch.inference_mode():
        split = head_module(model, chosen)(chosen.features(model, x))
        torch.testing.assert_close(split, model(x), rtol=0, atol=0)


def test_unknown_architecture_gets_a_suggestion() -> None:
    with pytest.raises(ArchitectureMismatch, match="Did you mean 'resnet152'"):
        architecture("resnet-152")
