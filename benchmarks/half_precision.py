"""How near the portable runtime's fp16 comes to PyTorch's own half precision, on trained weights.

    python benchmarks/half_precision.py --work DIR > docs/half-precision.md
    python benchmarks/half_precision.py --work DIR --arch densenet121 --arch resnet101

Draws faces, trains the six architectures on them with fertrain (about an hour on one core),
converts each with ferconv's exporters, and compares on test faces that no network has seen.
Everything lies below DIR; what is there is not done again, and an interrupted training continues.
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

from half_precision_parts.measuring import measure  # noqa: E402
from half_precision_parts.page import document  # noqa: E402
from half_precision_parts.training import RECIPES, draw_faces, train  # noqa: E402

from fer_train.contract.files import write_json  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--arch", action="append", choices=RECIPES)
    arguments = parser.parse_args()
    os.nice(15)
    records = {arch: _record(arguments.work, arch) for arch in arguments.arch or RECIPES}
    print(document(records))


def _record(work: Path, arch: str) -> dict[str, Any]:
    """Train and measure one architecture, or read what was measured."""
    import torch

    path = work / "measured" / f"{arch}.json"
    if not path.exists():
        torch.set_num_threads(1)
        run = train(work, arch)
        record = measure(run / "checkpoints" / "best.pt", draw_faces(work) / "test")
        record["trained"] = json.loads((run / "metrics.json").read_text())
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, record)
        print(f"{arch}: measured", file=sys.stderr)
    found: dict[str, Any] = json.loads(path.read_text())
    return found


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("Interrupted; the same command continues.") from None
