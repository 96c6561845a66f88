"""Seeds recorded from the tests of the runtime, and which operations all seeds reach."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from coreml_fuzzing.messages import MANIFEST, Case
from fer_convert.coreml_runtime.read.compressed import EXPANSIONS
from fer_convert.coreml_runtime.read.nn_lowering import RECIPES
from fer_convert.coreml_runtime.read.proto import proto_module
from fer_convert.coreml_runtime.reference.mil import MIL

_ROOT = Path(__file__).resolve().parents[2]


def record(folder: Path) -> int:
    """Run the tests with `recorder` and keep their models in ``folder``; returns how many."""
    folder = folder.resolve()
    path = os.pathsep.join([str(_ROOT), str(_ROOT / "benchmarks")])
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "coreml_fuzzing.recorder", "-p",
         "no:cacheprovider", "tests/fer_convert/coreml_runtime",
         "--ignore=tests/fer_convert/coreml_runtime/test_architectures.py"],
        cwd=_ROOT, env=os.environ | {"PYTHONPATH": path, "FUZZ_COREML_CORPUS": str(folder)},
        check=False,  # a failing test is no matter of the fuzzer
    )  # fmt: skip
    return len(list(folder.glob("*.mlmodel")))


def recorded(folder: Path) -> list[Case]:
    """The seeds in ``folder``; none if it does not exist."""
    cases = []
    for path in sorted(folder.glob("*.mlmodel")):
        spec = proto_module("Model_pb2").Model.FromString(path.read_bytes())
        weights = path.with_suffix(".bin")
        kinds = sorted(types_of(spec))
        name = f"{path.stem} {'+'.join(kinds[:3])}{'+…' if len(kinds) > 3 else ''}"
        if weights.exists():
            cases.append(Case(name, spec, weights.read_bytes(), json.dumps(MANIFEST).encode()))
        else:
            cases.append(Case(name, spec))
    return cases


def types_of(spec: Any) -> set[str]:
    """Operation and layer types of a specification, those of a pipeline's models included."""
    kind = spec.WhichOneof("Type")
    if kind == "mlProgram":
        return {
            operation.type
            for function in spec.mlProgram.functions.values()
            for block in function.block_specializations.values()
            for operation in block.operations
        }
    if kind == "pipeline":
        return set().union(*(types_of(model) for model in spec.pipeline.models))
    found = set()
    for layer in getattr(getattr(spec, kind), "layers", ()):
        name = str(layer.WhichOneof("layer"))
        if name == "activation":
            name += f".{layer.activation.WhichOneof('NonlinearityType')}"
        found.add(name)
    return found


def unreached(cases: Iterable[Case]) -> list[str]:
    """Operations and layers of the runtime that no seed has."""
    found = set().union(*(types_of(case.spec) for case in cases))
    preprocessing = {"scaler", "meanImage"}  # beside the layers
    return sorted({*MIL.public, *EXPANSIONS, *RECIPES.public} - found - preprocessing)
