"""``fertrain eval``: measure a checkpoint on data, by the contract inside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from fer_train.config.options import TrainConfig
from fer_train.contract.architectures import build_model
from fer_train.contract.checkpoint import Checkpoint
from fer_train.contract.errors import DataLayoutError, LabelMismatch, NotFound
from fer_train.contract.files import sha256_file, write_bytes
from fer_train.contract.network import PixelNormalizer
from fer_train.contract.picture_files import image_suffixes
from fer_train.data.augment import AugmentSpec
from fer_train.data.batches import ordered_batches
from fer_train.data.cache import open_cache
from fer_train.data.dataset import FaceFolder, list_faces
from fer_train.data.feed import FaceFeed
from fer_train.data.request import data_request, describe_found, reporting_scanner
from fer_train.learning.calibration import calibration_line, calibration_record
from fer_train.learning.engine import answer
from fer_train.learning.losses import Objective
from fer_train.learning.metrics import measure
from fer_train.machine.device import memory_format, select_device
from fer_train.progress.reporter import Reporter
from fer_train.report.judgement import one_sided
from fer_train.run.inherit import describe_split
from fer_train.run_folder import answers_as_npz


def evaluate(
    path: Path,
    checkpoint: Checkpoint,
    config: TrainConfig,
    *,
    split: str | None,
    batch_size: int,
    cache: Path,
    out: Path | None,
    reporter: Reporter,
) -> dict[str, Any]:
    """Return the figures of a checkpoint on one split.

    Args:
        path: where ``checkpoint`` was read from.
        config: which data, how they are read and split, on which device.
        split: None takes test if the data have it, else val, else the only one there is. Data
            without splits are one, ``train``. No other split is needed, nor every class.
        out: write every answer there (``run.answers_as_npz``).

    Raises:
        FerError: anything wrong with the checkpoint or the data.
    """
    scanner = reporting_scanner(
        cache=cache, workers=config.workers, reporter=reporter, check_stop=lambda: None
    )
    found = list_faces(Path(config.data), data_request(config), scanner=scanner)
    split = _split_to_measure(found, split)
    targets = _targets(checkpoint, found, split)
    describe_found(config.data, found, reporter=reporter)
    split_line = describe_split(config, checkpoint, found.made_splits)
    if split_line is not None and "train" in found.splits:
        reporter.note(*split_line)
    reporter.note("model", f"{path}: {checkpoint.arch}, {', '.join(checkpoint.labels)}")
    chosen = select_device(config.device)
    chosen_split = found.splits[split]
    with reporter.counting(f"decoding {split}", len(chosen_split.samples)) as count_up:
        pixels = open_cache(
            found.root,
            chosen_split.samples,
            size=checkpoint.preprocess.input_size,
            margin=checkpoint.preprocess.crop_margin,
            folder=cache,
            workers=config.workers,
            on_progress=count_up,
        )
    feed = FaceFeed(
        pixels,
        targets,
        normalizer=PixelNormalizer(checkpoint.preprocess).to(chosen),
        size=checkpoint.preprocess.input_size,
        spec=AugmentSpec(),
        seed=0,
        device=chosen,
    )
    batches = list(ordered_batches(pixels.count, batch_size=batch_size))
    with reporter.counting(f"measuring {split}", pixels.count) as count_up:
        answers = answer(_network(checkpoint, chosen), feed, batches, on_progress=count_up)
    plain = Objective(
        weights=torch.ones(len(checkpoint.labels)), adjustment=torch.zeros(len(checkpoint.labels))
    )
    figures = measure(answers, plain, checkpoint.labels)
    del figures["loss"]  # without the run's class weights it is the cross-entropy again
    if out is not None:
        write_bytes(
            out, answers_as_npz(answers, labels=checkpoint.labels, paths=chosen_split.paths)
        )
    return {
        "checkpoint": str(path),
        "sha256": sha256_file(path),
        "arch": checkpoint.arch,
        "data": config.data,
        "split": split,
        "unsplit": found.unsplit,
        "sparsity": checkpoint.sparsity.get("global", 0.0),
        "metrics": figures,
        "calibration": calibration_record(
            answers, temperature=checkpoint.temperature, fitted_on="val"
        ),
    }


def as_text(result: Mapping[str, Any]) -> str:
    """Return the figures as a table for people."""
    metrics, low_high = result["metrics"], "{:.4f} ({:.2f} to {:.2f})".format
    labels = list(metrics["per_class"])
    width = max(map(len, labels))
    images = f"{metrics['images']} {result['split']} images of {result['data']}"
    if result["unsplit"]:
        images = f"all {metrics['images']} images of {result['data']}, which has no splits"
    lines = [
        f"{result['checkpoint']} on {images}",
        f"accuracy {low_high(metrics['accuracy'], *metrics['accuracy_interval'])}  balanced "
        f"accuracy {metrics['balanced_accuracy']:.4f}  macro-F1 {metrics['macro_f1']:.4f}",
        calibration_line(result["calibration"]),
        *([f"It {said}."] if (said := one_sided(metrics["confusion"], labels)) else []),
        "",
        f"{'':<{width}}  {'precision (95 %)':<21}  {'recall (95 %)':<21}      F1  images",
    ]
    for label, row in metrics["per_class"].items():
        lines.append(
            f"{label:<{width}}  {low_high(row['precision'], *row['precision_interval'])}  "
            f"{low_high(row['recall'], *row['recall_interval'])}  "
            f"{row['f1']:>6.4f}  {row['support']:>6}"
        )
    return "\n".join(lines)


def _split_to_measure(found: FaceFolder, asked: str | None) -> str:
    """Return the split asked for, or the one that says most about the model."""
    there = [name for name in ("test", "val", "train") if name in found.splits]
    if not there:
        raise DataLayoutError(
            f"{found.root} ({found.layout}) has no images at all.",
            hint=f"Image files end in {', '.join(sorted(image_suffixes()))}.",
        )
    if asked is None:
        return there[0]
    if asked not in there:
        if found.unsplit:
            raise NotFound(
                f"{found.root} has no {asked} split: it has no splits.",
                hint="Without --split all its images are measured.",
            )
        raise NotFound(
            f"{found.root} has no {asked} split.", hint=f"It has {', '.join(sorted(there))}."
        )
    return asked


def _targets(checkpoint: Checkpoint, found: FaceFolder, split: str) -> list[int]:
    """Return indices into the checkpoint's labels, by name.

    A label that only other splits have, or only an empty folder, is in nobody's way.
    """
    images = found.counts()[split]
    unknown = [label for label in found.labels if images[label] and label not in checkpoint.labels]
    if unknown:
        raise LabelMismatch(
            f"The data have {', '.join(unknown)}, which the checkpoint does not know.",
            hint=f"Checkpoint: {', '.join(checkpoint.labels)}\n"
            f"  Data:       {', '.join(found.labels)}",
        )
    index = {label: number for number, label in enumerate(checkpoint.labels)}
    return [index[found.labels[target]] for target in found.splits[split].targets]


def _network(checkpoint: Checkpoint, device: torch.device) -> torch.nn.Module:
    model = build_model(checkpoint.arch, num_classes=len(checkpoint.labels))
    model.load_state_dict(dict(checkpoint.model))
    return model.to(device, memory_format=memory_format(device)).eval()  # type: ignore[call-overload, no-any-return]
