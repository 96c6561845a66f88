"""A foreign network behind the interface that all of ``ferconv`` expects."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fer_convert.source.form import Form
from fer_convert.source.outputs import Way, at, rows

#: Stands for probability 0 in a logarithm, so that every logit is finite: the smallest number above
#: 0 that half precision has.
LEAST_PROBABILITY = 2.0**-24


class Adapter(nn.Module):
    """Normalised pixels ``[N, 3, S, S]`` -> logits ``[N, K]``, by a network of another form.

    Args:
        network: takes pixels in ``form`` and returns its scores at the end of ``output``.
        total: what its scores sum to, if they are probabilities: the logits are then their
            logarithms. None if they are logits already.
    """

    def __init__(self, network: nn.Module, *, form: Form, output: Way, total: float | None) -> None:
        super().__init__()
        self.network = network
        self.form = form
        self.output = output
        self.total = total

    def forward(self, pixels: Tensor) -> Tensor:
        form = self.form
        scores = rows(at(self.network(form.arrange(pixels)), self.output), form.batch)
        if form.batch > 1:
            scores = scores[:1]
        if self.total is not None:
            scores = torch.log(torch.clamp(scores / self.total, min=LEAST_PROBABILITY))
        return scores
