"""From options to the objects a run works with: data on disk, network, optimiser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fer_train.augment import AugmentSpec
from fer_train.config import TrainConfig
from fer_train.contract.architectures import architecture, build_model
from fer_train.contract.errors import DataLayoutError
from fer_train.contract.network import PixelNormalizer
from fer_train.contract.preprocess import IMAGENET_MEAN, IMAGENET_STD, PreprocessSpec
from fer_train.data.batches import pixel_statistics, stored_size
from fer_train.data.cache import PixelCache, open_cache
from fer_train.data.feed import FaceFeed
from fer_train.data.layout import FaceFolder, content_fingerprint
from fer_train.data_source import find_configured_faces
from fer_train.device import memory_format
from fer_train.engine import Learner, freeze_backbone
from fer_train.losses import class_weights
from fer_train.progress import Reporter
from fer_train.schedule import build_optimizer
from fer_train.seeds import seed_torch


@dataclass(frozen=True, slots=True, kw_only=True)
class Faces:
    """Decoded data.

    Attributes:
        found: labels, splits, files.
        caches: split -> pixels; training at the stored size, the others at the input size.
        spec: the pixel contract of the run.
        record: what checkpoints and data.json say about the data.
    """

    found: FaceFolder
    caches: dict[str, PixelCache]
    spec: PreprocessSpec
    record: dict[str, Any]
    augmentation: AugmentSpec

    @property
    def labels(self) -> tuple[str, ...]:
        return self.found.labels

    def train_counts(self) -> dict[str, int]:
        """Return class name -> number of training images."""
        return self.found.counts()["train"]


def prepare_faces(
    config: TrainConfig, *, cache: Path, reporter: Reporter, check_stop: Callable[[], None]
) -> Faces:
    """Recognise the data, decode what is not cached, fix the pixel contract.

    Raises:
        DataLayoutError: and its children, for anything wrong with the folder or its images.
    """
    found = find_configured_faces(config, cache=cache, reporter=reporter, check_stop=check_stop)
    caches = _decode(config, found, folder=cache, reporter=reporter, check_stop=check_stop)
    spec = _pixel_contract(config, caches["train"])
    reporter.note("pixels", _describe(spec, config))
    fingerprint = content_fingerprint(found, {name: c.digests for name, c in caches.items()})
    return Faces(
        found=found,
        caches=caches,
        spec=spec,
        record=found.record() | {"sha256": fingerprint},
        augmentation=AugmentSpec().scaled(config.augment),
    )


def build_learner(
    config: TrainConfig,
    faces: Faces,
    *,
    device: torch.device,
    load_weights: Callable[[torch.nn.Module], None],
) -> Learner:
    """Build the network with its starting weights, freeze what stays, make the optimiser."""
    arch = architecture(config.arch)
    seed_torch(config.seed, "init")
    model = build_model(config.arch, num_classes=len(faces.labels))
    load_weights(model)
    if config.trains_head_only:
        freeze_backbone(model, arch)
    model.to(device, memory_format=memory_format(device))  # type: ignore[call-overload]
    return Learner(
        model=model,
        arch=arch,
        frozen=config.trains_head_only,
        optimizer=build_optimizer(model, lr=config.learning_rate, weight_decay=config.weight_decay),
        class_weights=class_weights(faces.train_counts(), config.class_weights).to(device),
        clip_norm=config.clip_norm,
    )


def build_feeds(config: TrainConfig, faces: Faces, *, device: torch.device) -> dict[str, FaceFeed]:
    """Return split -> source of batches."""
    normalizer = PixelNormalizer(faces.spec).to(device)
    return {
        name: FaceFeed(
            cache,
            faces.found.splits[name].targets,
            normalizer=normalizer,
            size=config.input_size,
            spec=faces.augmentation,
            seed=config.seed,
            device=device,
            shares=faces.found.splits[name].shares(faces.labels),
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
                found.root, split.samples, input_size=size, margin=config.crop_margin
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
    megabytes = sum(cache.bytes() for cache in caches.values()) / 1e6
    reporter.note("cache", f"{sizes}; {megabytes:.1f} MB in {folder}")
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
