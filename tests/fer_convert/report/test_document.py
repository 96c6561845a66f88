"""The JSON document is the truth: complete, strict JSON, and nothing of this machine in it."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fer_convert.report import Report, write_reports
from fer_convert.report.json import to_document
from fer_convert.report.model import MAX_SIDE, MAX_THUMBNAILS, assemble_report, thumbnail_png
from fer_train.contract.errors import CannotWrite
from tests.fer_convert.report.made_reports import HOSTILE, IMAGES, fixture, make_report


def rows(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["kind"]: row for row in document["artefacts"]}


def test_it_is_strict_json_and_reads_back_the_same(document: dict[str, Any]) -> None:
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert (document["schema"], document["version"]) == ("ferconv.report", 1)


def test_the_verdict_is_the_worst_required_one(document: dict[str, Any], passing: Report) -> None:
    assert document["verdict"] == "FAIL"
    assert passing.verdict == "PASS"
    assert make_report([]).verdict == "NOT RUN"


def test_numbers_that_json_lacks_are_words(document: dict[str, Any]) -> None:
    summary = rows(document)["onnx"]["summary"]
    assert (summary["max_abs_dp"], summary["min_psnr_db"]) == ("nan", "nan")
    assert summary["worst_image"] == HOSTILE
    assert rows(document)["module"]["summary"]["min_psnr_db"] == "inf"


def test_each_row_says_what_was_asked_and_answered(document: dict[str, Any]) -> None:
    fp16 = rows(document)["mlpackage-fp16"]
    assert fp16["file"] == {
        "name": "EmotionNet.mlpackage-fp16",
        "bytes": 120_000_000,
        "sha256": "ab" * 32,
        "precision": "fp16",
        "storage": "dense",
        "conversion_seconds": 1.5,
        "note": "",
    }
    assert {check["name"] for check in fp16["checks"]} >= {"labels", "contract", "same-network"}
    assert fp16["half_precision"]["same_network"]["verdict"] == "FAIL"
    assert fp16["summary"]["flips"] == ["noise.png"]
    assert fp16["summary"]["half_rms_abs_dp"] == 0 < fp16["summary"]["rms_abs_dp"]
    assert fp16["images"][1]["top1"] == "disgust"
    assert rows(document)["mlmodel"]["summary"] is None


def test_what_was_not_run_is_listed_with_its_reason(document: dict[str, Any]) -> None:
    assert document["not_run"] == [
        {"kind": "mlmodel", "runtime": "Apple Core ML", "reasons": ["needs macOS"]}
    ]


def test_a_refused_artefact_is_a_row_and_does_not_shut_the_gate(
    refusing: Report, failing: Report
) -> None:
    document = to_document(refusing)
    assert (document["verdict"], document["gate_verdict"]) == ("NOT RUN", "PASS")
    assert document["refused"] == ["mlmodel"]
    row = rows(document)["mlmodel"]
    assert (row["verdict"], row["required"], row["file"]) == ("NOT RUN", True, None)
    assert row["reasons"] == ["The converter refused this network: no function for op 'celu'."]
    assert rows(document)["onnx"]["file"]["note"] == "It takes one picture at a time."
    assert (failing.verdict, failing.gate_verdict) == ("FAIL", "FAIL")


def test_files_over_the_git_limit_and_an_open_gate_are_warned_of(
    document: dict[str, Any], passing: Report
) -> None:
    (warning,) = document["warnings"]
    assert "EmotionNet.mlpackage-fp16 is 120.0 MB" in warning
    assert passing.warnings == ()
    (warning,) = make_report(list(passing.subjects), gated=False).warnings
    assert "--no-gate" in warning


def test_no_folder_of_this_machine_gets_in(document: dict[str, Any]) -> None:
    assert "/secret/place" not in json.dumps(document)


def test_thumbnails_are_the_exact_pixels(document: dict[str, Any]) -> None:
    for image, entry in zip(IMAGES, document["images"], strict=True):
        decoded = base64.b64decode(entry["thumbnail"]["png_base64"])
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(decoded))), image.image)
        assert entry["thumbnail"]["exact_pixels"]


def test_large_inputs_are_reduced_and_say_so() -> None:
    png, exact = thumbnail_png(fixture("large.png", side=224).image)
    assert not exact
    assert Image.open(io.BytesIO(png)).size == (MAX_SIDE, MAX_SIDE)


def test_only_the_worst_of_many_images_get_a_thumbnail(passing: Report) -> None:
    many = [fixture(f"{index}.png") for index in range(MAX_THUMBNAILS + 5)]
    report = assemble_report(
        checkpoint=passing.checkpoint,
        contract=passing.contract,
        subjects=[],
        images=many,
        stages=[],
        versions={},
        publication=passing.publication,
        gated=True,
        created_at="",
    )
    assert sum(face.thumbnail is not None for face in report.faces) == MAX_THUMBNAILS
    assert len(to_document(report)["images"]) == len(many)


def test_four_files_are_written(failing: Report, tmp_path: Path) -> None:
    write_reports(tmp_path, failing)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["junit.xml", "report.html", "report.json", "report.md"]
    assert json.loads((tmp_path / "report.json").read_text()) == to_document(failing)


def test_a_folder_that_cannot_be_written_is_an_error(failing: Report, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite):
        write_reports(tmp_path / "file" / "reports", failing)
