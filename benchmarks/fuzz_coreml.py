"""Feeds damaged Core ML models to the portable runtime and reports whatever is not a typed error.

    python benchmarks/fuzz_coreml.py --record                  # once: seeds from the tests' models
    python benchmarks/fuzz_coreml.py --seconds 600 --seed 0
    python benchmarks/fuzz_coreml.py --seed 0 --only 1234      # one case again, in this process

Each case is a function of (seed, number, corpus). It is written to disk, loaded and run in both
engines in a worker process under a memory limit and a time limit; only an error of
`fer_train.contract.errors` or an answer is right, and two answers must agree. Findings are saved
once per traceback, each with its files, below --out.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import re
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fer_train.contract.threads import limit_spinning

limit_spinning()

import numpy as np  # noqa: E402
import torch  # noqa: E402
from coreml_fuzzing.corpus import record, recorded, unreached  # noqa: E402
from coreml_fuzzing.messages import Case  # noqa: E402
from coreml_fuzzing.mutations import mutate  # noqa: E402
from coreml_fuzzing.seeds import seeds  # noqa: E402
from google.protobuf.message import DecodeError  # noqa: E402

from fer_convert.coreml_runtime import Program, load  # noqa: E402
from fer_convert.coreml_runtime.read.compressed import EXPANSIONS  # noqa: E402
from fer_convert.coreml_runtime.reference.mil import MIL  # noqa: E402
from fer_train.contract.errors import FerError  # noqa: E402

# Four runs, of values as large as the runtime allows, on a machine that has other work.
CASE_SECONDS = 120
EXTRA_BYTES = 4 << 30  # address space a worker may add to what it has after start-up
# Resident memory that is a finding of its own: more than the largest value that the runtime allows
# (`limits.MOST_ELEMENTS`, 1 GiB in fp32), once more in fp16, and rounded.
HUNGRY_BYTES = 2816 << 20
COMPARED_ELEMENTS = 1 << 20
FED_ELEMENTS = 1 << 16  # the caller chooses the input; a hostile default shape is not fed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="run one case and show its traceback")
    parser.add_argument("--corpus", type=Path, default=Path("build/fuzz-corpus"))
    parser.add_argument("--record", action="store_true", help="fill --corpus from the tests")
    parser.add_argument("--out", type=Path, default=Path("build/fuzz-coreml"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    if arguments.record:
        print(f"{record(arguments.corpus)} models recorded in {arguments.corpus}")
        return 0
    cases = Cases(arguments.seed, arguments.corpus)
    if arguments.only is not None:
        with tempfile.TemporaryDirectory() as folder:
            print(execute(cases.make(arguments.only), Path(folder)))
        return 0
    _limit_memory()
    for number, case in enumerate(cases.valid):  # without seeds a fuzzer finds nothing, quietly
        with tempfile.TemporaryDirectory() as folder:
            outcome = execute(case, Path(folder))
        if outcome[0] not in {"ran", "UnsupportedOperation"} and number < len(seeds()):
            print(f"seed model {number}, {case.name}, does not run: {outcome}")
            return 1
    missing = unreached(cases.valid)
    print(
        f"{len(cases.valid)} seeds; {len(missing)} operations without one: {', '.join(missing)}",
        flush=True,
    )
    findings = fuzz(cases, seconds=arguments.seconds, out=arguments.out)
    return 1 if findings else 0


class Cases:
    """The cases of one seed, by number."""

    def __init__(self, seed: int, corpus: Path) -> None:
        self.seed = seed
        self.valid = [*seeds(), *recorded(corpus)]
        self._types = [*sorted(MIL.functions), *EXPANSIONS, "const", "classify"]

    def make(self, number: int) -> Case:
        rng = random.Random(f"{self.seed}/{number}")
        while True:
            case = rng.choice(self.valid)
            try:
                return mutate(case, rng, types=self._types, donors=self.valid)
            except (DecodeError, RecursionError):  # a graft became too deep to be written
                continue


def execute(case: Case, folder: Path) -> tuple[str, str]:
    """Save, load and run a case: (outcome, traceback). An outcome that is no typed error and not
    ``ran`` starts with ``!``."""
    try:
        path = case.write(folder)
    except (OSError, ValueError) as error:
        return "unwritable", str(error)
    try:
        model = load(path)
        feeds = {f.name: _feed(f) for f in model.inputs if not f.optional}
        if any(feed is None for feed in feeds.values()):
            return "not fed", ""
        problem = _disagreement(*_in_both_engines(model, feeds))
        if problem:
            return f"!{problem.partition(':')[0]}", f"{problem}\nin {case.name}"
    except FerError as error:
        str(error)
        return type(error).__name__, ""
    except BaseException as error:  # what is looked for: anything else at all
        return f"!{type(error).__name__}", traceback.format_exc()
    return "ran", ""


def _in_both_engines(model: Any, feeds: dict[str, Any]) -> tuple[Any, Any]:
    """The answers of the reference engine and of the one that ``predict`` takes, which is run even
    if the other fails: what traps in it would end the process.

    Raises:
        FerError: the reference engine's.
    """
    try:
        fast = model.predict(feeds)
    except FerError as error:
        fast = error
    model.predict(feeds, engine="reference")
    if isinstance(model, Program):
        model.run(feeds, precision="fp16")
    return model.predict(feeds, engine="reference", precision="fp32"), fast


def _disagreement(exact: Any, fast: Any) -> str:
    """What the fast engine answers otherwise, where it has the operations; or ""."""
    if isinstance(fast, FerError):
        return f"only the reference engine runs: {fast}"
    if "fast" not in fast.engine:
        return ""
    for name, value in exact.items():
        ours, theirs = (list(v.values()) if isinstance(v, dict) else v for v in (value, fast[name]))
        if isinstance(ours, str | int):
            continue  # equal scores may have either label
        first, second = np.asarray(ours), np.asarray(theirs)
        if (first.shape, first.dtype) != (second.shape, second.dtype):
            seen = " and ".join(f"{a.dtype}{list(a.shape)}" for a in (first, second))
            return f"another shape or type: {name} is {seen}"
        if first.size > COMPARED_ELEMENTS:
            continue
        # A network's integer is a float cut off: the last bit may make it another one.
        loose = 1.0 if first.dtype.kind in "iu" else 0.0
        first, second = first.astype(float), second.astype(float)
        if not (np.isfinite(first).all() and np.abs(first).max(initial=0) < 1e30):
            continue
        if not np.allclose(
            first, second, rtol=1e-2, atol=loose + 1e-2 * (1 + np.abs(first).max(initial=0))
        ):
            return f"another result: {name} by {np.abs(first - second).max()}"
    return ""


def _feed(feature: Any) -> Any:
    shape = feature.shape
    if feature.kind == "image":
        shape = (1, feature.channels, *feature.shape)
    count = 1
    for size in shape:
        count *= size
        if size > FED_ELEMENTS or count > FED_ELEMENTS:
            return None
    if len(shape) > 32:
        return None
    values = np.random.default_rng(0).uniform(0, 255, shape)
    return values.astype(np.float32 if feature.element.is_float else np.int32)


def _limit_memory() -> None:
    """Let this process add `EXTRA_BYTES` to what it has."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (used + EXTRA_BYTES, hard))


def _work(cases: Cases, first: int, report: Connection) -> None:
    """Run cases from ``first`` on until killed; a line before and after each."""
    _limit_memory()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    folder = Path(tempfile.mkdtemp(prefix="fuzz-coreml-"))
    number = first
    while True:
        case = cases.make(number)
        report.send(("start", number, case.name))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        outcome, trace = execute(case, folder)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
        if grown > HUNGRY_BYTES and not outcome.startswith("!"):
            outcome, trace = f"!{grown >> 20} MiB", f"{case.name}: {outcome}"
        report.send(("done", number, outcome, trace))
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        number += 1
        if grown > HUNGRY_BYTES:
            os._exit(0)  # the next worker measures from a small size again


def fuzz(cases: Cases, *, seconds: float, out: Path) -> int:
    """Run workers one after another; returns how many different findings there were."""
    context = multiprocessing.get_context("fork")
    outcomes: Counter[str] = Counter()
    findings: dict[str, int] = {}
    number, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        parent, child = context.Pipe()
        worker = context.Process(target=_work, args=(cases, number, child), daemon=True)
        worker.start()
        child.close()
        name = ""
        while time.monotonic() < end:
            try:
                if not parent.poll(CASE_SECONDS):
                    outcome, trace = "!timeout", f"timeout in {name}"
                else:
                    kind, number, *rest = parent.recv()
                    if kind == "start":
                        name = rest[0]
                        continue
                    outcome, trace = rest
                    name = ""
            except EOFError:
                worker.join()
                if not name:
                    break
                outcome, trace = f"!exit {worker.exitcode}", f"{name}: exit {worker.exitcode}"
            outcomes[outcome] += 1
            if outcome.startswith("!"):
                _save(cases, number, outcome, trace, findings, out)
            number += 1
            if outcome == "!timeout" or outcome.startswith("!exit"):
                break
        worker.kill()
        worker.join()
    total = sum(outcomes.values())
    print(f"{total} cases, {len(findings)} different findings in {sum(findings.values())} of them")
    for outcome, count in outcomes.most_common():
        print(f"{count:8d}  {outcome}")
    return len(findings)


def _save(
    cases: Cases, number: int, outcome: str, trace: str, findings: dict[str, int], out: Path
) -> None:
    """Keep the first case of every kind: same exception raised at the same line of the runtime."""
    lines = trace.splitlines()
    places = [line.strip() for line in lines if "coreml_runtime" in line]
    key = f"{outcome.split()[0]} {places[-1] if places else re.sub('[0-9]+', '0', trace)[:90]}"
    findings[key] = findings.get(key, 0) + 1
    if findings[key] > 1:
        return
    folder = out / f"{cases.seed}-{number}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    case = cases.make(number)
    case.write(folder)
    details = {"seed": cases.seed, "case": number, "model": case.name, "outcome": outcome}
    (folder / "finding.txt").write_text(f"{json.dumps(details)}\n{trace}\n")
    message = lines[-1][:300] if lines else ""
    print(
        f"{outcome} in case {number} ({case.name}), {folder}\n    {key}\n    {message}", flush=True
    )


if __name__ == "__main__":
    sys.exit(main())
