"""Small networks and pictures that cases share: seeded, and quick to build."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from PIL import Image
from torch import nn

from fer_train.contract.preprocess import PreprocessSpec
from tests.fer_convert.nets import smooth_picture

SIDE = 32

#: ``--preprocess`` of all networks here that take normalised RGB.
PIXELS = json.dumps(PreprocessSpec(input_size=SIDE, color="rgb").to_dict())


def faces(folder: Path, *, count: int = 3) -> Path:
    """A folder of smooth pictures to compare on."""
    pictures = folder / "faces"
    pictures.mkdir()
    for index in range(count):
        Image.fromarray(smooth_picture(index, side=SIDE)).save(pictures / f"{index}.png")
    return pictures


def classifier(*, classes: int, channels: int = 3) -> nn.Sequential:
    """A convolution with BatchNorm, pooled, and a Linear; in evaluation mode, drawn from seed 0."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, classes),
    ).eval()


def traced(network: nn.Module, path: Path, *, channels: int = 3, batch: int = 1) -> None:
    """Save a TorchScript trace of a network of ``[batch, channels, SIDE, SIDE]``."""
    example = torch.rand(batch, channels, SIDE, SIDE)
    torch.jit.save(torch.jit.trace(network, example), path)  # type: ignore[no-untyped-call]


def traced_classifier(path: Path, *, classes: int) -> None:
    """Save a trace of `classifier`."""
    traced(classifier(classes=classes), path)
