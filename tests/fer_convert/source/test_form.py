"""In which form a network takes an image, found by trying."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from fer_convert.source.form import Form, find_form
from fer_train.contract.errors import CheckpointError
from fer_train.contract.preprocess import PreprocessSpec

GREY = PreprocessSpec(input_size=48, color="gray", mean=(0.5,) * 3, std=(0.5,) * 3)


def _find(
    network: nn.Module, spec: PreprocessSpec = GREY, *, batches: tuple[int, ...] = ()
) -> Form:
    return find_form(Path("model.pt"), network, spec=spec, batches=batches)


@pytest.mark.parametrize(
    ("channels", "expected"),
    [(3, Form()), (1, Form(channels=1))],
)
def test_channels(channels: int, expected: Form) -> None:
    assert _find(nn.Conv2d(channels, 2, 3)) == expected


def test_channels_last() -> None:
    assert _find(nn.Linear(3, 2)) == Form(layout="NHWC")
    assert _find(nn.Linear(1, 2)) == Form(channels=1, layout="NHWC")


def test_a_batch_is_tried_only_where_one_image_is_refused() -> None:
    class Viewed(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            return pixels.view(4, 3 * 48 * 48)

    assert _find(Viewed(), batches=(2, 4)) == Form(batch=4)
    assert _find(nn.Conv2d(3, 2, 3), batches=(4,)) == Form()


def test_arranging_moves_every_number_to_its_place() -> None:
    pixels = torch.arange(3 * 4).reshape(1, 3, 2, 2).float()
    assert torch.equal(Form(channels=1).arrange(pixels), pixels[:, :1])
    last = Form(layout="NHWC", batch=2).arrange(pixels)
    assert list(last.shape) == Form(layout="NHWC", batch=2).shape(2) == [2, 2, 2, 3]
    assert float(last[1, 0, 1, 2]) == float(pixels[0, 2, 0, 1])


def test_the_usual_size_that_it_accepts_is_named() -> None:
    flat = nn.Sequential(nn.Flatten(), nn.Linear(64 * 64, 7))
    with pytest.raises(CheckpointError) as caught:
        _find(flat)
    assert "It accepts 64 px" in str(caught.value)


def test_otherwise_its_own_words_are_passed_on() -> None:
    with pytest.raises(CheckpointError, match="does not accept") as caught:
        _find(nn.Conv2d(5, 2, 3))
    assert "expected input" in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (PreprocessSpec(color="rgb", mean=(0.5,) * 3, std=(0.5,) * 3), "says color rgb"),
        (PreprocessSpec(color="gray"), "one for each of three"),
    ],
)
def test_one_channel_and_colour_contradict_each_other(spec: PreprocessSpec, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        _find(nn.Conv2d(1, 2, 3), spec)
