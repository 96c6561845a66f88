"""What is read off a TorchScript graph."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from fer_convert.source.graph import batch_sizes, before_softmax, end_of, training_operations
from tests.fer_convert.nets import tiny_network


class Applied(nn.Module):
    def __init__(self, function: Callable[[Tensor], object], *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.function = function

    def forward(self, x: Tensor) -> object:
        return self.function(self.layers(x))


def _traced(network: nn.Module, *, images: int = 2) -> torch.jit.ScriptModule:
    example = torch.rand(images, 3, 32, 32)
    return torch.jit.trace(network, example, check_trace=False, strict=False)


@pytest.mark.parametrize(
    ("network", "found"),
    [
        (Applied(lambda x: x, nn.BatchNorm2d(3)), ["batch_norm"]),
        (Applied(lambda x: x, nn.Dropout(0.5), nn.BatchNorm2d(3)), ["dropout", "batch_norm"]),
        (Applied(lambda x: x, nn.Dropout2d(0.5), nn.Dropout2d(0.5)), ["feature_dropout"]),
        (Applied(lambda x: x * torch.rand_like(x)), ["rand_like"]),
    ],
)
def test_training_mode_is_seen_and_evaluation_is_not_taken_for_it(
    network: nn.Module, found: list[str]
) -> None:
    assert training_operations(_traced(network.train())) == found
    if "rand_like" not in found:
        assert training_operations(_traced(network.eval())) == []


def test_what_eval_cannot_undo_is_seen_in_evaluation_mode_too() -> None:
    always = Applied(lambda x: functional.dropout(x, 0.5)).eval()
    assert training_operations(_traced(always)) == ["dropout"]
    no_statistics = Applied(lambda x: x, nn.BatchNorm2d(3, track_running_stats=False)).eval()
    assert training_operations(_traced(no_statistics)) == ["batch_norm"]


def test_a_scripted_module_follows_its_mode_and_instance_norm_is_none() -> None:
    layers = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(0.5), nn.InstanceNorm2d(3))
    assert training_operations(torch.jit.script(layers.eval())) == []


@pytest.mark.parametrize(
    ("function", "end"),
    [
        (lambda x: x.mean((2, 3)).softmax(1), "aten::softmax"),
        (lambda x: (x.mean((2, 3)).softmax(1) * 100).reshape(-1, 3), "aten::softmax"),
        (lambda x: x.mean((2, 3)).sigmoid() / 2, "aten::sigmoid"),
        (lambda x: x.mean((2, 3)), "aten::mean"),
        (lambda x: x.mean((2, 3)) * x.amax((2, 3)), "aten::mul"),
    ],
)
def test_the_end_is_found_behind_shapes_and_factors(
    function: Callable[[Tensor], object], end: str
) -> None:
    assert end_of(_traced(Applied(function)), ()) == end


def test_the_end_of_one_output_among_others() -> None:
    program = _traced(Applied(lambda x: ({"a": x.sigmoid(), "b": x.tanh()}, x.exp())))
    assert end_of(program, (0, "b")) == "aten::tanh"
    assert end_of(program, (1,)) == "aten::exp"
    assert end_of(program, (0, "c")) is None


def test_cutting_leaves_the_original_alone() -> None:
    program = _traced(Applied(lambda s: s.softmax(1), tiny_network()))
    pixels = torch.rand(2, 3, 32, 32)
    cut = before_softmax(program, ())
    assert cut is not None
    assert torch.allclose(cut(pixels), tiny_network()(pixels), atol=1e-6)
    assert torch.allclose(program(pixels).sum(1), torch.ones(2))
    assert before_softmax(cut, ()) is None


def test_batch_sizes_are_those_that_stand_first_in_a_shape() -> None:
    program = _traced(Applied(lambda x: x.view(5, -1).reshape(1, -1)), images=5)
    assert batch_sizes(program) == [5]
    assert batch_sizes(_traced(Applied(lambda x: x.flatten(1)), images=5)) == []
