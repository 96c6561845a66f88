"""From painted layers to a photograph: light, exposure, lens blur, sensor noise."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from fer_train.synthetic.canvas import SUPERSAMPLE, Canvas
from fer_train.synthetic.scene import HEAD_X, HEAD_Y, Scene

Floats = NDArray[np.float32]

_SOFT_BLUR = 0.045  # head units: cheeks and sockets have no edges
_FOLD_BLUR = 0.012
_FOLD_DARKNESS = 0.62
_SHADOW_DARKNESS = 0.42
_GLOW_BRIGHTNESS = 0.24
_NOISE_DICE = 4  # bytes summed per sample; their sum is close enough to Gaussian, and exact


def expose(canvas: Canvas, scene: Scene, rng: Generator) -> NDArray[np.uint8]:
    """Return the finished image, uint8 ``[size, size, 3]``."""
    unit = canvas.project.unit / SUPERSAMPLE
    albedo = np.asarray(canvas.albedo.reduce(SUPERSAMPLE), dtype=np.float32)
    folds = _layer(canvas.folds.reduce(SUPERSAMPLE), _FOLD_BLUR * unit)
    shadow = _layer(canvas.shadow, _SOFT_BLUR * unit)
    glow = _layer(canvas.glow, _SOFT_BLUR * unit)
    relief = (1 - _FOLD_DARKNESS * folds) * (1 - _SHADOW_DARKNESS * shadow)
    diffuse, gloss = _light(canvas, scene)
    lit = diffuse * relief * (1 + _GLOW_BRIGHTNESS * glow)
    colour = albedo * lit[:, :, None] + (gloss * relief)[:, :, None]
    colour *= np.array([1 + scene.warmth, 1.0, 1 - scene.warmth], dtype=np.float32)
    lens = Image.fromarray(_to_bytes(_tone_curve(colour, scene.exposure)))
    sigma = scene.blur / 1000 * canvas.size
    image = np.asarray(lens.filter(ImageFilter.GaussianBlur(sigma)), dtype=np.float32)
    return _to_bytes(image + _noise(canvas.size, scene.noise, rng))


def _layer(image: Image.Image, sigma: float) -> Floats:
    blurred = image.filter(ImageFilter.GaussianBlur(sigma))
    return np.asarray(blurred, dtype=np.float32) / np.float32(255)


def _light(canvas: Canvas, scene: Scene) -> tuple[Floats, Floats]:
    """Return the diffuse factor and the added gloss (8-bit levels) of a lit ellipsoid."""
    cx, cy = (value / SUPERSAMPLE for value in canvas.project.centre)
    unit = canvas.project.unit / SUPERSAMPLE
    axis = np.arange(canvas.size, dtype=np.float32) + np.float32(0.5)
    x = ((axis - np.float32(cx)) / np.float32(HEAD_X * 1.1 * unit))[None, :]
    y = ((axis - np.float32(cy)) / np.float32(HEAD_Y * unit))[:, None]
    radius = np.sqrt(x * x + y * y)
    rim = np.maximum(radius, np.float32(1))
    depth = np.sqrt(np.maximum(np.float32(1) - radius * radius, np.float32(0)))
    lx, ly, lz = (np.float32(value) for value in scene.light)
    facing = (x * lx + y * ly) / rim + depth * lz
    wrapped = np.maximum(facing * np.float32(0.8) + np.float32(0.2), np.float32(0))
    ambient = np.float32(scene.ambient)
    diffuse = ambient + (np.float32(1.12) - ambient) * wrapped
    squared = np.maximum(facing, np.float32(0))
    for _ in range(4):
        squared = squared * squared
    return diffuse, squared * np.float32(110 * scene.shine)


def _tone_curve(colour: Floats, exposure: float) -> Floats:
    """Brighten or darken with a rational curve that keeps black and white in place."""
    gain = np.float32(exposure if exposure > 0 else exposure / (1 - exposure))
    share = np.minimum(colour / np.float32(255), np.float32(1))
    curve: Floats = share * (1 + gain) / (1 + gain * share) * np.float32(255)
    return curve


def _noise(size: int, sigma: float, rng: Generator) -> Floats:
    dice = rng.integers(0, 256, (_NOISE_DICE, size, size, 3), dtype=np.uint8)
    total = dice.sum(axis=0, dtype=np.int32).astype(np.float32)
    spread = (_NOISE_DICE * (256 * 256 - 1) / 12) ** 0.5
    centred: Floats = (total - np.float32(_NOISE_DICE * 127.5)) * np.float32(sigma / spread)
    return centred


def _to_bytes(values: Floats) -> NDArray[np.uint8]:
    return (np.clip(values, 0, 255) + np.float32(0.5)).astype(np.uint8)
