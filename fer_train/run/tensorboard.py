"""TensorBoard: every figure of every epoch, pictures, and the options beside the final figures.

Tags: ``loss/train``, ``loss/val``, ``accuracy/...``; ``train/<figure>``, ``val/<figure>`` and
``val_f1/<class>``;
``training/<figure>``, and ``lr/head``, ``lr/backbone`` where the two differ; pictures
``val/confusion``, ``val/reliability``, ``train/augmented``; for the HParams table
``final_val/<figure>`` and ``final_test/<figure>``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fer_train.learning.calibration import Reliability, ReliabilityBin, reliability
from fer_train.learning.metrics import Answers

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


#: Charts with several curves, for the tab Custom Scalars: heading -> chart -> tags (patterns).
_CHARTS = {
    "Training and validation": {
        "loss": ["Multiline", ["loss/train", "loss/val"]],
        "accuracy": ["Multiline", ["accuracy/train", "accuracy/val"]],
        "macro-F1": ["Multiline", ["train/macro_f1", "val/macro_f1"]],
    },
    "Validation": {
        "F1 of each class": ["Multiline", ["val_f1/.+"]],
        "averages": ["Multiline", ["accuracy/val", "val/balanced_accuracy", "val/macro_f1"]],
    },
    "Optimiser": {"learning rate": ["Multiline", ["training/lr", "lr/.+"]]},
}


#: Of the figures of a split, those for the HParams table.
_FINAL = ("loss", "accuracy", "balanced_accuracy", "macro_f1")


class Board:
    """Event files of one run, one point per epoch.

    Args:
        start_epoch: on resume, the first epoch that will be written; older files may hold points
            from there on (an epoch that was never saved), and those are dropped from view.
    """

    def __init__(self, folder: Path, *, start_epoch: int) -> None:
        # Imported here: it costs a second, and only training needs it.
        from torch.utils.tensorboard import SummaryWriter

        purge = start_epoch if start_epoch > 1 else None
        self.writer: SummaryWriter = SummaryWriter(str(folder), purge_step=purge)  # type: ignore[no-untyped-call]
        self.writer.add_custom_scalars(_CHARTS)  # type: ignore[no-untyped-call]

    def epoch(
        self,
        row: Mapping[str, Any],
        validation: Mapping[str, Any],
        answers: Answers,
        *,
        rates: Sequence[float],
    ) -> None:
        """Write the scalars and pictures of one epoch.

        Args:
            row: of the history.
            validation: the figures of ``answers`` on the validation split.
            rates: learning rate of the head, and of the backbone if it trains.
        """
        step = int(row["epoch"])
        for figure in ("loss", "accuracy"):
            self._scalar(f"{figure}/train", row[f"train_{figure}"], step)
            self._scalar(f"{figure}/val", row[f"val_{figure}"], step)
        for name in ("balanced_accuracy", "macro_f1"):
            self._scalar(f"train/{name}", row[f"train_{name}"], step)
        for name in ("balanced_accuracy", "macro_f1", "cross_entropy"):
            self._scalar(f"val/{name}", validation[name], step)
        for label, figures in validation["per_class"].items():
            self._scalar(f"val_f1/{label}", figures["f1"], step)
        for name in ("lr", "grad_norm", "sparsity", "images_per_second"):
            self._scalar(f"training/{name}", row[name], step)
        if len(set(rates)) > 1:
            for name, rate in zip(("head", "backbone"), rates, strict=True):
                self._scalar(f"lr/{name}", rate, step)
        calibration = reliability(answers)
        self._scalar("val/ece", calibration.ece, step)
        self._picture("val/reliability", draw_reliability(calibration), step)
        labels = list(validation["per_class"])
        matrix = draw_confusion(np.array(validation["confusion"]), labels)
        self._picture("val/confusion", matrix, step)
        self.writer.flush()  # type: ignore[no-untyped-call]

    def samples(self, images: Picture) -> None:
        """Write a grid of augmented training images, [N, H, W, 3]."""
        self._picture("train/augmented", image_grid(images), 0)

    def finish(
        self,
        config: Mapping[str, Any],
        *,
        val: Mapping[str, Any],
        test: Mapping[str, Any] | None,
        epoch: int,
    ) -> None:
        """Write a line of the HParams table, options and final figures of best.pt, and close."""
        plain = {
            k: v if isinstance(v, (bool, int, float, str)) else str(v) for k, v in config.items()
        }
        self.writer.add_hparams(  # type: ignore[no-untyped-call]
            plain,
            {
                f"final_{split}/{name}": figures[name]
                for split, figures in (("val", val), ("test", test))
                if figures is not None
                for name in _FINAL
            },
            # "." keeps them in this run; the default makes a new run named after the time.
            run_name=".",
            global_step=epoch,
        )
        self.close()

    def close(self) -> None:
        """Flush and close the event file."""
        self.writer.close()  # type: ignore[no-untyped-call]

    def _scalar(self, tag: str, value: float, step: int) -> None:
        self.writer.add_scalar(tag, value, step)  # type: ignore[no-untyped-call]

    def _picture(self, tag: str, picture: Picture, step: int) -> None:
        self.writer.add_image(tag, picture, step, dataformats="HWC")  # type: ignore[no-untyped-call]


Picture = NDArray[np.uint8]  # [H, W, 3]


_CELL = 56  # px, of the confusion matrix


_MARGIN = 76  # px, for class names


# The reliability diagram, in px: accuracy against confidence, above how many images have which.
_SIDE = 360


_COUNTS = 72


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
