"""Networks and pictures for the tests of the converter: small, seeded, well-conditioned."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from fer_convert.cli import main
from fer_train.contract.architectures import build_model
from fer_train.contract.labels import EMOTIONS
from fer_train.contract.network import PixelNormalizer
from fer_train.contract.preprocess import PreprocessSpec

ARCH = "efficientnet_b0"


SPEC = PreprocessSpec(input_size=32)


FACES = 5


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


Ferconv = Callable[..., Ran]


def run_once(*arguments: object) -> Ran:
    """Run ``ferconv`` in this process for a fixture that many tests share."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["ferconv", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
    return Ran(int(ended.value.code or 0), out.getvalue(), err.getvalue())


def smooth_picture(seed: int, *, side: int) -> np.ndarray:
    """uint8 RGB ``[side, side, 3]``: blobs of colour, as smooth as a photo."""
    blobs = np.random.default_rng(seed).integers(0, 256, (5, 5, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(blobs).resize((side, side), Image.Resampling.BICUBIC))


def briefly_trained(arch: str, *, steps: int = 10) -> nn.Module:
    """A backbone that learned to tell a few pictures apart.

    An untrained one would not do: it amplifies the last bits of its input until honest artefacts
    miss the thresholds, which are made for trained weights.
    """
    torch.manual_seed(0)
    model = build_model(arch, num_classes=len(EMOTIONS))
    pixels, labels = training_pictures(64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model.train()
    for _ in range(steps):
        chosen = torch.randperm(len(pixels))[:16]
        loss = F.cross_entropy(model(pixels[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # the average over all batches
    with torch.no_grad():
        model(pixels[:32])
        model(pixels[32:])
    return model.eval()


def training_pictures(count: int) -> tuple[Tensor, Tensor]:
    """Normalised pixels ``[count, 3, S, S]`` and a label for each."""
    pictures = np.stack([smooth_picture(100 + i, side=SPEC.input_size) for i in range(count)])
    pixels = PixelNormalizer(SPEC)(torch.from_numpy(pictures).permute(0, 3, 1, 2).float())
    return pixels, torch.arange(count) % len(EMOTIONS)


def tiny_network(*, classes: int = len(EMOTIONS), zeros: float = 0.0) -> nn.Module:
    """Two convolutions and a linear layer, normalised pixels -> logits."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 64, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, classes),
    )
    with torch.no_grad():
        model[6].weight.mul_(10)  # decided answers instead of eight times 0.125
        for weight in (model[2].weight, model[6].weight):
            limit = weight.abs().flatten().quantile(zeros)
            weight[weight.abs() < limit] = 0
    return model.eval()


def coarse_network() -> nn.Module:
    """The tiny network with logits around 1100, which half precision keeps in steps of one.

    Softmax ignores what all logits share, and full precision has room for it.
    """
    model = tiny_network()
    with torch.no_grad():
        model[6].weight.mul_(4)
        model[6].bias.add_(1100)
    return model


def overflowing_network() -> nn.Module:
    """The tiny network with activations beyond 65504, half precision's largest number."""
    model = tiny_network()
    with torch.no_grad():
        for parameter in model[0].parameters():
            parameter.mul_(2**17)
        model[2].weight.div_(2**17)
    return model


def save_script(network: nn.Module, path: Path) -> None:
    example = torch.zeros(1, 3, SPEC.input_size, SPEC.input_size)
    torch.jit.save(torch.jit.trace(network, example, check_trace=False), str(path))
