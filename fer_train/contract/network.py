"""The part of the pixel contract inside the network.

Training's evaluation and every export use this one implementation, so the normalisation on the
phone cannot differ from the one that was validated.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fer_train.contract.preprocess import LUMA, PreprocessSpec


def normalizer_weights(spec: PreprocessSpec) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the colour rule and the normalisation as one affine map of RGB 0..255.

    ``y[c] = sum_k(matrix[c, k] * rgb[k]) + offset[c]``; exact per channel, folded in float64.

    Returns:
        ``matrix`` [3, 3] and ``offset`` [3].
    """
    mean, std = np.asarray(spec.mean), np.asarray(spec.std)
    mix = {"gray": np.tile(LUMA, (3, 1)), "rgb": np.eye(3), "bgr": np.eye(3)[::-1]}[spec.color]
    return mix / (255.0 * std[:, None]), -mean / std


class PixelNormalizer(nn.Module):
    """RGB 0..255 float ``[N, 3, H, W]`` -> what the backbone was trained on, same shape.

    One 1x1 convolution: luma (when the spec says gray) and per-channel mean and std together.
    Core ML's own image ``scale`` is a single number and cannot express a per-channel std.
    """

    def __init__(self, spec: PreprocessSpec) -> None:
        super().__init__()
        matrix, offset = normalizer_weights(spec)
        self.affine = nn.Conv2d(3, 3, kernel_size=1)
        self.affine.requires_grad_(False)
        self.affine.weight.copy_(torch.from_numpy(matrix)[:, :, None, None])
        assert self.affine.bias is not None
        self.affine.bias.copy_(torch.from_numpy(offset))

    def forward(self, rgb: Tensor) -> Tensor:
        normalised: Tensor = self.affine(rgb)
        return normalised
