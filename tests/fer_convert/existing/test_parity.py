"""``ferconv parity`` on files that exist already."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from fer_convert.artefact import FILE_NAMES, SCHEMA, ArtefactKind
from fer_convert.commands.names import RUNNERS
from fer_convert.coreml_runtime.read.proto import proto_module
from fer_convert.existing.ways import RUNNER_NAMES
from fer_convert.parity import runners
from fer_train.contract.labels import EMOTIONS
from tests.fer_convert.nets import FACES, Ferconv, save_script, tiny_network

KINDS: tuple[ArtefactKind, ...] = get_args(ArtefactKind)


def rows(report: dict[str, Any]) -> dict[str, str]:
    """Title -> verdict of what this machine can run."""
    return {row["title"]: row["verdict"] for row in report["artefacts"] if row["required"]}


def reasons(report: dict[str, Any]) -> str:
    return " ".join(reason for row in report["artefacts"] for reason in row["reasons"])


def test_every_artefact_of_a_build_passes_against_its_checkpoint(
    ferconv: Ferconv,
    script: Path,
    tiny_build: Path,
    faces: Path,
    words: list[object],
    tmp_path: Path,
) -> None:
    files = [tiny_build / FILE_NAMES[kind] for kind in KINDS]
    out = tmp_path / "p"
    ran = ferconv("parity", script, *files, "--fixtures", faces, *words, "--out", out)
    assert ran.code == 0, ran.out + ran.err
    assert f"compared on {FACES} images with {script.name}" in ran.out
    report = json.loads((out / "parity.json").read_text())
    assert (report["command"], report["verdict"]) == ("parity", "PASS")
    assert rows(report) == dict.fromkeys((file.name for file in files), "PASS")
    sizes = {row["file"]["name"]: row["file"] for row in report["artefacts"]}
    built = json.loads((tiny_build / "report.json").read_text())
    for row in built["artefacts"]:
        if row["file"]:
            seen = sizes[row["file"]["name"]]
            assert {**seen, "conversion_seconds": 0} == {**row["file"], "conversion_seconds": 0}
            assert seen["conversion_seconds"] is None
    assert {path.name for path in out.iterdir()} == {
        *("parity.json", "parity.html", "parity.md", "junit.xml"),
    }
    page = (out / "parity.html").read_text()
    assert f"answers like the reference {script.name} on all {FACES} images" in page
    assert "published" not in page and "checkpoint" not in page.partition("Provenance")[0]
    if runners.apple_runtime_missing():
        absent = {(item["kind"], item["runtime"]) for item in report["not_run"]}
        assert len(absent) == 3
        assert "EmotionNet.mlpackage on Apple Core ML: needs macOS" in ran.out


@pytest.mark.parametrize("kind", ["torchscript", "onnx", "mlpackage-fp32", "mlpackage-fp16"])
def test_any_artefact_can_be_the_reference(
    ferconv: Ferconv, tiny_build: Path, faces: Path, kind: ArtefactKind
) -> None:
    compared: tuple[ArtefactKind, ...] = ("torchscript", "mlpackage-fp16", "mlmodel")
    others = [tiny_build / FILE_NAMES[other] for other in compared if other != kind]
    ran = ferconv(
        "parity", tiny_build / FILE_NAMES[kind], *others, "--fixtures", faces, "--json", "--quiet"
    )
    report = json.loads(ran.out)
    half = next((r for r in report["artefacts"] if r["kind"] == "mlpackage-fp16"), None)
    if kind == "onnx":  # which nothing here runs in half precision
        assert ran.code == 41
        assert half is not None and "onnxruntime runs a file in the precision" in reasons(report)
        return
    assert ran.code == 0, reasons(report)
    if half is not None:
        (same,) = (c for c in half["checks"] if c["name"] == "same-network")
        core_ml = kind in ("mlmodel", "mlpackage-fp32")
        said = "the reference with every value rounded" if core_ml else "PyTorch's own half"
        assert said in same["detail"]
    else:
        # Against a rounded reference everything is judged by what rounding costs.
        every = [c["detail"] for r in report["artefacts"] for c in r["checks"]]
        assert sum("the reference's own rounding errs by" in detail for detail in every) == 2


def test_another_network_fails_and_is_named(
    ferconv: Ferconv, tiny_build: Path, faces: Path, words: list[object], tmp_path: Path
) -> None:
    torch.manual_seed(1)
    other = tiny_network()
    with torch.no_grad():
        other[6].weight.copy_(torch.randn_like(other[6].weight))
    save_script(other, tmp_path / "other.pt")
    onnx = tiny_build / FILE_NAMES["onnx"]
    ran = ferconv("parity", tmp_path / "other.pt", onnx, "--fixtures", faces, *words, "--json")
    assert ran.code == 40
    assert "because of: EmotionNet.onnx" in ran.err and "--out DIR writes" in ran.err
    (row,) = json.loads(ran.out)["artefacts"]
    failed = {check["name"] for check in row["checks"] if check["verdict"] == "FAIL"}
    assert {"contract", "probabilities", "logits"} <= failed
    assert "checkpoint_sha256 is" in " ".join(row["reasons"])


def test_a_runtime_that_was_asked_for_and_is_missing_is_no_pass(
    ferconv: Ferconv, tiny_build: Path, faces: Path
) -> None:
    fp32, half = (tiny_build / FILE_NAMES[k] for k in ("mlpackage-fp32", "mlpackage-fp16"))
    chosen = ["--runner", "apple-ne", "--runner", "portable-fp16"]
    ran = ferconv("parity", fp32, half, "--fixtures", faces, *chosen, "--json")
    report = json.loads(ran.out)
    verdicts = {row["runtime"]: row["verdict"] for row in report["artefacts"]}
    rounded = f"{runners.PORTABLE_RUNTIME}, every value rounded"
    if runners.apple_runtime_missing():
        assert ran.code == 41
        assert verdicts == {rounded: "PASS", "Apple Core ML, CPU_AND_NE": "NOT RUN"}


def test_a_runner_that_runs_none_of_a_file_is_told(
    ferconv: Ferconv, tiny_build: Path, faces: Path
) -> None:
    files = [tiny_build / FILE_NAMES[kind] for kind in ("torchscript", "onnx")]
    ran = ferconv("parity", *files, "--fixtures", faces, "--runner", "portable")
    assert ran.code == 41
    assert "--runner for it: onnxruntime" in ran.err


def stripped(package: Path, to: Path) -> Path:
    """The package as somebody else would have made it: without a contract."""
    shutil.copytree(package, to)
    file = to / "Data/com.apple.CoreML/model.mlmodel"
    spec = proto_module("Model_pb2").Model.FromString(file.read_bytes())
    del spec.description.metadata.userDefined[SCHEMA]
    file.write_bytes(spec.SerializeToString())
    return to


def test_a_file_of_somebody_elses_is_compared_when_it_is_said(
    ferconv: Ferconv, tiny_build: Path, faces: Path, tmp_path: Path
) -> None:
    foreign = stripped(tiny_build / FILE_NAMES["mlpackage-fp32"], tmp_path / "Other.mlpackage")
    onnx = tiny_build / FILE_NAMES["onnx"]
    ran = ferconv("parity", onnx, foreign, "--fixtures", faces)
    assert ran.code == 40 and f"metadata has no {SCHEMA}" in ran.out
    assert ferconv("parity", onnx, foreign, "--fixtures", faces, "--foreign").code == 0
    # As the reference it has no contract that others could break.
    ran = ferconv("parity", foreign, onnx, "--fixtures", faces)
    assert ran.code == 0 and "it gets the others' pixels" in ran.err
    second = stripped(tiny_build / FILE_NAMES["mlpackage-fp16"], tmp_path / "Third.mlpackage")
    ran = ferconv("parity", foreign, second, "--fixtures", faces, "--json")
    assert ran.code == 0 and "pictures are resized to 32 x 32 px" in ran.err
    assert json.loads(ran.out)["contract"]["labels"] == list(EMOTIONS)


def test_what_a_file_computes_in_is_read_from_the_file(tiny_build: Path, tmp_path: Path) -> None:
    from coremltools.models.neural_network import quantization_utils
    from coremltools.models.utils import load_spec, save_spec

    from fer_convert.existing.side import Words, open_side

    for kind in KINDS:
        side = open_side(tiny_build / FILE_NAMES[kind], Words())
        assert (side.kind, side.precision) == (kind, "fp16" if kind.endswith("fp16") else "fp32")
    spec = load_spec(str(tiny_build / FILE_NAMES["mlmodel"]))
    for bits in (16, 8):
        coarse = quantization_utils._quantize_spec_weights(spec, bits, "_linear_quantization")
        save_spec(coarse, str(tmp_path / "q.mlmodel"))
        side = open_side(tmp_path / "q.mlmodel", Words())
        assert (side.kind, side.precision) == ("mlmodel", "fp16"), bits


def test_neither_a_build_nor_a_strangers_folder_is_written_over(
    ferconv: Ferconv, tiny_build: Path, faces: Path
) -> None:
    files = [tiny_build / FILE_NAMES[kind] for kind in ("torchscript", "onnx")]
    before = sorted(tiny_build.iterdir())
    ran = ferconv("parity", *files, "--fixtures", faces, "--out", tiny_build)
    assert ran.code == 31 and "parity.json" in ran.err
    assert sorted(tiny_build.iterdir()) == before


def test_files_that_are_not_there_or_are_no_network(
    ferconv: Ferconv, tiny_build: Path, faces: Path, tmp_path: Path
) -> None:
    onnx = tiny_build / FILE_NAMES["onnx"]
    assert ferconv("parity", onnx, tmp_path / "none.onnx").code == 4
    assert ferconv("parity", onnx).code == 2
    (tmp_path / "cut.mlmodel").write_bytes((tiny_build / FILE_NAMES["mlmodel"]).read_bytes()[:999])
    assert ferconv("parity", onnx, tmp_path / "cut.mlmodel").code == 50
    (tmp_path / "none").mkdir()
    ran = ferconv("parity", onnx, onnx, "--fixtures", tmp_path / "none")
    assert ran.code == 40 and "comparing nothing" in ran.err


def test_the_option_names_every_runner() -> None:
    assert RUNNERS == RUNNER_NAMES
