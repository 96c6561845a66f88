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
from tests.fer_convert.nets import SPEC, run_once, save_script, tiny_network


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


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return _source(tmp_path_factory.mktemp("half"), zeros=0.5)


@pytest.fixture(scope="module")
def builds(half: Source, faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds of ``half``, in the folders dense and sparse."""
    root = tmp_path_factory.mktemp("builds")
    for storage in ("dense", "sparse"):
        ran = run_once(
            *("build", "--checkpoint", half.path, "--fixtures", faces, "--no-package"),
            *("--labels", "affectnet-folders", "--preprocess", json.dumps(SPEC.to_dict())),
            *("--only", "mlpackage-fp32", "--only", "mlpackage-fp16"),
            *("--out", root / storage, "--storage", storage),
        )
        assert ran.code == 0, ran.out + ran.err
    return root


@pytest.mark.parametrize("kind", ["mlpackage-fp32", "mlpackage-fp16"])
def test_sparse_storage_is_smaller_and_answers_bit_for_bit_alike(
    builds: Path, faces: Path, kind: Any
) -> None:
    programs = {}
    sizes = {}
    for storage in ("dense", "sparse"):
        package = builds / storage / FILE_NAMES[kind]
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


def test_every_weight_of_the_network_is_in_the_sparse_file(half: Source, builds: Path) -> None:
    """Not only the zeros: the mask may hide nothing that was not zero."""
    program = coreml_runtime.load(builds / "sparse" / FILE_NAMES["mlpackage-fp32"])
    constants = [
        operand.read()
        for operation in program.graph.operations
        for bound in operation.arguments.values()
        for operand in bound
        if not isinstance(operand, str)
    ]
    weight = half.network.state_dict()["2.weight"].numpy()
    assert any(c.shape == weight.shape and np.array_equal(c, weight) for c in constants)
