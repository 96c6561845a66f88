"""Whatever a program returns, its probabilities are the ones its owner would compute."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from fer_convert.source.scores import Adapted, adapt
from fer_train.contract.errors import CheckpointError, LabelMismatch, NonFiniteWeights
from fer_train.contract.preprocess import PreprocessSpec
from tests.fer_convert.nets import tiny_network

LABELS = tuple("abcdefgh")
SPEC = PreprocessSpec(input_size=32)


class Tail(nn.Module):
    def __init__(self, tail: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.network = tiny_network()
        self.tail = tail

    def forward(self, pixels: Tensor) -> object:
        return self.tail(self.network(pixels))


def _traced(network: nn.Module, *shape: int) -> torch.jit.ScriptModule:
    example = torch.rand(shape or (1, 3, 32, 32))
    return torch.jit.trace(network, example, check_trace=False, strict=False)


def _adapted(
    tail: Callable[[Tensor], object], *, output: str | None = None, labels: tuple[str, ...] = LABELS
) -> Adapted:
    program = _traced(Tail(tail).eval())
    return adapt(program, spec=SPEC, labels=labels, output=output, file=Path("model.pt"))


def _pixels(count: int = 1) -> Tensor:
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize(
    ("tail", "note"),
    [
        (lambda s: s, ""),
        (lambda s: s.softmax(1), "cut off"),
        (lambda s: s.softmax(-1), "cut off"),
        (lambda s: 100 * s.softmax(1), "sum to 100"),
        (lambda s: s.softmax(1)[:, :, None, None], "cut off"),
        (lambda s: s.exp() / s.exp().sum(1, keepdim=True), "logarithms are taken"),
        (lambda s: 50 * s.exp() / s.exp().sum(1, keepdim=True), "sum to 50"),
        (lambda s: s.log_softmax(1), "log-softmax stays"),
        (lambda s: s - s.exp().sum(1, keepdim=True).log(), "log-softmax stays"),
        (lambda s: s.softmax(1).squeeze(), "cut off"),
    ],
)
def test_the_probabilities_are_those_of_the_network_inside(
    tail: Callable[[Tensor], object], note: str
) -> None:
    adapted = _adapted(tail)
    expected = tiny_network()(_pixels()).softmax(1)
    seen = adapted.network(_pixels()).softmax(1)
    assert float((seen - expected).abs().max()) < 1e-6
    assert note in " ".join(adapted.notes)
    assert bool(adapted.notes) == bool(note)


def test_a_plain_classifier_is_left_as_it_is() -> None:
    program = _traced(tiny_network())
    adapted = adapt(program, spec=SPEC, labels=LABELS, output=None, file=Path("model.pt"))
    assert adapted.network is program


def test_scores_that_sum_to_one_by_chance_stay_logits() -> None:
    """A linear end decides: on one picture a sum of 1 would have proved nothing."""
    network = tiny_network()
    with torch.no_grad():
        network[6].weight.zero_()
        network[6].bias.fill_(1 / len(LABELS))
    program = _traced(network)
    adapted = adapt(program, spec=SPEC, labels=LABELS, output=None, file=Path("model.pt"))
    assert adapted.notes == () and adapted.network is program


def test_the_given_program_keeps_its_softmax() -> None:
    program = _traced(Tail(lambda s: s.softmax(1)).eval())
    before = program(_pixels())
    adapt(program, spec=SPEC, labels=LABELS, output=None, file=Path("model.pt"))
    assert torch.equal(program(_pixels()), before)


@pytest.mark.parametrize(
    ("tail", "reason"),
    [
        (lambda s: s.sigmoid(), "ends in a sigmoid"),
        (lambda s: 100 * s.sigmoid(), "ends in a sigmoid"),
        (lambda s: 1 / (1 + (-s).exp()), "between 0 and 1"),
    ],
)
def test_independent_scores_are_refused(tail: Callable[[Tensor], object], reason: str) -> None:
    with pytest.raises(CheckpointError, match=reason):
        _adapted(tail)


@pytest.mark.parametrize(
    ("wanted", "way"),
    [("0", (0,)), ("1.scores", (1, "scores"))],
)
def test_an_output_is_chosen_by_position_and_name(wanted: str, way: tuple[int | str, ...]) -> None:
    adapted = _adapted(lambda s: (s, {"scores": s.flip(1), "other": s * 2}), output=wanted)
    assert adapted.way == way
    expected = tiny_network()(_pixels())
    expected = expected if wanted == "0" else expected.flip(1)
    assert torch.allclose(adapted.network(_pixels()), expected)


def test_a_softmax_in_one_of_several_outputs_is_cut_there() -> None:
    adapted = _adapted(lambda s: (s.repeat(1, 2), s.softmax(1)), output="1")
    expected = tiny_network()(_pixels())
    assert torch.allclose(adapted.network(_pixels()), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("tail", "wanted", "message"),
    [
        (lambda s: (s, s), None, r"returns 2 outputs: 0 \[1, 8\]; 1 \[1, 8\]"),
        (lambda s: (s, s), "2", "no output '2'"),
        (lambda s: s, "logits", "no output 'logits'"),
        (lambda s: s.argmax(1), None, "expected one row of scores"),
        (lambda s: s[:, :, None].repeat(1, 1, 4), None, r"\[1, 8, 4\]"),
    ],
)
def test_an_unclear_output_is_named(
    tail: Callable[[Tensor], object], wanted: str | None, message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        _adapted(tail, output=wanted)


def test_an_only_output_may_be_called_0() -> None:
    assert _adapted(lambda s: s, output="0").way == ()


def test_another_number_of_classes_is_refused() -> None:
    with pytest.raises(LabelMismatch, match="8 outputs but --labels names 7"):
        _adapted(lambda s: s, labels=LABELS[:7])


def test_an_answer_that_is_not_finite_is_refused() -> None:
    with pytest.raises(NonFiniteWeights, match="NaN"):
        _adapted(lambda s: s / 0)


def test_a_batch_baked_in_answers_each_image_as_alone() -> None:
    class Viewed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = tiny_network()

        def forward(self, pixels: Tensor) -> Tensor:
            scores: Tensor = self.network(pixels)
            return scores.view(4, 8)

    program = _traced(Viewed().eval(), 4, 3, 32, 32)
    adapted = adapt(program, spec=SPEC, labels=LABELS, output=None, file=Path("model.pt"))
    assert adapted.form.batch == 4
    assert torch.allclose(adapted.network(_pixels()), tiny_network()(_pixels()), atol=1e-6)
    assert "computed 4 times" in " ".join(adapted.notes)
