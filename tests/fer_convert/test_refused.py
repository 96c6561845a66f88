"""One converter that refuses costs one artefact: the rest is built, judged and published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fer_convert.artefact import FILE_NAMES, PUBLISHABLE, ArtefactKind
from fer_convert.export import artefacts as conversion
from fer_convert.export.log import LOG
from fer_convert.parity import runners
from fer_convert.swift_package.write import MODELS
from tests.fer_convert.nets import Ferconv

PUBLISHED = PUBLISHABLE["fp16"]


def refuse(monkeypatch: pytest.MonkeyPatch, *kinds: ArtefactKind) -> None:
    """Let converters print a graph, write half a file, and give up."""
    honest = conversion._convert

    def convert(kind: ArtefactKind, traced: Any, path: Path, *others: Any) -> str:
        if kind not in kinds:
            return honest(kind, traced, path, *others)
        print("graph(%image : Float(1, 3, 32, 32)):")
        path.write_bytes(b"half a file")
        raise LookupError(f"Function for op 'celu' of {kind} not implemented.\n\ngraph(...)")

    monkeypatch.setattr(conversion, "_convert", convert)


def test_the_others_are_built_judged_and_packaged(
    ferconv: Ferconv, script_options: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "onnx")
    out = tmp_path / "b"
    ran = ferconv("build", *script_options, "--out", out)
    assert ran.code == 41
    assert "graph(" not in ran.out + ran.err
    assert "LookupError: Function for op 'celu' of onnx not implemented." in ran.out
    assert str(out / LOG) in ran.out
    assert "Refused by a converter: onnx. All else was made, and is PASS." in ran.err
    assert not (out / FILE_NAMES["onnx"]).exists()
    log = (out / LOG).read_text()
    assert "graph(%image" in log and "Traceback" in log

    report = json.loads((out / "report.json").read_text())
    assert (report["verdict"], report["gate_verdict"], report["refused"]) == (
        *("NOT RUN", "PASS"),
        ["onnx"],
    )
    own = {a["kind"]: a["verdict"] for a in report["artefacts"] if a["required"]}
    assert own.pop("onnx") == "NOT RUN"
    assert set(own.values()) == {"PASS"} and len(own) == 5
    manifest = json.loads((out / "EmotionKit" / MODELS / "manifest.json").read_text())
    assert manifest["parity"]["verdict"] == "PASS"
    again = ferconv("package", "--build", out, "--out", tmp_path / "kit", *_kit(script_options))
    assert again.code == 0, again.err


def _kit(options: list[object]) -> list[object]:
    return ["--emotionkit", options[options.index("--emotionkit") + 1]]


def test_without_the_published_artefact_there_is_no_package(
    ferconv: Ferconv, script_options: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, PUBLISHED)
    only = ("--only", "torchscript", "--only", PUBLISHED)
    ran = ferconv("build", *script_options, "--out", tmp_path / "b", *only)
    assert ran.code == 41
    assert "it needs mlpackage-fp16 or mlpackage-fp32, which its converter refused" in ran.out
    assert not (tmp_path / "b" / "EmotionKit").exists()
    assert not (tmp_path / "b" / "manifest.json").exists()


def test_a_failure_beside_a_refusal_is_still_a_failure(
    ferconv: Ferconv, script_options: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "onnx")
    honest = runners.TorchScriptRunner.run_many
    monkeypatch.setattr(
        *(runners.TorchScriptRunner, "run_many"),
        lambda self, images: honest(self, images[..., ::-1].copy()),
    )
    only = ("--only", "torchscript", "--only", "onnx")
    ran = ferconv("build", *script_options, "--out", tmp_path / "b", *only)
    assert ran.code == 40
    assert "FAIL, because of: torchscript" in ran.err


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        (["--require", "onnx"], "EmotionNet.onnx"),
        (["--only", "onnx"], "EmotionNet.onnx"),
        (["--only", "onnx", "--only", "mlmodel"], "Every converter refused this network"),
    ],
    ids=["required", "alone", "all"],
)
def test_nothing_is_written_where_nothing_is_of_use(
    options: list[str],
    refused: str,
    ferconv: Ferconv,
    script_options: list[object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refuse(monkeypatch, "onnx", "mlmodel")
    ran = ferconv("build", *script_options, "--out", tmp_path / "b", *options)
    assert ran.code == 42
    assert refused in ran.err
    assert "op 'celu' of onnx" in ran.err and "graph(" not in ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_yardstick_that_pytorch_cannot_run_is_not_run(
    ferconv: Ferconv, script_options: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = runners.ModuleRunner.run_many

    def run_many(self: runners.ModuleRunner, images: Any) -> Any:
        if "fp16" in self.name:
            raise RuntimeError("expected m1 and m2 to have the same dtype")
        return honest(self, images)

    monkeypatch.setattr(runners.ModuleRunner, "run_many", run_many)
    ran = ferconv("build", *script_options, "--out", tmp_path / "b", "--only", PUBLISHED)
    assert ran.code == 41
    (row,) = (
        row
        for row in json.loads((tmp_path / "b" / "report.json").read_text())["artefacts"]
        if row["kind"] == PUBLISHED and row["required"]
    )
    assert row["half_precision"]["same_network"]["verdict"] == "NOT RUN"
    assert "(RuntimeError: expected m1 and m2 to have the same dtype)" in row["reasons"][0]
    assert {c["name"] for c in row["checks"] if c["verdict"] != "PASS"} == {"same-network"}
