"""The data a run asks for, found and described to its user."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fer_train.config.options import TrainConfig
from fer_train.data.dataset import DataRequest, FaceFolder, find_faces
from fer_train.data.samples import Sample
from fer_train.data.scan import Scan, scan_images
from fer_train.data.splits import Scanner, SplitPlan

if TYPE_CHECKING:
    from fer_train.progress.reporter import Reporter


def find_configured_faces(
    config: TrainConfig, *, cache: Path, reporter: Reporter, check_stop: Callable[[], None]
) -> FaceFolder:
    """Recognise, clean and split the data as the options say, and tell the user everything.

    Raises:
        DataLayoutError: and its children, for anything wrong with the data.
    """
    found = find_faces(
        Path(config.data),
        data_request(config),
        scanner=reporting_scanner(
            cache=cache, workers=config.workers, reporter=reporter, check_stop=check_stop
        ),
    )
    describe_found(config.data, found, reporter=reporter)
    for name, counts in found.counts().items():
        listed = ", ".join(f"{label} {count}" for label, count in counts.items())
        reporter.note("", f"{name}: {sum(counts.values())} images ({listed})")
    return found


def describe_found(data: str, found: FaceFolder, *, reporter: Reporter) -> None:
    """Tell the user which layout was recognised, and everything that is not obvious."""
    reporter.note("data", f"{data}: {found.layout}")
    for text in found.notes:
        reporter.note("", text)
    for text in found.warnings:
        reporter.note("warning", text)


def data_request(config: TrainConfig) -> DataRequest:
    """Return the options of a run that concern its data."""
    return DataRequest(
        layout=config.layout,
        label_order=config.label_order,
        custom_labels=config.custom_labels,
        labels_from=config.labels_from,
        soft_labels=config.soft_labels,
        exclude=None if config.exclude is None else Path(config.exclude),
        splits=SplitPlan(
            val=config.val_fraction, test=config.test_fraction, seed=config.split_seed
        ),
    )


def reporting_scanner(
    *, cache: Path, workers: int, reporter: Reporter, check_stop: Callable[[], None]
) -> Scanner:
    """Return a function that looks at images while a bar shows how far it is."""

    def scan(root: Path, samples: Sequence[Sample]) -> Scan:
        with reporter.counting("looking at images", len(samples)) as count_up:

            def on_progress(count: int) -> None:
                check_stop()
                count_up(count)

            return scan_images(
                root, samples, folder=cache, workers=workers, on_progress=on_progress
            )

    return scan
