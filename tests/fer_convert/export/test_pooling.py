"""Adaptive pooling of unequal windows: the same numbers, by operations that converters take."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from fer_convert.export.pooling import windows, with_plain_pooling
from fer_train.contract.labels import EMOTIONS
from tests.fer_convert.nets import SPEC, Ferconv, save_script

#: Enlarged, uneven, a size that is taken from the input, and one that is uneven on one axis.
POOLINGS: list[tuple[nn.Module, tuple[int, ...]]] = [
    (nn.AdaptiveAvgPool2d(7), (1, 4, 1, 1)),
    (nn.AdaptiveAvgPool2d(7), (1, 4, 8, 8)),
    (nn.AdaptiveAvgPool2d((1, None)), (1, 4, 6, 5)),
    (nn.AdaptiveAvgPool2d((3, 4)), (1, 4, 6, 10)),
    (nn.AdaptiveAvgPool1d(3), (1, 4, 10)),
    (nn.AdaptiveMaxPool2d(3), (1, 4, 10, 7)),
    (nn.AdaptiveMaxPool2d(6), (1, 4, 1, 2)),
    (nn.AdaptiveMaxPool1d(3), (1, 4, 10)),
]


def traced(module: nn.Module, example: Tensor) -> torch.jit.ScriptModule:
    result: torch.jit.ScriptModule = torch.jit.trace(module.eval(), example, check_trace=False)
    return result


def poolings(module: torch.jit.ScriptModule) -> list[str]:
    return [n.kind() for n in module.inlined_graph.nodes() if "adaptive" in n.kind()]


@pytest.mark.parametrize(("pooling", "shape"), POOLINGS, ids=lambda value: str(value))
def test_the_same_is_computed_and_exported(pooling: nn.Module, shape: tuple[int, ...]) -> None:
    example = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    trace = traced(nn.Sequential(nn.ReLU(), pooling), example)
    plain = with_plain_pooling(trace, example)
    assert poolings(trace) and not poolings(plain)
    batch = torch.randn(3, *shape[1:], generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(plain(batch), trace(batch), rtol=0, atol=1e-6)
    torch.onnx.export(plain, (example,), io.BytesIO(), opset_version=17, dynamo=False)


@pytest.mark.parametrize("pooling", [nn.AdaptiveAvgPool2d(4), nn.AdaptiveAvgPool2d(1)])
def test_equal_windows_stay(pooling: nn.Module) -> None:
    example = torch.rand(1, 4, 8, 8)
    trace = traced(pooling, example)
    assert with_plain_pooling(trace, example) is trace


def test_a_maximum_whose_positions_are_used_stays() -> None:
    class Positions(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            maximum, where = nn.functional.adaptive_max_pool2d(x, 3, return_indices=True)
            return maximum + where

    example = torch.rand(1, 4, 10, 10)
    trace = traced(Positions(), example)
    plain = with_plain_pooling(trace, example)
    assert poolings(plain) == ["aten::adaptive_max_pool2d"]
    assert torch.equal(plain(example), trace(example))


def test_windows_cover_everything() -> None:
    assert windows(1, 3) == [range(1)] * 3
    assert windows(10, 3) == [range(4), range(3, 7), range(6, 10)]


class Pools(nn.Module):
    """A small network with an average and a maximum of unequal windows, as a script in a trace."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, stride=4, padding=1), nn.ReLU())
        self.average, self.maximum = nn.AdaptiveAvgPool2d(3), nn.AdaptiveMaxPool2d(5)
        self.head = nn.Linear(8 * (9 + 25), len(EMOTIONS))

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.features(pixels)
        pooled = torch.cat([self.average(x).flatten(1), self.maximum(x).flatten(1)], dim=1)
        logits: Tensor = self.head(pooled)
        return logits


def test_it_becomes_every_artefact(
    ferconv: Ferconv, tmp_path: Path, faces: Path, emotionkit: Path
) -> None:
    torch.manual_seed(0)
    checkpoint = tmp_path / "pools.pt"
    save_script(Pools().eval(), checkpoint)
    ran = ferconv(
        *("build", "--checkpoint", checkpoint, "--out", tmp_path / "build", "--fixtures", faces),
        *("--emotionkit", emotionkit, "--labels", "affectnet-folders"),
        *("--preprocess", json.dumps(SPEC.to_dict())),
    )
    assert ran.code == 0, ran.err + ran.out
