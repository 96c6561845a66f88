"""TensorBoard: every figure of every epoch, pictures, and the options beside the final figures.

Tags: ``loss/train``, ``loss/val``, ``accuracy/...``; ``train/<figure>``, ``val/<figure>`` and
``val_f1/<class>``; ``training/<figure>``, and ``lr/head``, ``lr/backbone`` where the two differ;
pictures ``val/confusion``, ``val/reliability``, ``train/augmented``; for the HParams table
``final_val/<figure>`` and ``final_test/<figure>``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_train.contract.errors import harmless
from fer_train.learning.calibration import reliability
from fer_train.learning.metrics import Answers
from fer_train.run.pictures import Picture, draw_confusion, draw_reliability, image_grid

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
            # Paths need not be UTF-8, which is all that an event file can hold.
            k: v if isinstance(v, (bool, int, float)) else harmless(str(v))
            for k, v in config.items()
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
