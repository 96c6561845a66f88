"""The module every artefact is made from: pixels in, probabilities and logits out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fer_convert.source.model import Source
from fer_train.contract.network import PixelNormalizer


class ExportableNetwork(nn.Module):
    """RGB 0..255 float ``[N, 3, S, S]`` -> (probabilities, logits), each ``[N, K]``.

    The pixel contract is inside, so an app cannot normalise twice or forget to; and so is the
    temperature: the logits are divided by it, so that probabilities are their softmax.
    """

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.normalizer = PixelNormalizer(source.preprocess)
        self.network = source.network
        self.temperature = source.temperature
        self.eval()
        self.requires_grad_(False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        logits: Tensor = self.network(self.normalizer(image))
        if self.temperature != 1.0:  # a trace without it is the network as it always was
            logits = logits / self.temperature
        return torch.softmax(logits, dim=1), logits


class ProbabilitiesOnly(nn.Module):
    """Drops the logits: a Core ML classifier has one tensor output, which it turns into a label."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        probabilities: Tensor = self.network(image)[0]
        return probabilities


def example_input(source: Source) -> Tensor:
    """Return a mid-grey image ``[1, 3, S, S]`` to trace with."""
    side = source.preprocess.input_size
    return torch.full((1, 3, side, side), 127.5)
