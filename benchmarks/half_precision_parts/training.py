"""The six architectures, trained from random weights on drawn faces by fertrain's own commands."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from fer_train.contract.files import atomic_write

SIDE = 48
SEED = 1
BATCH = 16
PER_CLASS = {"train": 250, "val": 24, "test": 12}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one architecture is trained: as briefly as makes it tell the emotions apart.

    ``calm``: every residual branch starts at zero. A resnet101 that does not start so has learned
    nothing after five epochs.
    """

    epochs: int
    lr: float
    calm: bool = False


RECIPES = {
    "efficientnet_b0": Recipe(10, 7e-4),
    "resnet101": Recipe(3, 5e-4, calm=True),
    "resnet152": Recipe(2, 5e-4, calm=True),
    "densenet121": Recipe(6, 7e-4),
    "densenet161": Recipe(4, 2e-4),
    "densenet201": Recipe(10, 7e-4),
}


def draw_faces(work: Path) -> Path:
    """Draw the data set, unless it is there; return its folder."""
    faces = work / "faces"
    if not faces.exists():
        counts = [f"--{'' if s == 'train' else s + '-'}per-class={n}" for s, n in PER_CLASS.items()]
        _fertrain("synth", faces, f"--size={SIDE}", *counts, "--workers=1")
    return faces


def train(work: Path, arch: str) -> Path:
    """Train, or continue, or return what is trained: the run's folder."""
    run, recipe, cache = work / "runs" / arch, RECIPES[arch], ("--cache", work / "cache")
    if (run / "metrics.json").exists():
        return run
    if (run / "checkpoints" / "last.pt").exists():
        _fertrain("train", "--resume", run, *cache)
        return run
    _fertrain(
        *("train", "--data", draw_faces(work), "--arch", arch, "--out", run, *cache),
        *("--weights", _calm_start(work, arch) if recipe.calm else "none", "--finetune=all"),
        *(f"--epochs={recipe.epochs}", f"--lr={recipe.lr}", f"--batch-size={BATCH}"),
        *(f"--input-size={SIDE}", f"--seed={SEED}", "--augment=0.25", "--prune=0"),
    )
    return run


def _fertrain(*arguments: object) -> None:
    command = [sys.executable, "-m", "fer_train.cli", *map(str, arguments)]
    # One thread: sums have the same order on every machine.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, check=False, stdout=sys.stderr, env=environment)
    if done.returncode:
        raise SystemExit(done.returncode)  # fertrain has said why


def _calm_start(work: Path, arch: str) -> Path:
    import torch
    from torchvision.models.resnet import Bottleneck

    from fer_train.contract.architectures import build_model

    path = work / f"{arch}.start.pt"
    torch.manual_seed(SEED)
    model = build_model(arch, num_classes=8)
    for part in model.modules():
        if isinstance(part, Bottleneck):
            torch.nn.init.zeros_(part.bn3.weight)
    with atomic_write(path) as temporary:
        torch.save(model.state_dict(), temporary)
    return path
