"""torchvision's classifiers with seeded weights that answer differently on different pictures."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

CLASSES = 10
#: Network -> side of its input, reduced where that is slow and the network allows it. The smallest
#: of each family; the project's six come last, as they are the largest.
SIZES = {
    "alexnet": 224, "squeezenet1_1": 64, "mobilenet_v2": 64, "mobilenet_v3_small": 64,
    "mnasnet0_5": 64, "shufflenet_v2_x0_5": 64, "resnet18": 64, "vit_b_16": 224, "maxvit_t": 224,
    "swin_t": 224, "swin_v2_t": 224, "convnext_tiny": 64, "regnet_x_400mf": 64,
    "regnet_y_400mf": 64, "googlenet": 64, "vgg11": 224, "resnext50_32x4d": 64,
    "wide_resnet50_2": 64, "inception_v3": 96, "efficientnet_v2_s": 64, "efficientnet_b0": 64,
    "densenet121": 64, "resnet101": 64, "resnet152": 64, "densenet161": 64, "densenet201": 64,
}  # fmt: skip


def family(name: str) -> str:
    """``wide_resnet50_2`` -> ``wide_resnet``, ``swin_v2_t`` -> ``swin_v2``, ``vit_b_16`` ->
    ``vit``: a name up to its size."""
    found = re.match(r"(wide_)?[a-z]+(_v\d|_[xy](?=_))?", name)
    assert found is not None
    return found[0]


def missing_families() -> set[str]:
    """The families that torchvision lists among its classifiers and `SIZES` does not."""
    from torchvision import models

    return set(map(family, models.list_models(module=models))) - set(map(family, SIZES))


class Classifier(nn.Module):
    """Pixels 0..255 -> (probabilities, logits), the normalisation inside, as `ferconv` exports."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.network(image / 127.5 - 1.0)
        return torch.softmax(logits, dim=1), logits


def pictures(size: int, count: int, seed: int) -> np.ndarray[Any, Any]:
    """Seeded RGB images ``[count, size, size, 3]``: in turn noise, waves and blocks, so that even
    an untrained network answers differently."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] / size
    result = []
    for index in range(count):
        noise = rng.uniform(0, 255, (size, size, 3))
        phases, tilt = rng.uniform(0, 6, 3), rng.uniform(-25, 25, (3, 2))
        waves = np.sin(x[..., None] * tilt[:, 0] + y[..., None] * tilt[:, 1] + phases) * 127 + 128
        coarse = rng.uniform(0, 255, (4, 4, 3))
        blocks = coarse.repeat(-(-size // 4), 0).repeat(-(-size // 4), 1)[:size, :size]
        kind = (noise, waves, blocks)[index % 3]
        result.append(0.9 * kind + 0.1 * noise)
    return np.stack(result).astype(np.uint8)


def as_batch(images: np.ndarray[Any, Any]) -> Tensor:
    """``[N, S, S, 3]`` -> float ``[N, 3, S, S]``."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float()


def build(name: str) -> Classifier:
    """A random network whose answers are not degenerate."""
    import torchvision

    torch.manual_seed(7)
    options: dict[str, Any] = {"num_classes": CLASSES}
    if name in {"googlenet", "inception_v3"}:
        options |= {"aux_logits": False, "init_weights": False, "transform_input": False}
    classifier = Classifier(getattr(torchvision.models, name)(weights=None, **options)).eval()
    last = [m for m in classifier.modules() if isinstance(m, nn.Linear | nn.Conv2d)][-1]
    calibrate(classifier, last, SIZES[name])
    return classifier.requires_grad_(False)


@torch.no_grad()
def calibrate(classifier: Classifier, last: nn.Module, size: int) -> None:
    """Make the answers of a random network, in evaluation mode, differ from picture to picture.

    Constant parameters (zero heads, layer scales of 1e-6, norms) become random, batch norms take
    their statistics from two batches, and the last layer is centred and scaled on them.
    """
    assert isinstance(last, nn.Linear | nn.Conv2d)
    for parameter in classifier.parameters():
        if parameter.std(correction=0) == 0:
            mean = parameter.mean().round()
            parameter.copy_(mean + 0.1 * torch.randn_like(parameter))
    norms = [m for m in classifier.modules() if isinstance(m, nn.BatchNorm2d)]
    batches = [as_batch(pictures(size, 6, seed)) for seed in (1, 2)]
    for norm in norms:
        norm.train()
        norm.momentum = None  # the plain average of all batches
    for batch in batches if norms else ():
        classifier(batch)
    classifier.eval()

    logits = torch.cat([classifier(batch)[1] for batch in batches])
    gain = 2 / logits.std(0).mean()
    last.weight.mul_(gain)
    if last.bias is not None:
        if isinstance(last, nn.Linear):  # squeezenet ends in a convolution and a ReLU
            last.bias.sub_(logits.mean(0))
        last.bias.mul_(gain)
