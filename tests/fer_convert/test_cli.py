"""The command line itself: fast, pinned, and plain about wrong usage."""

from __future__ import annotations

from fer_convert.cli import cli
from tests.fer_convert.nets import Ferconv

OPTIONS = {
    "build": {
        *("--checkpoint", "--out", "--fixtures", "--only", "--arch", "--labels", "--preprocess"),
        *("--custom-labels", "--output", "--allow-class", "--require"),
        *("--storage", "--demo", "--author", "--license", "--model-version", "--emotionkit"),
        *("--package", "--publish", "--no-gate", "--canary", "--json", "--quiet"),
        *("--purpose", "--data-license", "--weights-license"),
    },
    "package": {
        *("--build", "--out", "--emotionkit", "--no-gate", "--verify", "--git", "--tag", "--json"),
        "--canary",
        *("--purpose", "--data-license", "--weights-license"),
    },
    "parity": {
        *("reference", "artefacts", "--fixtures", "--runner", "--foreign", "--out", "--arch"),
        *("--labels", "--custom-labels", "--preprocess", "--output", "--allow-class"),
        *("--photos", "--boxes", "--detector", "--json", "--quiet"),
    },
    "predict": {
        *("artefact", "images", "--top", "--engine", "--precision", "--function", "--json"),
    },
    "doctor": {"--json", "--quiet"},
    "golden": {"--out"},
}


def test_commands_and_options_are_a_promise() -> None:
    seen = {name: {p.opts[0] for p in command.params} for name, command in cli.commands.items()}
    assert seen == OPTIONS


def test_a_form_that_is_not_made_cannot_be_published(ferconv: Ferconv) -> None:
    options = ("build", "--checkpoint", "x.pt", "--publish", "fp32")
    ran = ferconv(*options, "--only", "mlpackage-fp16")
    assert ran.code == 2
    assert "--publish fp32 publishes mlpackage-fp32, which --only leaves out" in ran.err
    assert "--only mlpackage-fp32" in ran.err
    assert ferconv("build", "--checkpoint", "x.pt", "--publish", "int8").code == 2


def test_wrong_usage_is_exit_code_2(ferconv: Ferconv) -> None:
    ran = ferconv("build", "--checkpoint", "x.pt", "--only", "mlpackage-fp8")
    assert ran.code == 2
    assert "mlpackage-fp16" in ran.err


def test_what_is_required_is_not_left_out(ferconv: Ferconv) -> None:
    ran = ferconv("build", "--checkpoint", "x.pt", "--only", "onnx", "--require", "mlmodel")
    assert ran.code == 2
    assert "--require names mlmodel, which --only leaves out" in ran.err
