"""Load time, milliseconds per image, memory and agreement of both Core ML engines.

    .venv/bin/python benchmarks/runtime.py                      # all six architectures, 224 px
    .venv/bin/python benchmarks/runtime.py --arch resnet101 --size 48 --json

Networks have seeded random weights, running statistics of their own activations, and a head scaled
so that the answers differ. Every export is a process of its own, through ferconv's exporters, into
a temporary folder; so is every measurement of memory. Times are taken in one process per network,
the runtimes in turn. ``/ eager`` compares with PyTorch in memory, ``/ onnx`` with onnxruntime on
ferconv's own ONNX file. ``peak`` is the resident memory of loading and one prediction above that of
the imports, mapped pages included, as a multiple of the fp32 weights; ``- act.`` is that without
the activations, the most that results waiting for a reader take at once.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

from fer_train.contract.threads import limit_spinning

limit_spinning()

ARCHITECTURES = (
    "efficientnet_b0", "resnet101", "resnet152", "densenet121", "densenet161", "densenet201",
)  # fmt: skip
CORE_ML = ("mlmodel", "mlpackage-fp32", "mlpackage-fp16")
ENGINES = ("reference", "fast")
ROUNDS = 5
IMAGES = 4
LABELS = "anger,contempt,disgust,fear,happiness,neutral,sadness,surprise"
WEIGHTS = "weights.pt"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arch", action="append", choices=ARCHITECTURES)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--step", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        step, *rest = arguments.step
        result = STEPS[step](arguments.folder, arguments, *rest)
        (arguments.folder / "result.json").write_text(json.dumps(result))
        return
    records = [_network(arch, arguments) for arch in arguments.arch or ARCHITECTURES]
    if arguments.json:
        print(json.dumps(records, indent=1))


def _network(arch: str, arguments: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="runtime-benchmark.") as name:
        folder = Path(name)
        weight_bytes = _in_process(folder, arguments, "prepare", arch)
        for kind in ("onnx", *CORE_ML):
            _in_process(folder, arguments, "export", arch, kind)
        record = _in_process(folder, arguments, "time", arch)
        activations = record["activation_bytes"]
        for entry in record["runtimes"]:
            peak = _in_process(folder, arguments, "memory", arch, entry["kind"], entry["engine"])
            entry["peak_over_weights"] = peak / weight_bytes
            entry["peak_less_activations_over_weights"] = (peak - activations) / weight_bytes
    record |= {"architecture": arch, "size": arguments.size, "weight_bytes": weight_bytes}
    if not arguments.json:
        _print(record)
    return record


def _in_process(folder: Path, arguments: argparse.Namespace, *step: str) -> Any:
    command = [sys.executable, __file__, "--folder", str(folder), "--size", str(arguments.size)]
    command += ["--rounds", str(arguments.rounds), "--step", *step]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(step)} failed:\n{done.stderr}")
    return json.loads((folder / "result.json").read_text())


def _print(record: dict[str, Any]) -> None:
    megabytes = record["weight_bytes"] / 1e6
    activations = record["activation_bytes"] / 1e6
    print(f"\n{record['architecture']}, {record['size']} px, batch 1, {record['threads']} threads,")
    print(f"{megabytes:.0f} MB of fp32 weights, {activations:.1f} MB of activations at the most")
    print(
        f"{'artefact':<16}{'engine':<13}{'load s':>8}{'ms':>9}{'/ eager':>9}{'/ onnx':>8}", end=""
    )
    print(f"{'peak':>8}{'- act.':>8}  max |dp|")
    for entry in record["runtimes"]:
        delta = entry.get("max_delta_p")
        print(
            f"{entry['kind']:<16}{entry['engine']:<13}{entry['load_s']:>8.2f}{entry['ms']:>9.1f}"
            f"{entry['over_eager']:>9.2f}{entry['over_onnx']:>8.2f}"
            f"{entry['peak_over_weights']:>8.2f}{entry['peak_less_activations_over_weights']:>8.2f}"
            f"  {'' if delta is None else format(delta, '.1e')}",
            flush=True,
        )


def prepare(folder: Path, arguments: argparse.Namespace, arch: str) -> int:
    """Write a network with random weights; the bytes of its tensors."""
    import torch
    from torch import nn

    from fer_train.contract.architectures import architecture, build_model

    torch.manual_seed(0)
    model = build_model(arch, num_classes=len(LABELS.split(",")))
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None  # the average of all passes instead of a moving one
            part.reset_running_stats()
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    pixels = torch.randn(8, 3, arguments.size, arguments.size)
    with torch.no_grad():
        model.train()(pixels)
        logits = model.eval()(pixels)
        model.get_submodule(architecture(arch).linear).weight.mul_(2 / logits.std())
    torch.save(model.state_dict(), folder / WEIGHTS)
    return sum(t.numel() * 4 for t in model.state_dict().values() if t.is_floating_point())


def export(folder: Path, arguments: argparse.Namespace, arch: str, kind: Any) -> None:
    from fer_convert.artefact import contract_record, contract_text, describe
    from fer_convert.export.artefacts import convert_all
    from fer_convert.export.quiet import quiet
    from fer_convert.progress import Progress

    source = _source(folder, arguments, arch)
    with quiet():
        description = describe(
            source,
            contract=contract_text(contract_record(source, demo=True)),
            author="benchmark",
            license="MIT",
            version="1",
            demo=True,
        )
        convert_all(
            source,
            folder,
            kinds=[kind],
            description=description,
            storage="dense",
            progress=Progress(quiet=True),
        )


def measure_time(folder: Path, arguments: argparse.Namespace, arch: str) -> dict[str, Any]:
    import numpy as np
    import torch

    from fer_convert.artefact import FILE_NAMES
    from fer_convert.parity.runners import ModuleRunner, OnnxRunner

    source, images = _source(folder, arguments, arch), _images(arguments.size)
    opened: dict[tuple[str, str], Callable[[Any], Any]] = {}
    loads: dict[tuple[str, str], float] = {}

    def open_timed(key: tuple[str, str], make: Callable[[], Callable[[Any], Any]]) -> None:
        start = time.perf_counter()
        opened[key] = make()
        opened[key](images[0])  # plans, sessions and caches are made on the first call
        loads[key] = time.perf_counter() - start

    threads = torch.get_num_threads()
    onnx = folder / FILE_NAMES["onnx"]
    eager = ("module", "torch")
    exported = ("onnx", "onnxruntime")
    open_timed(eager, lambda: _probabilities(ModuleRunner(source)))
    open_timed(exported, lambda: _probabilities(OnnxRunner(onnx, threads=threads)))
    for kind in CORE_ML:
        for engine in ENGINES:
            path = folder / FILE_NAMES[kind]
            open_timed((kind, engine), lambda path=path, engine=engine: _open(path, engine))

    timings: dict[tuple[str, str], list[float]] = {key: [] for key in opened}
    answers: dict[tuple[str, str], list[Any]] = {}
    for _ in range(arguments.rounds):  # in turn: a slow moment of the machine hits all alike
        for key, predict in opened.items():
            start = time.perf_counter()
            answers[key] = [predict(image) for image in images]
            timings[key].append((time.perf_counter() - start) / len(images))
    seconds = {key: statistics.median(values) for key, values in timings.items()}
    entries = []
    for (kind, engine), median in seconds.items():
        entry = {
            "kind": kind,
            "engine": engine,
            "load_s": loads[kind, engine],
            "ms": 1000 * median,
            "over_eager": median / seconds[eager],
            "over_onnx": median / seconds[exported],
        }
        if engine == "fast":
            plain = np.stack(answers[kind, "reference"])
            entry["max_delta_p"] = float(np.abs(np.stack(answers[kind, engine]) - plain).max())
        entries.append(entry)
    return {
        "threads": threads,
        "rounds": arguments.rounds,
        "runtimes": entries,
        "activation_bytes": _activation_bytes(folder / FILE_NAMES["mlpackage-fp32"], images[0]),
    }


def _activation_bytes(path: Path, image: Any) -> int:
    """The most bytes of fp32 results alive at once, each until its last reader has read it."""
    from fer_convert.coreml_runtime import load_program

    program = load_program(path)
    operations = program.graph.operations
    results = [[o.name for o in operation.outputs] for operation in operations]
    values = program.run({"image": image}, precision="fp32", capture=[*chain(*results)])
    last_reader = {name: i for i, op in enumerate(operations) for name in op.reads}
    most = alive = 0
    for i, (operation, names) in enumerate(zip(operations, results, strict=True)):
        alive += sum(values[name].nbytes for name in names)
        most = max(most, alive)
        dead = {name for name in operation.reads if last_reader[name] == i} & values.keys()
        alive -= sum(values[name].nbytes for name in dead)
    return most


def measure_memory(
    folder: Path, arguments: argparse.Namespace, arch: str, kind: Any, engine: str
) -> int:
    import onnx  # noqa: F401 - the imports belong to the baseline
    import onnxruntime  # noqa: F401
    import torch

    from fer_convert.artefact import FILE_NAMES
    from fer_convert.coreml_runtime import fast  # noqa: F401
    from fer_convert.coreml_runtime.read.proto import proto_module
    from fer_convert.coreml_runtime.reference.mil import MIL  # noqa: F401
    from fer_convert.parity.runners import ModuleRunner, OnnxRunner

    proto_module("Model_pb2")
    threads = torch.get_num_threads()
    baseline = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if engine == "torch":
        predict = _probabilities(ModuleRunner(_source(folder, arguments, arch)))
    elif engine == "onnxruntime":
        predict = _probabilities(OnnxRunner(folder / FILE_NAMES[kind], threads=threads))
    else:
        predict = _open(folder / FILE_NAMES[kind], engine)
    predict(_images(arguments.size)[0])
    return 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - baseline)


def _open(path: Path, engine: str) -> Callable[[Any], Any]:
    """Probabilities of a picture, as the engine computes them; fp32 in both, to compare them."""
    from fer_convert.coreml_runtime import load_program

    program = load_program(path)

    def predict(image: Any) -> list[float]:
        answer = program.predict({"image": image}, engine=engine, precision="fp32")
        return list(answer[program.probabilities_name].values())

    return predict


def _probabilities(runner: Any) -> Callable[[Any], Any]:
    from fer_convert.parity.runners import predict_one

    return lambda image: predict_one(runner, image).probabilities


def _source(folder: Path, arguments: argparse.Namespace, arch: str) -> Any:
    from fer_convert.source import load_source
    from fer_train.contract.preprocess import PreprocessSpec

    spec = json.dumps(asdict(PreprocessSpec(input_size=arguments.size)))
    return load_source(folder / WEIGHTS, arch=arch, labels=LABELS, preprocess=spec)


def _images(size: int) -> list[Any]:
    import numpy as np

    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (size, size, 3), dtype=np.uint8) for _ in range(IMAGES)]


STEPS: dict[str, Callable[..., Any]] = {
    "prepare": prepare,
    "export": export,
    "time": measure_time,
    "memory": measure_memory,
}


if __name__ == "__main__":
    main()
