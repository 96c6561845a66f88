"""The faces of a run: from options to decoded images, labels and the pixel contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fer_train.config.options import TrainConfig
from fer_train.contract.checkpoint import Checkpoint
from fer_train.contract.errors import DataLayoutError
from fer_train.contract.network import PixelNormalizer
from fer_train.contract.page.figures import size_text
from fer_train.contract.preprocess import IMAGENET_MEAN, IMAGENET_STD, PreprocessSpec
from fer_train.data.augment import AugmentSpec
from fer_train.data.batches import pixel_statistics, stored_size
from fer_train.data.cache import PixelCache, open_cache
from fer_train.data.dataset import FaceFolder, content_fingerprint
from fer_train.data.feed import FaceFeed
from fer_train.data.request import find_configured_faces
from fer_train.progress.reporter import Reporter
from fer_train.run.inherit import joined_labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Faces:
    """Decoded data.

    Attributes:
        found: classes on disk, splits, files.
        labels: of the network, in the order of its outputs; usually those found.
        caches: split -> pixels; training at the stored size, the others at the input size.
        spec: the pixel contract of the run.
        record: what checkpoints and data.json say about the data.
    """

    found: FaceFolder
    labels: tuple[str, ...]
    caches: dict[str, PixelCache]
    spec: PreprocessSpec
    record: dict[str, Any]
    augmentation: AugmentSpec

    def train_counts(self) -> dict[str, int]:
        """Return label -> number of training images, 0 for labels the data lack."""
        counts = self.found.counts()["train"]
        return {label: counts.get(label, 0) for label in self.labels}

    def targets(self, split: str) -> list[int]:
        """Return each image's index into ``labels``."""
        index = [self.labels.index(label) for label in self.found.labels]
        return [index[target] for target in self.found.splits[split].targets]

    def shares(self, split: str) -> NDArray[np.float32] | None:
        """Return each image's votes, [N, C] for C ``labels``; None where it has one label.

        Only votes for classes the data have count: after ``--from`` the network may know others,
        and those are never a target.
        """
        found = self.found.splits[split].shares(self.found.labels)
        if found is None:
            return None
        shares = np.zeros((len(found), len(self.labels)), dtype=np.float32)
        shares[:, [self.labels.index(label) for label in self.found.labels]] = found
        return shares


def prepare_faces(
    config: TrainConfig,
    *,
    cache: Path,
    reporter: Reporter,
    check_stop: Callable[[], None],
    inherited: Checkpoint | None = None,
) -> Faces:
    """Recognise the data, decode what is not cached, fix the pixel contract.

    Args:
        inherited: keep this checkpoint's labels and pixel contract.

    Raises:
        DataLayoutError: and its children, for anything wrong with the folder or its images.
        LabelMismatch: classes that ``inherited`` lacks.
    """
    found = find_configured_faces(config, cache=cache, reporter=reporter, check_stop=check_stop)
    labels = found.labels
    if inherited is not None:
        labels = joined_labels(inherited.labels, found.labels, allow_new=config.new_classes)
    caches = _decode(config, found, folder=cache, reporter=reporter, check_stop=check_stop)
    spec = inherited.preprocess if inherited else _pixel_contract(config, caches["train"])
    reporter.note("pixels", _describe(spec, config))
    fingerprint = content_fingerprint(found, {name: c.digests for name, c in caches.items()})
    return Faces(
        found=found,
        labels=labels,
        caches=caches,
        spec=spec,
        record=found.record() | {"sha256": fingerprint},
        augmentation=augmentation(config),
    )


def augmentation(config: TrainConfig) -> AugmentSpec:
    """Return the reach of each augmentation, scaled by ``--augment``."""
    return AugmentSpec(
        crop_area=(config.crop_area_min, 1.0),
        crop_ratio=(1 / config.crop_ratio_max, config.crop_ratio_max),
        rotation=config.rotation,
        translation=config.translation,
        flip=config.flip,
        brightness=config.brightness,
        contrast=config.contrast,
        saturation=config.saturation,
    ).scaled(config.augment)


def build_feeds(config: TrainConfig, faces: Faces, *, device: torch.device) -> dict[str, FaceFeed]:
    """Return split -> source of batches."""
    normalizer = PixelNormalizer(faces.spec).to(device)
    return {
        name: FaceFeed(
            cache,
            faces.targets(name),
            normalizer=normalizer,
            size=config.input_size,
            spec=faces.augmentation,
            seed=config.seed,
            device=device,
            shares=faces.shares(name),
        )
        for name, cache in faces.caches.items()
    }


def _decode(
    config: TrainConfig,
    found: FaceFolder,
    *,
    folder: Path,
    reporter: Reporter,
    check_stop: Callable[[], None],
) -> dict[str, PixelCache]:
    caches: dict[str, PixelCache] = {}
    for name, split in found.splits.items():
        size = config.input_size
        if name == "train":
            size = stored_size(
                found.root,
                split.samples,
                input_size=size,
                margin=config.crop_margin,
                augmentation=augmentation(config),
            )
        with reporter.counting(f"decoding {name}", len(split.samples)) as count_up:

            def on_progress(count: int, count_up: Callable[[int], None] = count_up) -> None:
                check_stop()
                count_up(count)

            caches[name] = open_cache(
                found.root,
                split.samples,
                size=size,
                margin=config.crop_margin,
                folder=folder,
                workers=config.workers,
                on_progress=on_progress,
            )
    sizes = ", ".join(f"{name} {cache.size} px" for name, cache in caches.items())
    total = size_text(sum(cache.bytes() for cache in caches.values()))
    reporter.note("cache", f"{sizes}; {total} in {folder}")
    return caches


def _pixel_contract(config: TrainConfig, train: PixelCache) -> PreprocessSpec:
    mean, std = IMAGENET_MEAN, IMAGENET_STD
    if config.normalize == "dataset":
        mean, std = pixel_statistics(train, color=config.color)
        if min(std) < 1e-3:
            raise DataLayoutError(
                f"The training images are all one colour (standard deviation {min(std):.1e}).",
                hint="Check the images; --normalize imagenet does not need their statistics.",
            )
    return PreprocessSpec(
        crop_margin=config.crop_margin,
        input_size=config.input_size,
        color=config.color,
        mean=mean,
        std=std,
    )


def _describe(spec: PreprocessSpec, config: TrainConfig) -> str:
    mean, std = (" ".join(f"{value:.3f}" for value in values) for values in (spec.mean, spec.std))
    return (
        f"{spec.input_size} px {spec.color}, {config.normalize} mean {mean}, std {std}, "
        f"crop margin {spec.crop_margin}"
    )
