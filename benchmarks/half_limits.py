"""The limits of half precision, measured on networks with real weights or real faces.

    python benchmarks/half_limits.py --work DIR --faces AffectNet --lite0 efficientnet-lite0.pth \\
        > docs/half-limits.md

Trains or assembles each network, converts it to an fp16 ML Program, asks the file, the checkpoint
and PyTorch's half about faces that none has seen, damages the file in every known way, and holds
all of it against the limits in force and those before. Nothing is downloaded. Faces: `train` and
`val`, one folder per class, numbered in the order `affectnet-folders`. Weights: the ImageNet state
dict of EfficientNet-Lite0, with 296 tensors (left out, the networks that need it are, too).

Everything lies below DIR; what is there is not done again. About an hour on one core.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fer_train.contract.threads import limit_spinning

limit_spinning()

from half_limits_parts.answers import answers  # noqa: E402
from half_limits_parts.faces import named  # noqa: E402
from half_limits_parts.measuring import figures  # noqa: E402
from half_limits_parts.networks import NETWORKS, Frozen, made  # noqa: E402
from half_limits_parts.page import document  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--lite0", type=Path)
    parser.add_argument("--network", action="append", choices=NETWORKS)
    parser.add_argument("--count", type=int, default=600, help="Faces to ask about.")
    parser.add_argument("--build", type=Path, help="report.json of ferconv build for lite0-112.")
    arguments = parser.parse_args()
    os.nice(15)
    records = {name: _record(name, arguments) for name in _chosen(arguments)}
    build = None if arguments.build is None else json.loads(arguments.build.read_text())
    print(document(records, build=build))


def _chosen(arguments: argparse.Namespace) -> list[str]:
    chosen = arguments.network or list(NETWORKS)
    without = [n for n in chosen if isinstance(NETWORKS[n], Frozen) and arguments.lite0 is None]
    if without:
        print(f"Without --lite0 there is no {', '.join(without)}.", file=sys.stderr)
    return [name for name in chosen if name not in without]


def _record(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    import torch

    torch.set_num_threads(1)
    work = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    network, further = made(name, work=work, faces=arguments.faces, lite0=arguments.lite0)
    found = answers(
        network,
        further,
        faces=named(arguments.faces / "val", work / "val"),
        count=arguments.count,
        cache=work / f"{name}.npz",
    )
    print(f"{name}: asked", file=sys.stderr)
    return figures(found)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("Interrupted; the same command continues.") from None
