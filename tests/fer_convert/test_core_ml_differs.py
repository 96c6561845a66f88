"""A network that Core ML computes otherwise than PyTorch does not pass; rewritten it does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from tests.inputs.case import run
from tests.inputs.programs import PIXELS, faces, traced


def _pooled(*, count_include_pad: bool) -> nn.Module:
    """Of 16 rows the sixth window of 2 every 3 sees the last one, and hangs over."""
    torch.manual_seed(0)
    pool = nn.AvgPool2d(2, stride=3, ceil_mode=True, count_include_pad=count_include_pad)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU(), pool, nn.Flatten(), nn.Linear(144, 7)
    ).eval()


@pytest.mark.parametrize(("count_include_pad", "code"), [(True, 40), (False, 0)])
@pytest.mark.parametrize("kind", ["mlmodel", "mlpackage-fp32"])
def test_ceil_mode(kind: str, count_include_pad: bool, code: int, tmp_path: Path) -> None:
    """apple/coremltools#2772: PyTorch never counts what ceil_mode adds, Core ML does."""
    program = tmp_path / "model.pt"
    traced(_pooled(count_include_pad=count_include_pad), program)
    ended, printed = run(
        [
            *("ferconv", "build", "--checkpoint", program, "--preprocess", PIXELS),
            *("--fixtures", faces(tmp_path), "--out", tmp_path / "build"),
            *("--labels", "fer2013", "--only", kind),
        ]
    )
    assert ended == code, printed
    flat = " ".join(printed.split())
    assert ("with count_include_pad=False both do" in flat) == (code == 40)
