"""Sparse storage: fewer bytes, the same values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fer_convert import coreml_runtime
from fer_convert.artefact import FILE_NAMES
from fer_convert.export.sparse import choose_storage
from fer_convert.source import Source, load_source
from tests.fer_convert.nets import SPEC, Ferconv, save_script, tiny_network


def _source(tmp_path: Path, *, zeros: float) -> Source:
    path = tmp_path / f"zeros-{zeros}.pt"
    save_script(tiny_network(zeros=zeros), path)
    return load_source(path, labels="affectnet-folders", preprocess=json.dumps(SPEC.to_dict()))


@pytest.mark.parametrize(
    ("zeros", "choice", "expected"),
    [
        (0.0, "auto", "dense"),
        (0.05, "auto", "dense"),
        (0.3, "auto", "sparse"),
        (0.3, "dense", "dense"),
        (0.0, "sparse", "sparse"),
    ],
)
def test_auto_is_sparse_when_it_pays(
    tmp_path: Path, zeros: float, choice: Any, expected: str
) -> None:
    assert choose_storage(_source(tmp_path, zeros=zeros), choice) == expected


@pytest.mark.parametrize("kind", ["mlpackage-fp32", "mlpackage-fp16"])
def test_sparse_storage_is_smaller_and_answers_bit_for_bit_alike(
    ferconv: Ferconv, faces: Path, tmp_path: Path, kind: Any
) -> None:
    source = _source(tmp_path, zeros=0.5)
    programs = {}
    sizes = {}
    for storage in ("dense", "sparse"):
        out = tmp_path / storage
        ran = ferconv(
            *("build", "--checkpoint", source.path, "--fixtures", faces, "--no-package"),
            *("--labels", "affectnet-folders", "--preprocess", json.dumps(SPEC.to_dict())),
            *("--out", out, "--only", kind, "--storage", storage),
        )
        assert ran.code == 0, ran.out + ran.err
        package = out / FILE_NAMES[kind]
        programs[storage] = coreml_runtime.load(package)
        sizes[storage] = (package / "Data/com.apple.CoreML/weights/weight.bin").stat().st_size
    assert sizes["sparse"] < 0.7 * sizes["dense"]
    counts = programs["sparse"].operation_counts
    assert counts["constexpr_sparse_to_dense"] >= 1
    assert "constexpr_sparse_to_dense" not in programs["dense"].operation_counts
    for file in sorted(faces.rglob("*.png")):
        image = np.asarray(Image.open(file).resize((SPEC.input_size, SPEC.input_size)))
        dense, sparse = (
            programs[s].run({"image": image})["classLabel_probs"] for s in ("dense", "sparse")
        )
        assert np.array_equal(dense, sparse)


def test_every_weight_of_the_network_is_in_the_sparse_file(
    ferconv: Ferconv, faces: Path, tmp_path: Path
) -> None:
    """Not only the zeros: the mask may hide nothing that was not zero."""
    source = _source(tmp_path, zeros=0.5)
    ran = ferconv(
        *("build", "--checkpoint", source.path, "--fixtures", faces, "--no-package"),
        *("--labels", "affectnet-folders", "--preprocess", json.dumps(SPEC.to_dict())),
        *("--out", tmp_path / "b", "--only", "mlpackage-fp32", "--storage", "sparse"),
    )
    assert ran.code == 0, ran.out + ran.err
    program = coreml_runtime.load(tmp_path / "b" / FILE_NAMES["mlpackage-fp32"])
    constants = [
        operand.read()
        for operation in program.graph.operations
        for bound in operation.arguments.values()
        for operand in bound
        if not isinstance(operand, str)
    ]
    weight = source.network.state_dict()["2.weight"].numpy()
    assert any(c.shape == weight.shape and np.array_equal(c, weight) for c in constants)
