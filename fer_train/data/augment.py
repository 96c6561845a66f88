"""Augmentation of a whole batch, each image with its own draw.

All geometry (random resized crop, rotation, translation, flip) is composed into one affine map per
image and the pixels are resampled once. Three things follow: no blur from repeated resampling; the
corners a rotation uncovers show the photo around the crop where there is one; and one call handles
the batch on any device. Colour comes before greyscale and normalisation, which belong to the
contract (`contract.network.PixelNormalizer`).

Stored images are 1.15 times the input size (`data.batches`), too little for plain bilinear sampling
to alias. Only where small crops are asked for are they larger, and large crops of them averaged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from fer_train.contract.preprocess import LUMA

#: Draws of crop area and shape before the whole image is taken, as torchvision does.
_CROP_TRIES = 10


#: Stored pixels from one output pixel to the next up to which one bilinear sample is enough: larger
#: steps skip pixels and show patterns that are not there. Then several samples are averaged, this
#: many pixels apart at most.
_PLAIN_STEP, _AVERAGED_STEP = 1.25, 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentSpec:
    """How far each augmentation may go.

    Attributes:
        crop_area: share of the image area a random crop keeps. torchvision's default starts at
            0.08, which can leave only a cheek of a face.
        crop_ratio: width / height of the crop. Faces are cropped tightly already: torchvision's
            3/4 to 4/3 would change their proportions more than people differ.
        rotation: degrees either way.
        translation: share of the side, either way, per axis.
        flip: probability of a horizontal flip.
        brightness, contrast, saturation: factors are drawn from ``1 - x`` to ``1 + x``.
    """

    crop_area: tuple[float, float] = (0.8, 1.0)
    crop_ratio: tuple[float, float] = (0.9, 1.1)
    rotation: float = 10.0
    translation: float = 0.05
    flip: float = 0.5
    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2

    @property
    def tightest_crop(self) -> float:
        """The shortest side that a random crop may have, as a share of the image's side."""
        narrow, wide = self.crop_ratio
        return math.sqrt(self.crop_area[0] / max(wide, 1 / narrow))

    def scaled(self, strength: float) -> AugmentSpec:
        """Return every reach multiplied by ``strength``: 1 leaves it, 0 augments nothing."""
        low, high = self.crop_area
        narrow, wide = self.crop_ratio
        return AugmentSpec(
            crop_area=(1 - strength * (1 - low), 1 - strength * (1 - high)),
            crop_ratio=(narrow**strength, wide**strength),
            rotation=strength * self.rotation,
            translation=strength * self.translation,
            flip=strength * self.flip,
            brightness=strength * self.brightness,
            contrast=strength * self.contrast,
            saturation=strength * self.saturation,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentDraw:
    """One draw per image of a batch of B; float32 unless said otherwise.

    Attributes:
        crop: [B, 4], centre x, centre y (-1..1 across the image), width, height (0..1 of it).
        angle: [B], radians, counter-clockwise as seen.
        shift: [B, 2], right and down, as a share of the side.
        flip: [B], bool.
        brightness, contrast, saturation: [B], factors.
    """

    crop: Tensor
    angle: Tensor
    shift: Tensor
    flip: Tensor
    brightness: Tensor
    contrast: Tensor
    saturation: Tensor


def draw(spec: AugmentSpec, count: int, *, random: np.random.Generator) -> AugmentDraw:
    """Draw the augmentation of ``count`` images on the CPU."""
    crop = _draw_crops(spec, count, random)
    angle = np.deg2rad(random.uniform(-spec.rotation, spec.rotation, count))
    shift = random.uniform(-spec.translation, spec.translation, (count, 2))
    flip = random.random(count) < spec.flip
    factors = {
        name: random.uniform(max(0.0, 1 - reach), 1 + reach, count)
        for name, reach in (
            ("brightness", spec.brightness),
            ("contrast", spec.contrast),
            ("saturation", spec.saturation),
        )
    }
    return AugmentDraw(
        crop=_float32(crop),
        angle=_float32(angle),
        shift=_float32(shift),
        flip=torch.from_numpy(flip),
        **{name: _float32(values) for name, values in factors.items()},
    )


def augment(images: Tensor, drawn: AugmentDraw, *, size: int) -> Tensor:
    """Apply a draw: RGB 0..255 float ``[B, 3, S, S]`` -> RGB 0..255 ``[B, 3, size, size]``."""
    moved = resample(images, affine_maps(drawn).to(images.device), size=size)
    return jitter(moved, drawn)


def affine_maps(drawn: AugmentDraw) -> Tensor:
    """Compose the geometry into maps from output to source coordinates, ``[B, 2, 3]``.

    Both run from -1 to 1 across the image, edge to edge. Read as an output point travelling
    back: undo the flip, undo the shift, undo the rotation, enter the crop.
    """
    cos, sin = drawn.angle.cos(), drawn.angle.sin()
    mirror = torch.where(drawn.flip, -1.0, 1.0)
    right, down = 2 * drawn.shift[:, 0], 2 * drawn.shift[:, 1]
    centre_x, centre_y, width, height = drawn.crop.unbind(1)
    row_x = torch.stack(
        [width * cos * mirror, -width * sin, width * (down * sin - right * cos) + centre_x], dim=1
    )
    row_y = torch.stack(
        [height * sin * mirror, height * cos, -height * (right * sin + down * cos) + centre_y],
        dim=1,
    )
    return torch.stack([row_x, row_y], dim=1)


def resample(images: Tensor, maps: Tensor, *, size: int) -> Tensor:
    """Sample ``[B, 3, S, S]`` bilinearly through ``maps``; black outside the image.

    Where S is more than 1.25 times ``size``, each output pixel is the mean of several samples over
    its whole area, as many for every image of whatever crop.
    """
    step = images.shape[-1] / size
    density = 1 if step <= _PLAIN_STEP else max(2, math.ceil(step / _AVERAGED_STEP))
    shape = [len(images), images.shape[1], size * density, size * density]
    grid = F.affine_grid(maps, shape, align_corners=False)
    sampled = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    # Zero padding inside grid_sample would also darken the outermost half pixel of the image
    # itself; what lies outside is cut off here instead.
    inside = (grid.abs() <= 1).all(dim=-1)
    sampled = sampled * inside.unsqueeze(1)
    return sampled if density == 1 else F.avg_pool2d(sampled, density)


def jitter(images: Tensor, drawn: AugmentDraw) -> Tensor:
    """Change brightness, contrast, saturation of RGB 0..255 ``[B, 3, H, W]``, clamped after each.

    The definitions are torchvision's: contrast blends with the image's mean luma, saturation with
    each pixel's luma.
    """
    brightness, contrast, saturation = (
        factor.to(images.device).view(-1, 1, 1, 1)
        for factor in (drawn.brightness, drawn.contrast, drawn.saturation)
    )
    images = (images * brightness).clamp(0, 255)
    mean = _luma(images).mean(dim=(1, 2, 3), keepdim=True)
    images = (mean + contrast * (images - mean)).clamp(0, 255)
    grey = _luma(images)
    return (grey + saturation * (images - grey)).clamp(0, 255)


def _draw_crops(spec: AugmentSpec, count: int, random: np.random.Generator) -> NDArray[np.float64]:
    area = random.uniform(*spec.crop_area, (count, _CROP_TRIES))
    low, high = (math.log(ratio) for ratio in spec.crop_ratio)
    ratio = np.exp(random.uniform(low, high, (count, _CROP_TRIES)))
    widths, heights = np.sqrt(area * ratio), np.sqrt(area / ratio)
    fits = (widths <= 1) & (heights <= 1)
    rows, first = np.arange(count), fits.argmax(axis=1)
    found = fits.any(axis=1)
    width = np.where(found, widths[rows, first], 1.0)
    height = np.where(found, heights[rows, first], 1.0)
    # The centre of a window of width w may lie from -(1 - w) to 1 - w.
    centre_x = random.uniform(-1, 1, count) * (1 - width)
    centre_y = random.uniform(-1, 1, count) * (1 - height)
    return np.stack([centre_x, centre_y, width, height], axis=1)


def _luma(images: Tensor) -> Tensor:
    weights = torch.tensor(LUMA, device=images.device).view(1, 3, 1, 1)
    return (images * weights).sum(dim=1, keepdim=True)


def _float32(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
