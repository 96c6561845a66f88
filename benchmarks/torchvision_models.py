"""Every torchvision classifier family through coremltools, and the saved files through the runtime.

    python benchmarks/torchvision_models.py convert --work DIR   # about half an hour; resumable
    python benchmarks/torchvision_models.py compare --work DIR   # only what is not compared yet
    python benchmarks/torchvision_models.py write --work DIR > docs/torchvision-models.md

Networks have seeded random weights; nothing is downloaded. Each conversion runs in a process of its
own, under a time limit; its result is a JSON file in DIR, and is not computed again while it is
there. The saved files of all networks take 10 GB.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fer_train.contract.threads import limit_spinning

limit_spinning()

import torch  # noqa: E402
from torchvision_networks.comparing import compare_network  # noqa: E402
from torchvision_networks.converting import convert_network  # noqa: E402
from torchvision_networks.networks import SIZES  # noqa: E402
from torchvision_networks.page import document  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", choices=("convert", "compare", "write"))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--models", nargs="*", choices=SIZES, default=list(SIZES), metavar="NAME")
    parser.add_argument("--limit", type=float, default=600, help="seconds per step of a network")
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    if arguments.stage == "write":
        print(document(arguments.work))
        return
    os.nice(10)
    torch.set_num_threads(1)
    if arguments.stage == "convert":  # imported once, before forking
        logging.disable(logging.CRITICAL)
        import coremltools  # noqa: F401
        import torchvision  # noqa: F401
    stage = {"convert": convert_network, "compare": compare_network}[arguments.stage]
    # ML Programs first: they are the faster ones.
    networks = [(f, model) for f in ("fp32", "fp16", "neuralnetwork") for model in arguments.models]
    with ThreadPoolExecutor(arguments.processes) as pool:
        list(pool.map(partial(stage, arguments.work, arguments.limit), networks))


if __name__ == "__main__":
    main()
