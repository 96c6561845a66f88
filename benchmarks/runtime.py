"""Milliseconds per image of every saved artefact's runtime, as ratios to PyTorch eager.

All in one process and one run, on the artefacts of a build:

    make demo && .venv/bin/python benchmarks/runtime.py
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import get_args

from fer_train.contract.threads import limit_spinning

limit_spinning()

from fer_convert.artefact import FILE_NAMES, ArtefactKind  # noqa: E402
from fer_convert.parity.fixtures import load_fixtures  # noqa: E402
from fer_convert.parity.result import Runner  # noqa: E402
from fer_convert.runners import ModuleRunner, open_runner  # noqa: E402
from fer_convert.source import load_source  # noqa: E402

ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=Path("demo/run/checkpoints/best.pt"))
    parser.add_argument("--build", type=Path, default=Path("demo/build"))
    arguments = parser.parse_args()

    source = load_source(arguments.checkpoint)
    images = [f.image for f in load_fixtures(Path("fixtures"), spec=source.preprocess)]
    loads: dict[str, float] = {}
    opened: dict[str, Runner] = {"torch eager": ModuleRunner(source)}
    for kind in get_args(ArtefactKind):
        start = time.perf_counter()
        opened[kind] = open_runner(kind, arguments.build / FILE_NAMES[kind])
        loads[kind] = time.perf_counter() - start

    timings: dict[str, list[float]] = {name: [] for name in opened}
    for runner in opened.values():
        runner.predict(images[0])  # plans and caches are made on the first call
    for _ in range(ROUNDS):  # in turn, so that a slow moment of the machine hits all alike
        for name, runner in opened.items():
            start = time.perf_counter()
            for image in images:
                runner.predict(image)
            timings[name].append((time.perf_counter() - start) / len(images))

    eager = statistics.median(timings["torch eager"])
    print(f"{source.architecture}, {source.preprocess.input_size} px, batch 1, {ROUNDS} rounds")
    print(f"{'artefact':<16} {'load s':>7} {'ms/image':>9} {'/ eager':>8}  runtime")
    for name, seconds in timings.items():
        median = statistics.median(seconds)
        load = f"{loads[name]:.2f}" if name in loads else ""
        print(
            f"{name:<16} {load:>7} {1000 * median:>9.2f} {median / eager:>8.2f}  "
            f"{opened[name].name}"
        )


if __name__ == "__main__":
    main()
