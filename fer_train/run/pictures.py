"""Pictures for TensorBoard, drawn with PIL: image grid, confusion matrix, reliability diagram."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fer_train.learning.calibration import Reliability, ReliabilityBin

Picture = NDArray[np.uint8]  # [H, W, 3]

_CELL = 56  # px, of the confusion matrix

_MARGIN = 76  # px, for class names

# The reliability diagram, in px: accuracy against confidence, above how many images have which.
_SIDE, _COUNTS = 360, 72
_LEFT, _TOP, _GAP, _BELOW, _RIGHT = 60, 40, 26, 44, 20

_BLUE, _RED, _GREY, _LIGHT = "#4c78a8", "#e8a5a0", "#777777", "#dddddd"


def image_grid(images: Picture, *, columns: int = 8) -> Picture:
    """Lay out images [N, H, W, 3] in rows of ``columns``, black where there are none."""
    count, height, width = images.shape[:3]
    rows = -(-count // columns)
    grid = np.zeros((rows * columns, height, width, 3), dtype=np.uint8)
    grid[:count] = images
    tiled = grid.reshape(rows, columns, height, width, 3).transpose(0, 2, 1, 3, 4)
    return tiled.reshape(rows * height, columns * width, 3)


def draw_confusion(confusion: NDArray[np.int64], labels: Sequence[str]) -> Picture:
    """Draw counts [true, predicted], each row shaded by its share; rows are true classes."""
    size = _MARGIN + _CELL * len(labels)
    image = Image.new("RGB", (size, size), "white")
    pen = ImageDraw.Draw(image)
    pen.text((6, 6), "across: predicted\ndown: true", fill=_GREY)
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    for row, name in enumerate(labels):
        middle = _MARGIN + row * _CELL + _CELL // 2
        pen.text((_MARGIN - 6, middle), name, fill="black", anchor="rm")
        pen.text((middle, _MARGIN - 6), name, fill="black", anchor="ms")
        for column in range(len(labels)):
            share = float(shares[row, column])
            left, top = _MARGIN + column * _CELL, _MARGIN + row * _CELL
            shade = (round(255 - 215 * share), round(255 - 160 * share), 255)
            pen.rectangle((left, top, left + _CELL - 1, top + _CELL - 1), fill=shade)
            pen.text(
                (left + _CELL // 2, top + _CELL // 2),
                str(int(confusion[row, column])),
                fill="white" if share > 0.7 else "black",
                anchor="mm",
            )
    return np.asarray(image)


def draw_reliability(reliability: Reliability) -> Picture:
    """Draw accuracy per bin of confidence, its distance from confidence, and the images per bin.

    On the diagonal confidence means what it says; red above a bar is overconfidence.
    """
    width = _LEFT + _SIDE + _RIGHT
    height = _TOP + _SIDE + _GAP + _COUNTS + _BELOW
    image = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(image)
    bottom = _TOP + _SIDE
    floor = bottom + _GAP + _COUNTS
    for tick in range(6):
        share = tick / 5
        x, y = _x(share), _y(share)
        pen.line((_LEFT, y, _LEFT + _SIDE, y), fill=_LIGHT)
        pen.text((_LEFT - 6, y), f"{share:g}", fill="black", anchor="rm")
        pen.text((x, floor + 6), f"{share:g}", fill="black", anchor="ma")
    most = max(entry.count for entry in reliability.bins)
    for entry in reliability.bins:
        if entry.count:
            _draw_bin(pen, entry, height=max(round(_COUNTS * entry.count / most), 1), floor=floor)
    pen.line((_x(0), _y(0), _x(1), _y(1)), fill=_GREY, width=2)
    pen.rectangle((_LEFT, _TOP, _LEFT + _SIDE, bottom), outline="black")
    pen.line((_LEFT, floor, _LEFT + _SIDE, floor), fill="black")
    images = sum(entry.count for entry in reliability.bins)
    pen.text(
        (_LEFT, _TOP - 10),
        f"ECE {reliability.ece:.4f}   {images} images",
        fill="black",
        anchor="ls",
        font_size=14,
    )
    pen.text((_LEFT + _SIDE, _TOP - 10), "red: distance from confidence", fill=_GREY, anchor="rs")
    pen.text((_LEFT + 6, _TOP + 6), "accuracy", fill="black", anchor="la")
    pen.text((_LEFT + 6, bottom + _GAP - 6), "images per bin", fill="black", anchor="ls")
    pen.text((_LEFT + _SIDE // 2, height - 6), "confidence", fill="black", anchor="ms")
    return np.asarray(image)


def _draw_bin(pen: ImageDraw.ImageDraw, entry: ReliabilityBin, *, height: int, floor: int) -> None:
    left, right = _x(entry.low) + 1, _x(entry.high) - 1
    accuracy, confidence = _y(entry.accuracy), _y(entry.confidence)
    pen.rectangle((left, accuracy, right, _y(0)), fill=_BLUE)
    upper, lower = sorted((accuracy, confidence))
    pen.rectangle((left, upper, right, lower), fill=_RED)
    pen.line((left, accuracy, right, accuracy), fill="#1f3a5f", width=2)
    pen.rectangle((left, floor - height, right, floor), fill=_GREY)


def _x(share: float) -> int:
    return _LEFT + round(_SIDE * share)


def _y(share: float) -> int:
    return _TOP + _SIDE - round(_SIDE * share)
