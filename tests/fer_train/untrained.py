"""Checkpoints of networks that never trained, for tests of what follows a training."""

from __future__ import annotations

from pathlib import Path

import torch

from fer_train.config.options import PruneScope, TrainConfig
from fer_train.contract.architectures import build_model
from fer_train.contract.checkpoint import Checkpoint, write_checkpoint
from fer_train.contract.labels import EMOTIONS
from fer_train.contract.preprocess import PreprocessSpec
from fer_train.learning.pruning import apply_masks, compute_masks, sparsity_table

ARCH = "mobilenet_v3_small"


def write_model(path: Path, *, pruned: float = 0.0, scope: PruneScope = "layer") -> Path:
    """Write the smallest network, 32 px, random but for its zeros, and return ``path``."""
    torch.manual_seed(0)
    model = build_model(ARCH, num_classes=len(EMOTIONS))
    masks = compute_masks(model, sparsity=pruned, scope=scope) if pruned else {}
    apply_masks(model, masks)
    config = TrainConfig(data="faces", arch=ARCH, input_size=32, prune=pruned, prune_scope=scope)
    checkpoint = Checkpoint(
        arch=ARCH,
        labels=EMOTIONS,
        preprocess=PreprocessSpec(input_size=32),
        model=model.state_dict(),
        sparsity=sparsity_table(model, masks),
        config=config.to_dict(),
    )
    write_checkpoint(path, checkpoint)
    return path
