"""From ``fertrain train`` to the artefacts: the temperature travels and is really inside."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from fer_convert.artefact import FILE_NAMES
from fer_convert.parity.runners import CheckpointRunner, open_runner, predict_one, softmax
from fer_convert.source import load_source
from fer_train.contract.checkpoint import read_checkpoint
from tests.fer_convert.nets import Ferconv, smooth_picture
from tests.fer_train.faces import run_once, write_faces


def test_what_a_run_fitted_is_in_every_artefact(
    ferconv: Ferconv, faces: Path, emotionkit: Path, tmp_path: Path
) -> None:
    write_faces(tmp_path / "data")
    run, out = tmp_path / "run", tmp_path / "build"
    trained = run_once(
        *(tmp_path / "cache", "train", "--data", tmp_path / "data"),
        *("--arch", "resnet18", "--weights", "none", "--input-size", 32, "--epochs", 2),
        *("--batch-size", 8, "--lr", 1e-3, "--prune", 0, "--device", "cpu", "--out", run),
    )
    assert trained.code == 0, trained.err
    best = run / "checkpoints" / "best.pt"
    temperature = read_checkpoint(best).temperature
    assert temperature != 1.0
    ran = ferconv(
        *("build", "--checkpoint", best, "--fixtures", faces, "--emotionkit", emotionkit),
        *("--only", "onnx", "--only", "mlpackage-fp16", "--out", out),
    )
    assert ran.code == 0, ran.out + ran.err
    assert f"temperature {temperature:.4g}" in ran.err
    report = json.loads((out / "report.json").read_text())
    assert report["verdict"] == "PASS" and report["contract"]["temperature"] == temperature
    shown = f"{temperature:.4g}"
    assert f"<dt>temperature</dt><dd>{shown}</dd>" in (out / "report.html").read_text()
    assert f"temperature {shown}, inside the model" in (out / "EmotionKit/README.md").read_text()
    # The raw network's logits, divided here once more by hand.
    source = load_source(best)
    picture = smooth_picture(0, side=32)
    scaled = predict_one(CheckpointRunner(source), picture).logits
    seen = predict_one(open_runner("onnx", out / FILE_NAMES["onnx"]), picture)
    np.testing.assert_allclose(seen.probabilities, softmax(scaled), atol=1e-5)
    raw = scaled * temperature
    assert np.abs(seen.probabilities - softmax(raw)).max() > 1e-3


def test_a_foreign_file_is_not_calibrated(
    ferconv: Ferconv, script_options: list[object], tmp_path: Path
) -> None:
    import onnx

    out = tmp_path / "build"
    ran = ferconv("build", *script_options, "--only", "onnx", "--out", out)
    assert ran.code == 0 and "temperature" not in ran.err
    model = onnx.load(str(out / FILE_NAMES["onnx"]))
    assert [n.op_type for n in model.graph.node][-2:] == ["Gemm", "Softmax"]  # nothing between
    assert "calibrated" not in model.doc_string
    contract = json.loads(next(p.value for p in model.metadata_props if p.key.startswith("emo")))
    assert contract["temperature"] == 1.0
