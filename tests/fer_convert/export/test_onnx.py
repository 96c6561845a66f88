"""The batch axis of an ONNX file is free where that is true, and else it is 1."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from torch import Tensor, nn

from tests.fer_convert.nets import SPEC, Ferconv, save_script, tiny_network


class Reshapes(nn.Module):
    """Writes the batch of its example into a view: the file would fail on two pictures."""

    def forward(self, scores: Tensor) -> Tensor:
        return scores.view(1, 8)


class Compares(nn.Module):
    """Looks at the whole batch: the file would run on two pictures, and answer otherwise."""

    def forward(self, scores: Tensor) -> Tensor:
        return scores + scores.mean(0, keepdim=True)


@pytest.mark.parametrize("tail", [Reshapes(), Compares()], ids=lambda tail: type(tail).__name__)
def test_a_batch_that_would_be_wrong_is_fixed_at_one(
    tail: nn.Module, ferconv: Ferconv, faces: Path, tmp_path: Path
) -> None:
    save_script(nn.Sequential(tiny_network(), tail).eval(), tmp_path / "net.pt")
    ran = ferconv(
        *("build", "--checkpoint", tmp_path / "net.pt", "--fixtures", faces, "--only", "onnx"),
        *("--labels", "affectnet-folders", "--preprocess", json.dumps(SPEC.to_dict())),
        *("--out", tmp_path / "b"),
    )
    assert ran.code == 0, ran.err
    assert "It takes one picture at a time: " in ran.out
    file = tmp_path / "b" / "EmotionNet.onnx"
    assert onnx.load(file).doc_string.endswith("It takes one picture at a time")
    session = onnxruntime.InferenceSession(file)
    assert session.get_inputs()[0].shape == [1, 3, 32, 32]
    assert session.run(None, {"image": np.zeros((1, 3, 32, 32), np.float32)})[0].shape == (1, 8)
    (row,) = (r for r in _report(tmp_path / "b")["artefacts"] if r["kind"] == "onnx")
    assert row["file"]["note"].startswith("It takes one picture at a time: ")


def test_a_free_batch_needs_no_note(
    ferconv: Ferconv, script_options: list[object], tmp_path: Path
) -> None:
    ran = ferconv("build", *script_options, "--only", "onnx", "--out", tmp_path / "b")
    assert ran.code == 0, ran.err
    session = onnxruntime.InferenceSession(tmp_path / "b" / "EmotionNet.onnx")
    assert session.get_inputs()[0].shape == ["batch", 3, 32, 32]
    assert all(
        not r["file"] or r["file"]["note"] == "" for r in _report(tmp_path / "b")["artefacts"]
    )


def _report(folder: Path) -> dict[str, list[dict[str, dict[str, str]]]]:
    report: dict[str, list[dict[str, dict[str, str]]]] = json.loads(
        (folder / "report.json").read_text()
    )
    return report
