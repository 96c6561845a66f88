"""Families of timm by name through ``ferconv build``, every format compared with PyTorch.

    python benchmarks/timm_models.py build --work DIR   # about a quarter of an hour; resumable
    python benchmarks/timm_models.py compare --work DIR
    python benchmarks/timm_models.py train --work DIR --faces AffectNet [--lite0 FILE]
    python benchmarks/timm_models.py write --work DIR > docs/timm-models.md

Networks have seeded random weights; nothing is downloaded. A network's result is a JSON file in
DIR, and is not built again while it is there. `train` gives the five for phones a few epochs on
real faces; FILE has ImageNet's weights for EfficientNet-Lite0 (see `timm_networks/training.py`).
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fer_train.contract.threads import limit_spinning

limit_spinning()

from timm_networks.building import build, result_path  # noqa: E402
from timm_networks.comparing import compare  # noqa: E402
from timm_networks.networks import SIZES  # noqa: E402
from timm_networks.page import document  # noqa: E402
from timm_networks.training import PHONES, renamed, train, trained_path  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", choices=("build", "compare", "train", "write"))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--models", nargs="*", choices=SIZES, default=list(SIZES), metavar="NAME")
    parser.add_argument("--limit", type=float, default=300, help="seconds for a network")
    parser.add_argument("--faces", type=Path, help="real faces, {train,val}/{class}/")
    parser.add_argument("--lite0", type=Path, help="ImageNet weights of EfficientNet-Lite0")
    arguments = parser.parse_args()
    if arguments.stage == "write":
        print(document(arguments.work), end="")
        return
    os.nice(10)
    arguments.work.mkdir(parents=True, exist_ok=True)
    if arguments.stage == "train":
        for name in PHONES:
            if not trained_path(arguments.work, name).exists():
                given = arguments.lite0 if name.endswith("lite0") else None
                weights = str(renamed(arguments.work, name, given)) if given else "none"
                train(arguments.work, name, arguments.faces, weights)
        return
    for name in arguments.models:
        if arguments.stage == "build" and not result_path(arguments.work, name).exists():
            build(arguments.work, name, arguments.limit)
        elif arguments.stage == "compare" and result_path(arguments.work, name).exists():
            compare(arguments.work, name)


if __name__ == "__main__":
    main()
