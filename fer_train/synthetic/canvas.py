"""What the painters draw on: colour, folds, and soft light and shadow, each its own layer."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from fer_train.synthetic.curves import Curve, ribbon
from fer_train.synthetic.identity import Colour
from fer_train.synthetic.scene import Projector, Scene

SUPERSAMPLE = 3  # canvas pixels per output pixel: Pillow's polygons have hard edges


class Canvas:
    """Layers of one face.

    ``albedo`` (RGB) and ``folds`` (L, 0 none to 255 deepest) are ``SUPERSAMPLE`` times the output
    size; ``shadow`` and ``glow`` (L) are blurred later and have the output size. ``base`` is
    painted first: pass the backdrop.
    """

    def __init__(self, scene: Scene, base: Image.Image, *, size: int) -> None:
        side = size * SUPERSAMPLE
        self.size, self.side = size, side
        self.project = Projector(scene, side=side)
        self.albedo = base
        self.folds = Image.new("L", (side, side))
        self.shadow = Image.new("L", (size, size))
        self.glow = Image.new("L", (size, size))
        self._pens = {
            id(layer): ImageDraw.Draw(layer)
            for layer in (self.albedo, self.folds, self.shadow, self.glow)
        }

    def fill(self, region: Curve, colour: Colour, *, lift: float = 0.0) -> None:
        """Paint a closed region in one colour."""
        self._pens[id(self.albedo)].polygon(self.project(region, lift=lift), fill=rgb(colour))

    def cover(self, region: Curve, colour: Colour) -> None:
        """Paint a closed region that also hides the folds beneath it."""
        outline = self.project(region)
        self._pens[id(self.albedo)].polygon(outline, fill=rgb(colour))
        self._pens[id(self.folds)].polygon(outline, fill=0)

    def fold(self, line: Curve, depth: float, width: float, *, lift: float = 0.0) -> None:
        """Darken a tapered stroke along ``line``; ``depth`` is 0..1."""
        along = np.linspace(0.0, 1.0, len(line))
        widths = width * (0.35 + 2.6 * along * (1 - along))
        outline = self.project(ribbon(line, widths), lift=lift)
        self._pens[id(self.folds)].polygon(outline, fill=level(depth))

    def shade(self, region: Curve, light: float, *, lift: float = 0.0) -> None:
        """Lighten (``light`` > 0) or darken (< 0) a region softly; -1..1."""
        layer = self.glow if light > 0 else self.shadow
        outline = [(x / SUPERSAMPLE, y / SUPERSAMPLE) for x, y in self.project(region, lift=lift)]
        self._pens[id(layer)].polygon(outline, fill=level(abs(light)))

    def outline(self, region: Curve, colour: Colour, *, width: float, lift: float) -> None:
        """Stroke a closed region's edge; ``width`` in head units."""
        points = self.project(region, lift=lift)
        thickness = max(2, round(width * self.project.unit))
        pen = self._pens[id(self.albedo)]
        pen.line([*points, *points[:2]], fill=rgb(colour), width=thickness, joint="curve")

    def stain(self, regions: list[tuple[Curve, float]], colour: Colour, *, blur: float) -> None:
        """Blend ``colour`` over the regions, each with its share 0..1; later regions win.

        The edge is blurred by ``blur`` head units.
        """
        mask = Image.new("L", (self.size, self.size))
        pen = ImageDraw.Draw(mask)
        for region, share in regions:
            outline = [(x / SUPERSAMPLE, y / SUPERSAMPLE) for x, y in self.project(region)]
            pen.polygon(outline, fill=level(share))
        mask = mask.filter(ImageFilter.GaussianBlur(blur * self.project.unit / SUPERSAMPLE))
        mask = mask.resize((self.side, self.side), Image.Resampling.BILINEAR)
        self.albedo.paste(rgb(colour), mask=mask)


def backdrop(scene: Scene, *, size: int) -> Image.Image:
    """Return the background: a two-colour gradient with out-of-focus shapes."""
    small = Image.new("RGB", (2, 2))
    top, bottom = (rgb(colour) for colour in scene.backdrop)
    small.putdata([top, top, bottom, bottom])
    coarse = small.resize((32, 32), Image.Resampling.BILINEAR)
    pen = ImageDraw.Draw(coarse)
    for x, y, radius, colour in scene.clutter:
        box = [(x - radius) * 32, (y - radius) * 32, (x + radius) * 32, (y + radius) * 32]
        pen.ellipse(box, fill=rgb(colour)) if radius < 0.2 else pen.rectangle(box, fill=rgb(colour))
    side = size * SUPERSAMPLE
    return coarse.filter(ImageFilter.GaussianBlur(1.5)).resize(
        (side, side), Image.Resampling.BILINEAR
    )


def rgb(colour: Colour) -> tuple[int, int, int]:
    """Round and clip a colour to 8 bits."""
    r, g, b = (min(max(round(value), 0), 255) for value in colour)
    return r, g, b


def level(share: float) -> int:
    """Return 0..1 as 0..255."""
    return min(max(round(255 * share), 0), 255)


def tone(colour: Colour, factor: float) -> Colour:
    """Return ``colour`` lighter (factor > 1) or darker."""
    r, g, b = (value * factor for value in colour)
    return r, g, b


def blend(first: Colour, second: Colour, share: float) -> Colour:
    """Return ``first`` with ``share`` of ``second``."""
    r, g, b = ((1 - share) * a + share * z for a, z in zip(first, second, strict=True))
    return r, g, b
