"""Whole networks: the saved file against the PyTorch module it was made from."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models.densenet import DenseNet
from torchvision.models.efficientnet import EfficientNet, MBConvConfig
from torchvision.models.resnet import Bottleneck, ResNet

from fer_convert.coreml_runtime import load

SIZE = 48


class Classifier(nn.Module):
    """A 1 x 1 convolution on 0..255 pixels (as the pixel contract is), backbone, softmax."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.pixels = nn.Conv2d(3, 3, 1)
        with torch.no_grad():
            self.pixels.weight.copy_(torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1) / 60)
            self.pixels.bias.fill_(-2.0)
        self.backbone = backbone

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.backbone(self.pixels(x)), 1)


def efficientnet() -> nn.Module:
    """Both block forms of B0: expanding by 1 and 6, kernels 3 and 5, with and without shortcut."""
    blocks = [
        MBConvConfig(1, 3, 1, 32, 16, 1, 1.0, 1.0),
        MBConvConfig(6, 5, 2, 16, 24, 2, 1.0, 1.0),
        MBConvConfig(6, 3, 2, 24, 40, 2, 1.0, 1.0),
    ]
    return EfficientNet(blocks, dropout=0.2, num_classes=8, last_channel=64)


def resnet() -> nn.Module:
    return ResNet(Bottleneck, [1, 2, 1, 1], num_classes=8)


def densenet() -> nn.Module:
    return DenseNet(8, (2, 2, 2, 2), 16, num_classes=8)


# Short forms of the six: every kind of block at its full width or close to it, few of each, so that
# nine conversions stay quick. The whole of efficientnet_b0 goes through test_build.py.
BUILDERS = {"efficientnet": efficientnet, "resnet": resnet, "densenet": densenet}


@pytest.fixture(scope="module", params=list(BUILDERS))
def network(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    module = Classifier(BUILDERS[request.param]())
    # An untrained network's running statistics are 0 and 1: signals vanish or explode. One pass in
    # training mode with a cumulative average makes them those of its own activations.
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None
            part.reset_running_stats()
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    with torch.no_grad():
        module.train()(torch.rand(32, 3, SIZE, SIZE) * 255)
    return module.eval()


@dataclass(frozen=True)
class Judged:
    """A network's own scores ``[12, 8]``, and the error (rms) it makes itself in less precision."""

    exact: np.ndarray[Any, Any]
    single: float
    half: float


@pytest.fixture(scope="module")
def judged(network: nn.Module, pictures: list[Any]) -> Judged:
    exact = scores(network, pictures, torch.float64)
    assert np.ptp(exact) > 0.02, "scores that hardly differ would agree with anything"
    return Judged(
        exact,
        single=rms(scores(network, pictures, torch.float32) - exact),
        half=rms(scores(network, pictures, torch.float16) - exact),
    )


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray[Any, Any]]:
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8) for _ in range(12)]


def scores(module: nn.Module, pictures: list[Any], dtype: torch.dtype) -> np.ndarray[Any, Any]:
    batch = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        return copy.deepcopy(module).to(dtype)(batch.to(dtype)).double().numpy()


@pytest.mark.parametrize("kind", ["nn", "fp32", "fp16"])
def test_saved_network_is_the_module(
    network: nn.Module,
    judged: Judged,
    pictures: list[Any],
    convert: Callable[..., Path],
    kind: str,
) -> None:
    """Judged by the size of the error PyTorch makes itself in the same precision: an untrained
    network may be ill-conditioned, and an absolute bound would then say little."""
    exact, single, half = judged.exact, judged.single, judged.half
    program = load(convert(network, SIZE, kind))
    assert program.logits_name is not None
    seen, logits = [], []
    for picture in pictures:
        values = program.run({"image": picture}, capture=[program.logits_name])
        seen.append(values[program.probabilities_name])
        logits.append(values[program.logits_name][0])
    together = program.run_many([{"image": picture} for picture in pictures])
    far = np.abs(np.stack([values[program.probabilities_name] for values in together]) - seen)
    # Another order of sums, which half precision rounds to its neighbours.
    assert program._lifts and far.max() < (4 * half if kind == "fp16" else 1e-6)
    error = rms(np.stack(seen) - exact)
    softmax = torch.softmax(torch.from_numpy(np.stack(logits)), 1)
    np.testing.assert_allclose(softmax, np.stack(seen), atol=1e-3 if kind == "fp16" else 1e-6)

    if kind != "fp16":
        assert np.abs(np.stack(seen) - exact).max() < 1e-4
        assert error < 4 * single + 1e-7
        return
    assert 10 * single < error < 2 * half
    # Without rounding, the same file differs from its module by its fp16 weights alone.
    plain = [program.run({"image": p}, precision="fp32")["classLabel_probs"] for p in pictures]
    assert 10 * single < rms(np.stack(plain) - exact) < 2 * half
    assert not np.array_equal(plain, seen)


def rms(error: np.ndarray[Any, Any]) -> float:
    return float(np.sqrt(np.mean(np.square(error))))
