"""The one-resampling augmentation against torchvision's operators, one at a time and together."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2 import functional as TF

from fer_train.data.augment import (
    AugmentDraw,
    AugmentSpec,
    affine_maps,
    augment,
    draw,
    jitter,
    resample,
)

SIZE = 48


def identity(count: int = 1) -> AugmentDraw:
    return AugmentDraw(
        crop=torch.tensor([[0.0, 0.0, 1.0, 1.0]]).repeat(count, 1),
        angle=torch.zeros(count),
        shift=torch.zeros(count, 2),
        flip=torch.zeros(count, dtype=torch.bool),
        brightness=torch.ones(count),
        contrast=torch.ones(count),
        saturation=torch.ones(count),
    )


@pytest.fixture
def picture() -> Tensor:
    """A smooth colour picture, [1, 3, 48, 48] in 0..255."""
    coarse = torch.rand(1, 3, 7, 7, generator=torch.Generator().manual_seed(0)) * 255
    return F.interpolate(coarse, size=(SIZE, SIZE), mode="bicubic", align_corners=False).clamp(
        0, 255
    )


def moved(picture: Tensor, drawn: AugmentDraw, size: int = SIZE) -> Tensor:
    return resample(picture, affine_maps(drawn), size=size)


def test_identity_changes_nothing(picture: Tensor) -> None:
    torch.testing.assert_close(augment(picture, identity(), size=SIZE), picture, atol=1e-3, rtol=0)


def test_flip_is_torchvisions(picture: Tensor) -> None:
    flipped = moved(picture, replace(identity(), flip=torch.tensor([True])))
    torch.testing.assert_close(flipped, TF.horizontal_flip(picture), atol=1e-3, rtol=0)


@pytest.mark.parametrize("degrees", [-10.0, 4.0, 10.0])
def test_rotation_is_torchvisions(picture: Tensor, degrees: float) -> None:
    rotated = moved(picture, replace(identity(), angle=torch.tensor([math.radians(degrees)])))
    expected = TF.rotate(picture, degrees, interpolation=TF.InterpolationMode.BILINEAR)
    inner = slice(8, -8)  # torchvision blends the outermost pixels with black
    torch.testing.assert_close(
        rotated[..., inner, inner], expected[..., inner, inner], atol=0.05, rtol=0
    )


@pytest.mark.parametrize("pixels", [(4, 0), (0, -3), (-2, 4)])
def test_translation_is_torchvisions(picture: Tensor, pixels: tuple[int, int]) -> None:
    shift = torch.tensor([pixels], dtype=torch.float32) / SIZE
    shifted = moved(picture, replace(identity(), shift=shift))
    expected = TF.affine(picture, angle=0, translate=list(pixels), scale=1.0, shear=[0.0, 0.0])
    torch.testing.assert_close(shifted, expected, atol=0.05, rtol=0)


def test_crop_is_torchvisions_resized_crop(picture: Tensor) -> None:
    top, left, height, width = 6, 12, 30, 24
    centre_x, centre_y = 2 * (left + width / 2) / SIZE - 1, 2 * (top + height / 2) / SIZE - 1
    crop = torch.tensor([[centre_x, centre_y, width / SIZE, height / SIZE]])
    cropped = moved(picture, replace(identity(), crop=crop))
    # Enlarging: torchvision's antialiasing plays no part.
    expected = TF.resized_crop(picture, top, left, height, width, [SIZE, SIZE])
    inner = slice(2, -2)  # at the crop's edge torchvision repeats pixels, here the photo goes on
    torch.testing.assert_close(
        cropped[..., inner, inner], expected[..., inner, inner], atol=0.05, rtol=0
    )


def test_everything_composed_equals_torchvisions_chain(picture: Tensor) -> None:
    top, left, side, degrees, pixels = 4, 8, 36, 7.0, (3, -2)
    crop = torch.tensor([[2 * (left + 18) / SIZE - 1, 2 * (top + 18) / SIZE - 1, 0.75, 0.75]])
    composed = moved(
        picture,
        replace(
            identity(),
            crop=crop,
            angle=torch.tensor([math.radians(degrees)]),
            shift=torch.tensor([pixels], dtype=torch.float32) / SIZE,
            flip=torch.tensor([True]),
        ),
    )
    chain = TF.resized_crop(picture, top, left, side, side, [SIZE, SIZE])
    chain = TF.rotate(chain, degrees, interpolation=TF.InterpolationMode.BILINEAR)
    chain = TF.affine(chain, angle=0, translate=list(pixels), scale=1.0, shear=[0.0, 0.0])
    chain = TF.horizontal_flip(chain)
    inner = slice(10, -10)
    difference = (composed - chain)[..., inner, inner].abs()
    # The chain resamples twice, so it is a little smoother; a wrong order or sign is off by tens.
    assert difference.mean() < 1.0
    assert difference.max() < 6.0


def test_mild_reduction_needs_no_prefilter(picture: Tensor) -> None:
    stored = F.interpolate(picture, size=(56, 56), mode="bicubic").clamp(0, 255)
    reduced = moved(stored, identity())
    expected = TF.resize(stored, [SIZE, SIZE], antialias=True)
    assert (reduced - expected).abs().mean() < 1.0


def test_a_large_reduction_shows_no_pattern_that_is_not_there() -> None:
    """Stripes of one pixel are grey from afar; plain sampling of every fourth makes bands."""
    side = 4 * SIZE + 1
    stripes = (torch.arange(side) % 2 * 255.0).expand(1, 3, side, side)
    expected = TF.resize(stripes, [SIZE, SIZE], antialias=True)
    plain = TF.resize(stripes, [SIZE, SIZE], antialias=False)
    reduced = moved(stripes, identity())
    inner = slice(2, -2)
    # What is to be avoided: bands of half the contrast.
    assert plain[..., inner].max() - plain[..., inner].min() > 100
    assert (reduced - expected)[..., inner].abs().max() < 20
    # Noise, turned and cropped as well: the mean over each pixel's area, not a sample of it.
    noise = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)) * 255
    difference = (moved(noise, identity()) - TF.resize(noise, [SIZE, SIZE], antialias=True)).abs()
    naive = TF.resize(noise, [SIZE, SIZE], antialias=False)
    assert difference.mean() < 0.5 * (naive - TF.resize(noise, [SIZE, SIZE])).abs().mean()
    turned = moved(noise, replace(identity(), angle=torch.tensor([math.radians(30)])))
    assert turned[..., 14:-14, 14:-14].std() < 0.5 * naive.std()


def test_a_small_crop_of_what_is_stored_is_as_sharp_as_one_of_the_original() -> None:
    """8 % of 224 px, as --preset original crops; of the 56 px of before it was a blurred scrap."""
    cells = torch.rand(1, 3, 28, 28, generator=torch.Generator().manual_seed(0)) * 255
    original = F.interpolate(cells, size=(224, 224), mode="bicubic").clamp(0, 255)
    expected = TF.resized_crop(original, 80, 80, 64, 64, [SIZE, SIZE], antialias=True)
    crop = replace(identity(), crop=torch.tensor([[0.0, 0.0, 64 / 224, 64 / 224]]))
    errors = [
        (moved(TF.resize(original, [side, side], antialias=True), crop) - expected).abs().mean()
        for side in (193, 56)
    ]
    assert errors[0] < errors[1] / 3


def test_outside_the_image_is_black_and_the_edge_is_not_darkened() -> None:
    white = torch.full((1, 3, SIZE, SIZE), 255.0)
    shifted = moved(white, replace(identity(), shift=torch.tensor([[0.125, 0.0]])))
    assert (shifted[..., :6] == 0).all()
    assert (shifted[..., 6:] == 255).all()


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.2])
def test_jitter_is_torchvisions(picture: Tensor, factor: float) -> None:
    value = torch.tensor([factor])
    unit = picture / 255
    for name, operator in (
        ("brightness", TF.adjust_brightness),
        ("contrast", TF.adjust_contrast),
        ("saturation", TF.adjust_saturation),
    ):
        ours = jitter(picture, replace(identity(), **{name: value}))
        # torchvision's luma weights are rounded differently in the fourth digit.
        torch.testing.assert_close(ours / 255, operator(unit, factor), atol=1e-3, rtol=0)


def test_each_image_of_a_batch_has_its_own_draw(picture: Tensor) -> None:
    drawn = draw(AugmentSpec(), 16, random=np.random.default_rng(0))
    batch = augment(picture.repeat(16, 1, 1, 1), drawn, size=SIZE)
    for first in range(16):
        for second in range(first):
            assert (batch[first] - batch[second]).abs().mean() > 1
    for values in (drawn.angle, drawn.brightness, drawn.contrast, drawn.saturation):
        assert len(values.unique()) == 16
    assert drawn.flip.any() and not drawn.flip.all()


def test_draws_depend_on_the_generator_alone() -> None:
    first, again, other = (
        draw(AugmentSpec(), 8, random=np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    assert (first.crop == again.crop).all()
    assert (first.crop != other.crop).any()


def test_draws_stay_in_their_ranges() -> None:
    spec = AugmentSpec()
    drawn = draw(spec, 5000, random=np.random.default_rng(0))
    centre_x, centre_y, width, height = drawn.crop.unbind(1)
    area, ratio = width * height, width / height
    whole = (width == 1) & (height == 1)
    assert area.min() >= spec.crop_area[0] - 1e-6 and area.max() <= 1 + 1e-6
    assert ratio[~whole].min() >= spec.crop_ratio[0] - 1e-6
    assert ratio[~whole].max() <= spec.crop_ratio[1] + 1e-6
    assert (centre_x.abs() + width <= 1 + 1e-6).all() and (
        centre_y.abs() + height <= 1 + 1e-6
    ).all()
    assert drawn.angle.abs().max() <= math.radians(spec.rotation)
    assert drawn.shift.abs().max() <= spec.translation
    assert drawn.brightness.min() >= 0.8 and drawn.brightness.max() <= 1.2
    assert 0.45 < drawn.flip.float().mean() < 0.55


def test_strength_scales_every_reach() -> None:
    none = AugmentSpec().scaled(0)
    images = torch.rand(3, 3, 40, 40, generator=torch.Generator().manual_seed(0)) * 255
    drawn = draw(none, 3, random=np.random.default_rng(0))
    torch.testing.assert_close(augment(images, drawn, size=40), images, atol=1e-2, rtol=0)
    assert AugmentSpec().scaled(1) == AugmentSpec()
    half = AugmentSpec().scaled(0.5)
    assert half.crop_area == (0.9, 1.0) and half.rotation == 5.0 and half.flip == 0.25
