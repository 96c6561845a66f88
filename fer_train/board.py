"""TensorBoard: curves, per-class F1, the confusion matrix and augmented samples as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

Picture = NDArray[np.uint8]  # [H, W, 3]

_CELL = 56  # px, of the confusion matrix
_MARGIN = 76  # px, for class names


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

    def epoch(self, row: Mapping[str, Any], validation: Mapping[str, Any]) -> None:
        """Write the scalars and the confusion matrix of one epoch."""
        step = int(row["epoch"])
        for figure in ("loss", "accuracy"):
            self._scalar(f"{figure}/train", row[f"train_{figure}"], step)
            self._scalar(f"{figure}/val", row[f"val_{figure}"], step)
        for name in ("balanced_accuracy", "macro_f1", "cross_entropy"):
            self._scalar(f"val/{name}", validation[name], step)
        for label, figures in validation["per_class"].items():
            self._scalar(f"val_f1/{label}", figures["f1"], step)
        for name in ("lr", "grad_norm", "sparsity", "images_per_second"):
            self._scalar(f"training/{name}", row[name], step)
        labels = list(validation["per_class"])
        matrix = draw_confusion(np.array(validation["confusion"]), labels)
        self._picture("val/confusion", matrix, step)
        self.writer.flush()  # type: ignore[no-untyped-call]

    def samples(self, images: Picture) -> None:
        """Write a grid of augmented training images, [N, H, W, 3]."""
        self._picture("train/augmented", image_grid(images), 0)

    def finish(
        self, config: Mapping[str, Any], metrics: Mapping[str, float], *, epoch: int
    ) -> None:
        """Write the hyperparameters with the final figures, and close."""
        plain = {
            k: v if isinstance(v, (bool, int, float, str)) else str(v) for k, v in config.items()
        }
        self.writer.add_hparams(  # type: ignore[no-untyped-call]
            plain,
            {f"final/{name}": value for name, value in metrics.items()},
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
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    for row, name in enumerate(labels):
        middle = _MARGIN + row * _CELL + _CELL // 2
        pen.text((_MARGIN - 6, middle), name, fill="black", anchor="rm")
        pen.text((middle, _MARGIN - 6), name[:8], fill="black", anchor="ms")
        for column in range(len(labels)):
            share = float(shares[row, column])
            left, top = _MARGIN + column * _CELL, _MARGIN + row * _CELL
            shade = (round(255 - 215 * share), round(255 - 160 * share), 255)
            pen.rectangle((left, top, left + _CELL - 1, top + _CELL - 1), fill=shade)
            pen.text(
                (left + _CELL // 2, top + _CELL // 2),
                str(int(confusion[row, column])),
                fill="white" if share > 0.5 else "black",
                anchor="mm",
            )
    return np.asarray(image)
