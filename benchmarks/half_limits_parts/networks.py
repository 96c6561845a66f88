"""The networks that are measured: what each is, and how it comes from real faces to one file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from half_limits_parts.faces import ORDER, few

from fer_train.contract.files import atomic_write
from fer_train.contract.labels import label_order
from fer_train.contract.pixels import face_crop, load_rgb

SEED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """All layers from random weights, by ``fertrain train``."""

    arch: str
    epochs: int
    lr: float = 1e-3
    side: int = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """EfficientNet-Lite0 with ImageNet's weights as they are, and a linear head on its features.

    Attributes:
        per_class: most images of a class that the head learns from; decay: its L2 penalty.
    """

    side: int
    per_class: int = 1500
    decay: float = 1e-2


Network = Trained | Frozen

NETWORKS: Mapping[str, Network] = {
    "lite0-112": Frozen(side=112),
    "lite0-112, overfitted head": Frozen(side=112, per_class=400, decay=1e-3),
    "lite0-48": Frozen(side=48),
    "resnet18": Trained(arch="resnet18", epochs=4),
    "shufflenet_v2_x1_0": Trained(arch="shufflenet_v2_x1_0", epochs=12),
    "mobilenet_v2": Trained(arch="mobilenet_v2", epochs=12),
    "regnet_y_400mf": Trained(arch="regnet_y_400mf", epochs=12),
    "efficientnet_b0": Trained(arch="efficientnet_b0", epochs=12),
    "densenet121": Trained(arch="densenet121", epochs=3),
}


def made(name: str, *, work: Path, faces: Path, lite0: Path | None) -> tuple[Path, dict[str, Any]]:
    """Return a network's file and `load_source`'s further arguments; made once, then cached.

    Args:
        faces: folder with ``train`` and ``val``, one folder per class, numbered.
        lite0: EfficientNet-Lite0's ImageNet state dict.
    """
    network = NETWORKS[name]
    if isinstance(network, Trained):
        return _trained(name, network, work=work, faces=faces), {}
    if lite0 is None:
        raise SystemExit(f"{name} needs --lite0, the ImageNet weights of EfficientNet-Lite0.")
    path = work / f"{name.replace(', ', '-').replace(' ', '-')}.torchscript.pt"
    if not path.exists():
        _frozen(network, path, faces=faces, lite0=lite0)
    pixels = f'{{"input_size": {network.side}, "color": "gray", "scale": "-1..1"}}'
    return path, {"labels": ORDER, "preprocess": pixels}


def _trained(name: str, network: Trained, *, work: Path, faces: Path) -> Path:
    run = work / "runs" / name
    best = run / "checkpoints" / "best.pt"
    if (run / "metrics.json").exists():
        return best
    last = run / "checkpoints" / "last.pt"
    data = few(faces, work / "few")
    start = ("--resume", run) if last.exists() else ("--out", run, "--data", data)
    fresh = (
        *(f"--label-order={ORDER}", f"--arch={network.arch}", "--weights=none", "--finetune=all"),
        *(f"--epochs={network.epochs}", f"--lr={network.lr}", f"--input-size={network.side}"),
        *(f"--seed={SEED}", "--augment=0.25", "--prune=0", "--batch-size=32"),
    )
    arguments = [*start, *(() if last.exists() else fresh), "--cache", work / "cache"]
    done = subprocess.run(
        [sys.executable, "-m", "fer_train", "train", *map(str, arguments)],
        check=False,
        stdout=sys.stderr,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    if done.returncode:
        raise SystemExit(done.returncode)  # fertrain has said why
    return best


def _frozen(network: Frozen, path: Path, *, faces: Path, lite0: Path) -> None:
    import timm
    import torch
    from torch import nn

    torch.manual_seed(SEED)
    body = timm.create_model("tf_efficientnet_lite0", num_classes=1000)
    given = torch.load(lite0, map_location="cpu", weights_only=True)
    wanted = body.state_dict()
    # The same tensors in the same order, under other names.
    assert [v.shape for v in given.values()] == [v.shape for v in wanted.values()]
    body.load_state_dict(dict(zip(wanted, given.values(), strict=True)))
    body.reset_classifier(0)
    body.eval()
    features, classes = _features(body, faces / "train", network=network)
    head = _logistic(features, classes, decay=network.decay)
    whole = nn.Sequential(body, head).eval()
    example = torch.zeros(1, 3, network.side, network.side)
    with atomic_write(path) as temporary:
        torch.jit.save(torch.jit.trace(whole, example), str(temporary))


def _features(body: Any, folder: Path, *, network: Frozen) -> tuple[Any, Any]:
    """Return features ``[N, F]`` and class numbers ``[N]`` of grey faces in -1..1."""
    import torch

    rows, classes = [], []
    for number in range(len(label_order(ORDER))):
        for path in sorted((folder / str(number)).iterdir())[: network.per_class]:
            rows.append(face_crop(load_rgb(path), size=network.side))
            classes.append(number)
    pixels = torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        found = [body(batch.float() / 127.5 - 1) for batch in pixels.split(32)]
    return torch.cat(found).clone(), torch.tensor(classes)


def _logistic(features: Any, classes: Any, *, decay: float) -> Any:
    """Return a linear layer on plain features, fitted with inverse class weights."""
    import torch
    from torch import nn

    count = len(label_order(ORDER))
    mean, std = features.mean(0), features.std(0) + 1e-6
    layer = nn.Linear(features.shape[1], count)
    weights = len(classes) / (count * torch.bincount(classes, minlength=count).float())
    optimiser = torch.optim.LBFGS(layer.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Any:
        optimiser.zero_grad()
        fit = nn.functional.cross_entropy(layer((features - mean) / std), classes, weights)
        total = fit + decay * layer.weight.square().sum()
        total.backward()
        return total

    optimiser.step(loss)
    with torch.no_grad():
        layer.weight /= std
        layer.bias -= layer.weight @ mean
    return layer
