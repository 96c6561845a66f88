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
    features,
    head_layers,
    is_head_parameter,
    require_input_size,
)
from fer_train.contract.errors import ArchitectureMismatch
from fer_train.contract.network import PixelNormalizer
from fer_train.contract.preprocess import PreprocessSpec


@pytest.mark.parametrize("color", ["gray", "rgb", "bgr"])
def test_normalizer_equals_the_rule_written_out(color: str) -> None:
    spec = PreprocessSpec.from_dict(
        {**PreprocessSpec().to_dict(), "color": color, "std": [0.229, 0.3, 0.1]}
    )
    rgb = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 8)).astype(np.float64)
    unit = rgb / 255
    if color == "gray":
        luma = 0.299 * unit[:, 0] + 0.587 * unit[:, 1] + 0.114 * unit[:, 2]
        unit = np.stack([luma] * 3, axis=1)
    if color == "bgr":
        unit = unit[:, [2, 1, 0]]
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
    head = head_layers(model, architecture("efficientnet_b0"))
    assert isinstance(head[0], nn.Dropout) and head[0].p == 0.2


#: One network of each torchvision family, with the path of its final Linear and its input size.
FAMILIES = (
    ("alexnet", "classifier.6", 64),
    ("convnext_tiny", "classifier.2", 32),
    ("densenet121", "classifier", 48),
    ("efficientnet_b0", "classifier.1", 48),
    ("efficientnet_v2_s", "classifier.1", 32),
    ("googlenet", "fc", 48),
    ("inception_v3", "fc", 75),
    ("maxvit_t", "classifier.5", 224),
    ("mnasnet0_5", "classifier.1", 32),
    ("mobilenet_v2", "classifier.1", 32),
    ("mobilenet_v3_small", "classifier.3", 32),
    ("regnet_y_400mf", "fc", 32),
    ("resnet18", "fc", 48),
    ("resnext50_32x4d", "fc", 32),
    ("shufflenet_v2_x0_5", "fc", 32),
    ("swin_t", "head", 32),
    ("swin_v2_t", "head", 64),
    ("vgg11", "classifier.6", 32),
    ("vit_b_32", "heads.head", 224),
    ("wide_resnet50_2", "fc", 32),
)


@pytest.mark.parametrize(("name", "linear", "size"), FAMILIES)
def test_features_then_head_is_the_whole_forward(name: str, linear: str, size: int) -> None:
    torch.manual_seed(0)
    model = build_model(name, num_classes=8).eval()
    chosen = architecture(name)
    assert chosen.linear == linear
    x = torch.randn(1, 3, size, size)
    with torch.inference_mode():
        split = head_layers(model, chosen)(features(model, chosen, x))
        assert split.shape == (1, 8)
        torch.testing.assert_close(split, model(x), rtol=0, atol=0)


def test_every_torchvision_classifier_is_known_or_refused_with_a_reason() -> None:
    known = set(torchvision.models.list_models(module=torchvision.models))
    # RegNet cannot be built without allocating it, and its largest takes gigabytes.
    small = {name for name in known if not name.startswith("regnet")} | {"regnet_x_400mf"}
    refused = set()
    for name in small:
        try:
            assert architecture(name).name == name
        except ArchitectureMismatch as error:
            refused.add(name)
            assert "no final Linear" in str(error)
    assert refused == {"squeezenet1_0", "squeezenet1_1"}


def test_hidden_layers_of_a_classifier_belong_to_the_backbone() -> None:
    """They carry pretrained weights: MobileNetV3's first Linear, VGG's two."""
    for name, hidden in (("mobilenet_v3_small", "classifier.0"), ("vgg11", "classifier.3")):
        chosen = architecture(name)
        assert not is_head_parameter(f"{hidden}.weight", chosen)
        assert chosen.dropout == f"classifier.{int(chosen.linear[-1]) - 1}"


def test_an_input_size_that_does_not_fit_is_named() -> None:
    require_input_size("efficientnet_b0", 48)
    require_input_size("vit_b_32", 224)
    with pytest.raises(ArchitectureMismatch, match=r"vit_b_32 does not accept images of 48 px"):
        require_input_size("vit_b_32", 48)
    with pytest.raises(ArchitectureMismatch, match=r"inception_v3 .* 48 px"):
        require_input_size("inception_v3", 48)


@pytest.mark.parametrize(
    ("wrong", "near"), [("resnet-152", "resnet152"), ("convnext", "convnext_tiny")]
)
def test_unknown_architecture_gets_a_suggestion(wrong: str, near: str) -> None:
    with pytest.raises(ArchitectureMismatch, match="Did you mean") as caught:
        architecture(wrong)
    assert near in str(caught.value) and "efficientnet_b0" in str(caught.value)
