"""``ferconv build`` end to end: what it promises to leave, and what it must never leave."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fer_convert import coreml_runtime
from fer_convert.artefact import FILE_NAMES, SCHEMA
from fer_convert.build import ALL_KINDS
from fer_convert.export import artefacts as conversion
from fer_convert.export import coreml
from fer_convert.export.log import LOG
from fer_convert.parity import runners
from fer_convert.swift_package.events import judged_again
from fer_convert.swift_package.write import MODELS
from fer_train.contract.errors import UnsupportedOperation
from fer_train.contract.files import sha256_file, sha256_tree
from fer_train.contract.labels import EMOTIONS
from tests.fer_convert.nets import (
    ARCH,
    FACES,
    SPEC,
    Ferconv,
    coarse_network,
    overflowing_network,
    run_once,
    save_script,
    smooth_picture,
)

REPORTS = ("report.json", "report.html", "report.md", "junit.xml")


@pytest.fixture(scope="module")
def built(
    tmp_path_factory: pytest.TempPathFactory, checkpoint: Path, faces: Path, emotionkit: Path
) -> Path:
    """A finished build of a real backbone: all artefacts, and a package."""
    from fer_convert.build import BuildRequest, build
    from fer_convert.progress import Progress

    out = tmp_path_factory.mktemp("out") / "build"
    build(
        BuildRequest(
            checkpoint=checkpoint,
            out=out,
            fixtures=faces,
            emotionkit=emotionkit,
            author="fer-toolchain",
            license="MIT",
            model_version="3.1",
        ),
        Progress(quiet=True),
    )
    return out


def test_every_promised_file_is_there_and_nothing_else(built: Path) -> None:
    expected = {*FILE_NAMES.values(), *REPORTS, LOG, "EmotionKit"}
    expected |= {"manifest.json", "golden.json", "events.json", "use.json", "canary.json"}
    assert {path.name for path in built.iterdir()} == expected
    assert [path.name for path in built.parent.iterdir()] == ["build"]


def test_every_artefact_passes_and_apple_is_not_silently_left_out(built: Path) -> None:
    report = _json(built / "report.json")
    assert report["verdict"] == "PASS"
    own = {a["kind"]: a["verdict"] for a in report["artefacts"] if a["required"]}
    assert own == dict.fromkeys(("module", *ALL_KINDS), "PASS")
    if runners.apple_runtime_missing():
        assert {n["kind"] for n in report["not_run"]} == {
            "mlmodel",
            "mlpackage-fp32",
            "mlpackage-fp16",
        }


def test_every_artefact_carries_the_same_contract(built: Path, checkpoint: Path) -> None:
    import onnx

    props = onnx.load(built / FILE_NAMES["onnx"]).metadata_props
    texts = {"onnx": {p.key: p.value for p in props}[SCHEMA]}
    texts["torchscript"] = runners.TorchScriptRunner(built / FILE_NAMES["torchscript"]).metadata[
        SCHEMA
    ]
    for kind in ("mlmodel", "mlpackage-fp32", "mlpackage-fp16"):
        texts[kind] = coreml_runtime.load(built / FILE_NAMES[kind]).metadata.user[SCHEMA]
    assert len(set(texts.values())) == 1
    assert json.loads(texts["onnx"]) == {
        "schema": "emotionkit.contract",
        "version": 1,
        "architecture": ARCH,
        "labels": list(EMOTIONS),
        "preprocess": SPEC.to_dict(),
        "temperature": 1.25,
        "input": "image",
        "outputs": {"label": "classLabel", "probabilities": "classLabel_probs"},
        "checkpoint_sha256": sha256_file(checkpoint),
        "demo": False,
    }


@pytest.mark.parametrize("kind", ["mlmodel", "mlpackage-fp32", "mlpackage-fp16"])
def test_core_ml_is_an_image_classifier_with_xcodes_metadata(built: Path, kind: Any) -> None:
    spec = _spec(built / FILE_NAMES[kind])
    description = spec.description
    assert description.predictedFeatureName == "classLabel"
    assert description.predictedProbabilitiesName == "classLabel_probs"
    assert {output.name for output in description.output} == {"classLabel", "classLabel_probs"}
    image = description.input[0]
    assert (image.name, image.type.imageType.width, image.type.imageType.height) == (
        "image",
        32,
        32,
    )
    assert image.type.imageType.colorSpace == image.type.imageType.RGB
    assert all(f.shortDescription for f in (*description.input, *description.output))
    metadata = description.metadata
    assert (metadata.author, metadata.license, metadata.versionString) == (
        "fer-toolchain",
        "MIT",
        "3.1",
    )
    assert "efficientnet_b0" in metadata.shortDescription
    assert "calibrated inside, too (temperature 1.25)" in metadata.shortDescription
    assert metadata.userDefined["com.apple.coreml.model.preview.type"] == "imageClassifier"
    assert spec.specificationVersion == (4 if kind == "mlmodel" else 7)


def test_the_onnx_batch_is_free(built: Path) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(built / FILE_NAMES["onnx"]))
    probabilities, logits = session.run(None, {"image": np.zeros((3, 3, 32, 32), np.float32)})
    assert probabilities.shape == logits.shape == (3, len(EMOTIONS))


def test_the_manifest_is_the_models_passport(built: Path) -> None:
    models = built / "EmotionKit" / MODELS
    manifest = _json(models / "manifest.json")
    model = models / manifest["model"]["file"]
    assert manifest["model"]["sha256"] == sha256_tree(model) == sha256_tree(built / model.name)
    for file in manifest["model"]["files"]:
        assert sha256_file(model / file["path"]) == file["sha256"]
    assert manifest["model"]["bytes"] == sum(file["bytes"] for file in manifest["model"]["files"])
    parity = manifest["parity"]
    assert (parity["verdict"], parity["gated"], parity["images"]) == ("PASS", True, FACES)
    assert 0 < parity["max_abs_dp"] < 0.02
    assert manifest["contract"]["labels"] == list(EMOTIONS)
    assert {"ferconv", "torch", "coremltools", "python"} <= set(manifest["created_with"])


def test_golden_holds_the_checkpoints_own_answers(built: Path, checkpoint: Path) -> None:
    golden = _json(built / "EmotionKit" / MODELS / "golden.json")
    assert [image["name"] for image in golden["images"]][:2] == ["anger/1.png", "anger/3.png"]
    assert golden["images"][0]["label"] == "anger"
    for image in golden["images"]:
        assert sum(image["probabilities"]) == pytest.approx(1)
        assert image["top1"] == EMOTIONS[int(np.argmax(image["probabilities"]))]


def test_the_packages_tests_get_the_clip_as_the_checkpoint_sees_it(
    built: Path, checkpoint: Path
) -> None:
    events = _json(built / "EmotionKit/Tests/EmotionKitCoreTests/Golden/model-events.json")
    assert events == _json(built / "events.json")
    assert events["labels"] == list(EMOTIONS)
    assert events["answers_of"]["checkpoint_sha256"] == sha256_file(checkpoint)
    answers = [face["answer"] for frame in events["frames"] for face in frame["faces"]]
    assert len({tuple(answer) for answer in answers if answer}) > 20
    assert judged_again(events) == events


def test_the_package_is_a_clean_copy_of_the_sources(built: Path) -> None:
    package = built / "EmotionKit"
    assert (package / "Package.swift").is_file()
    assert (package / "LICENSE").read_text() == "MIT\n"
    assert (package / MODELS / "README.md").is_file()
    assert not (package / ".build").exists()
    assert not (package / "DevSupport").exists()


def test_a_torchscript_source_makes_all_artefacts(
    ferconv: Ferconv, script_options: list[object], tmp_path: Path
) -> None:
    ran = ferconv("build", *script_options, "--out", tmp_path / "b", "--json", "--quiet")
    assert ran.code == 0, ran.out + ran.err
    summary = json.loads(ran.out)
    assert summary["verdict"] == "PASS"
    assert summary["package"] == str(tmp_path / "b" / "EmotionKit")
    assert ran.err == ""


def test_only_makes_what_was_asked_and_says_there_is_no_package(
    ferconv: Ferconv, script_options: list[object], tmp_path: Path
) -> None:
    ran = ferconv("build", *script_options, "--out", tmp_path / "b", "--only", "onnx")
    assert ran.code == 0, ran.err
    assert not (tmp_path / "b" / FILE_NAMES["mlmodel"]).exists()
    assert "needs mlpackage-fp16 or mlpackage-fp32, which --only left out" in ran.out


def test_a_wrong_artefact_fails_the_build_and_is_not_packaged(
    ferconv: Ferconv, script_options: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _mutate_runner(monkeypatch)
    ran = ferconv("build", *script_options, "--out", tmp_path / "b", "--only", "mlpackage-fp16")
    assert ran.code == 40
    assert "mlpackage-fp16" in ran.err and "report.html" in ran.err
    assert (tmp_path / "b" / FILE_NAMES["mlpackage-fp16"]).is_dir()
    assert _json(tmp_path / "b" / "report.json")["verdict"] == "FAIL"
    assert not (tmp_path / "b" / "EmotionKit").exists()
    refused = ferconv("package", "--build", tmp_path / "b", "--out", tmp_path / "kit")
    assert refused.code in (40, 4)
    assert not (tmp_path / "kit").exists()


def test_no_gate_packages_a_failure_and_says_so_for_ever(
    ferconv: Ferconv, script_options: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _mutate_runner(monkeypatch)
    options = [*script_options, "--only", "mlpackage-fp16", "--no-gate"]
    ran = ferconv("build", *options, "--out", tmp_path / "b")
    assert ran.code == 40
    parity = _json(tmp_path / "b" / "EmotionKit" / MODELS / "manifest.json")["parity"]
    assert (parity["verdict"], parity["gated"]) == ("FAIL", False)
    assert "--no-gate" in (tmp_path / "b" / "report.md").read_text()


@pytest.mark.parametrize("network", [coarse_network, overflowing_network])
def test_full_precision_is_published_where_half_is_too_coarse(
    ferconv: Ferconv,
    script_options: list[object],
    tmp_path: Path,
    network: Callable[[], torch.nn.Module],
) -> None:
    save_script(network(), tmp_path / "net.pt")
    options = [*script_options, "--checkpoint", tmp_path / "net.pt"]
    both = ["--only", "mlpackage-fp16", "--only", "mlpackage-fp32"]
    ran = ferconv("build", *options, *both, "--out", tmp_path / "b")
    assert ran.code == 0, ran.out + ran.err
    assert "fp16 is not precise enough for this network" in ran.out
    report = _json(tmp_path / "b" / "report.json")
    assert (report["verdict"], report["publication"]["passed_over"]) == ("PASS", ["fp16"])
    rows = {row["kind"]: row["verdict"] for row in report["artefacts"] if row["required"]}
    assert (rows["mlpackage-fp16"], rows["mlpackage-fp32"]) == ("FAIL", "PASS")
    models = tmp_path / "b" / "EmotionKit" / MODELS
    manifest = _json(models / "manifest.json")
    assert manifest["model"]["precision"] == "fp32"
    assert manifest["model"]["sha256"] == sha256_tree(models / manifest["model"]["file"])
    # EmotionKit looks for this name, whatever is inside.
    assert manifest["model"]["file"] == "EmotionNet.mlpackage"
    assert (manifest["parity"]["verdict"], manifest["parity"]["max_abs_dp"] < 1e-4) == (
        "PASS",
        True,
    )
    assert "fp16 was too coarse" in (models.parents[2] / "README.md").read_text()
    assert ferconv("package", "--build", tmp_path / "b", "--out", tmp_path / "kit").code == 0


@pytest.mark.parametrize(
    ("more", "remedy"),
    [
        (["--publish", "fp16", "--only", "mlpackage-fp32"], "--publish auto"),
        ([], "--only mlpackage-fp32"),
    ],
)
def test_half_that_is_too_coarse_and_asked_for_fails(
    ferconv: Ferconv, script_options: list[object], tmp_path: Path, more: list[str], remedy: str
) -> None:
    save_script(coarse_network(), tmp_path / "net.pt")
    options = [*script_options, "--checkpoint", tmp_path / "net.pt", "--only", "mlpackage-fp16"]
    ran = ferconv("build", *options, *more, "--out", tmp_path / "b")
    assert ran.code == 40
    assert remedy in ran.err
    assert not (tmp_path / "b" / "EmotionKit").exists()


def test_what_is_forgiven_is_not_blamed(
    ferconv: Ferconv, script_options: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = runners.OnnxRunner.run_many
    monkeypatch.setattr(
        runners.OnnxRunner, "run_many", lambda self, images: honest(self, images[..., ::-1].copy())
    )
    save_script(coarse_network(), tmp_path / "net.pt")
    kinds = ("onnx", "mlpackage-fp16", "mlpackage-fp32")
    options = [*script_options, "--checkpoint", tmp_path / "net.pt"]
    options += [text for kind in kinds for text in ("--only", kind)]
    ran = ferconv("build", *options, "--out", tmp_path / "b")
    assert ran.code == 40
    assert "because of: onnx." in ran.err and "--publish" not in ran.err


def test_an_artefact_nobody_could_run_is_not_run(
    ferconv: Ferconv, script_options: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise UnsupportedOperation("No function for operation 'einsum'.")

    monkeypatch.setattr(runners.PortableRunner, "__init__", refuse)
    ran = ferconv("build", *script_options, "--out", tmp_path / "b", "--only", "mlpackage-fp16")
    assert ran.code == 41
    assert "einsum" in ran.out
    assert not (tmp_path / "b" / "EmotionKit").exists()


@pytest.fixture(scope="module")
def former(script_options: list[object], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished build of the least work."""
    out = tmp_path_factory.mktemp("former") / "b"
    assert run_once("build", *script_options, "--out", out, "--only", "torchscript").code == 0
    return out


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (OSError(errno.ENOSPC, "No space left on device"), 30),
        (RuntimeError("PyTorch convert function for op 'einsum' not implemented."), 42),
        (SystemExit(143), 143),
    ],
    ids=["ctrl-c", "full disk", "refused network", "terminated"],
)
def test_a_build_that_ends_early_leaves_the_former_one(
    ferconv: Ferconv,
    script_options: list[object],
    former: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
) -> None:
    out = shutil.copytree(former, tmp_path / "b")
    before = sha256_tree(out)

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(coreml, "save_coreml", fail)
    ran = ferconv("build", *script_options, "--out", out, "--require", "mlmodel")
    assert ran.code == code
    assert sha256_tree(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    if code == 42:
        assert "EmotionNet.mlmodel" in ran.err and "einsum" in ran.err


def test_a_first_build_that_ends_early_leaves_nothing(
    ferconv: Ferconv, script_options: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(coreml, "save_coreml", interrupt)
    assert ferconv("build", *script_options, "--out", tmp_path / "b").code == 130
    assert list(tmp_path.iterdir()) == []


def test_a_disk_too_small_is_noticed_before_converting(
    ferconv: Ferconv, script_options: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(conversion.shutil, "disk_usage", lambda _: usage)
    ran = ferconv("build", *script_options, "--out", tmp_path / "b")
    assert ran.code == 30
    assert "are free" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_someone_else_is_not_touched(
    ferconv: Ferconv, script_options: list[object], tmp_path: Path
) -> None:
    (tmp_path / "thesis.tex").write_text("years")
    ran = ferconv("build", *script_options, "--out", tmp_path)
    assert ran.code == 31
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_comparing_nothing_is_a_failure(
    ferconv: Ferconv, script_options: list[object], tmp_path: Path
) -> None:
    (tmp_path / "none").mkdir()
    options = [*script_options, "--fixtures", tmp_path / "none", "--out", tmp_path / "b"]
    assert ferconv("build", *options).code == 40
    assert not (tmp_path / "b").exists()


def _mutate_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Swap red and blue on the way into the portable runtime."""
    honest = runners.PortableRunner.run_many
    monkeypatch.setattr(
        runners.PortableRunner,
        "run_many",
        lambda self, images: honest(self, images[..., ::-1].copy()),
    )


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _spec(path: Path) -> Any:
    from coremltools.proto import Model_pb2

    file = path / "Data/com.apple.CoreML/model.mlmodel" if path.is_dir() else path
    return Model_pb2.Model.FromString(file.read_bytes())


def test_the_reference_shares_no_pixel_code_with_the_module(checkpoint: Path) -> None:
    """The NumPy normalisation and the exported one agree to float32's last bits."""
    from fer_train.contract.network import PixelNormalizer

    image = smooth_picture(7, side=32)
    pixels = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float()
    inside = PixelNormalizer(SPEC)(pixels)[0].detach().numpy()
    assert np.abs(inside - runners.normalise(image, SPEC)).max() < 2e-6
