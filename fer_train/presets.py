"""Named recipes: values that take the place of defaults and are overridden by everything else."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

#: The recipe that the single-script project this toolchain replaces states, done as described:
#: the backbone really frozen, the plateau really stepped, the pruned network measured. Class
#: weights come from the counts of the data at hand instead of a list in the source, and macro-F1
#: chooses the best epoch. As there, nothing trains after the pruning, and the crop may keep as
#: little as 8 % of a face (torchvision's default).
_ORIGINAL: Mapping[str, Any] = MappingProxyType(
    {
        "arch": "resnet152",
        "weights": "IMAGENET1K_V1",
        "input_size": 48,
        "color": "gray",
        "normalize": "imagenet",
        "finetune": "head",
        "epochs": 100,
        "batch_size": 32,
        "lr": 1e-4,
        "weight_decay": 1e-5,
        "clip_norm": 1.0,
        "schedule": "plateau",
        "patience": 5,
        "plateau_factor": 0.1,
        "select": "macro_f1",
        "class_weights": "inverse",
        "crop_area_min": 0.08,
        "crop_ratio_max": 4 / 3,
        "rotation": 10.0,
        "translation": 0.1,
        "flip": 0.5,
        "brightness": 0.2,
        "contrast": 0.2,
        # It jittered images that were grey already, where saturation does nothing.
        "saturation": 0.0,
        "prune": 0.2,
        "prune_scope": "layer",
        "recovery_epochs": 0,
    }
)

#: The best of the recipes measured on real faces (docs/recipes.md): all layers learn from given
#: weights at one rate with cosine decay, weights averaged, rare classes corrected mildly.
_RECOMMENDED: Mapping[str, Any] = MappingProxyType(
    {
        "arch": "efficientnet_b0",
        "weights": "default",
        "finetune": "all",
        "epochs": 30,
        "lr": 1e-3,
        "batch_size": 64,
        "schedule": "cosine",
        "warmup_epochs": 0.5,
        "early_stop": 8,
        "select": "macro_f1",
        "class_weights": "sqrt-inverse",
        "label_smoothing": 0.1,
        "ema": 0.99,
        "prune": 0.0,
    }
)

PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"original": _ORIGINAL, "recommended": _RECOMMENDED}
)
