"""Which form is published, and what a build concludes of several."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fer_convert.artefact import ArtefactKind, PublishChoice, PublishedForm
from fer_convert.parity.compare import conclude, not_converted, not_run
from fer_convert.parity.publication import Publication, decide, overall_verdict
from fer_convert.parity.result import ArtefactParity, Check, CheckName, Verdict
from fer_convert.parity.thresholds import THRESHOLDS


def parity(key: str, **checks: Verdict) -> ArtefactParity:
    """An artefact that ran, with the checks given (``_`` for ``-``) and everything else well."""
    names: dict[str, CheckName] = {
        "probabilities": "probabilities",
        "labels": "labels",
        "same_network": "same-network",
        "finite": "finite",
    }
    found = [Check(name="ran", verdict="PASS", detail="Ran.")]
    found += [Check(name=names[n], verdict=v, detail=f"{n} {v}") for n, v in checks.items()]
    return conclude(key, found, runtime="fake 1.0", thresholds=THRESHOLDS[key])


GOOD16, GOOD32 = parity("mlpackage-fp16"), parity("mlpackage-fp32")
COARSE16 = parity("mlpackage-fp16", probabilities="FAIL", same_network="PASS")
OVERFLOWS16 = parity("mlpackage-fp16", finite="FAIL", same_network="NOT RUN")
OTHER16 = parity("mlpackage-fp16", probabilities="FAIL", same_network="FAIL")
UNKNOWN16 = parity("mlpackage-fp16", same_network="NOT RUN")
DEAF16 = not_run("mlpackage-fp16", "no function for 'einsum'", runtime="portable")
BAD32 = parity("mlpackage-fp32", probabilities="FAIL")
ONNX = parity("onnx")


@pytest.mark.parametrize(
    ("parities", "choice", "form", "passed_over", "verdict"),
    [
        ([GOOD16, GOOD32], "auto", "fp16", (), "PASS"),
        ([GOOD32, GOOD16], "auto", "fp16", (), "PASS"),  # the order made does not matter
        ([GOOD16, GOOD32], "fp32", "fp32", (), "PASS"),
        ([GOOD32], "auto", "fp32", (), "PASS"),
        ([COARSE16, GOOD32], "auto", "fp32", ("fp16",), "PASS"),
        ([COARSE16, GOOD32], "fp32", "fp32", ("fp16",), "PASS"),
        ([COARSE16, GOOD32], "fp16", "fp16", (), "FAIL"),  # asked for
        ([COARSE16], "auto", "fp16", (), "FAIL"),  # nothing to fall back on
        ([OVERFLOWS16, GOOD32], "auto", "fp32", ("fp16",), "PASS"),
        ([OTHER16, GOOD32], "auto", "fp32", (), "FAIL"),  # something else is wrong
        ([OTHER16, GOOD32], "fp32", "fp32", (), "FAIL"),
        ([UNKNOWN16, BAD32], "auto", "fp16", (), "FAIL"),
        ([COARSE16, BAD32], "auto", "fp16", (), "FAIL"),
        ([GOOD16, BAD32], "auto", "fp16", (), "FAIL"),
        ([ONNX], "auto", None, (), "PASS"),
        ([], "auto", None, (), "NOT RUN"),
    ],
)
def test_the_smallest_form_that_passes_is_published(
    parities: list[ArtefactParity],
    choice: PublishChoice,
    form: PublishedForm | None,
    passed_over: tuple[PublishedForm, ...],
    verdict: Verdict,
) -> None:
    assert decide(parities, choice=choice) == Publication(
        choice=choice,
        form=form,
        passed_over=passed_over,
        not_judged=(),
        verdict=verdict,
        gate_verdict=verdict,
    )


@pytest.mark.parametrize(
    ("parities", "choice", "form", "not_judged", "verdict"),
    [
        ([UNKNOWN16, GOOD32], "auto", "fp32", ("fp16",), "PASS"),
        ([UNKNOWN16, GOOD32, ONNX], "fp32", "fp32", ("fp16",), "PASS"),
        ([UNKNOWN16, GOOD32], "fp16", "fp16", (), "NOT RUN"),  # asked for
        ([UNKNOWN16], "auto", "fp16", (), "NOT RUN"),  # nothing to fall back on
        ([DEAF16, GOOD32], "auto", "fp32", (), "NOT RUN"),  # nothing at all is known of it
        ([UNKNOWN16, GOOD32, parity("onnx", labels="FAIL")], "auto", "fp32", ("fp16",), "FAIL"),
    ],
)
def test_a_form_that_nothing_can_judge_is_not_published_and_fails_nothing(
    parities: list[ArtefactParity],
    choice: PublishChoice,
    form: PublishedForm | None,
    not_judged: tuple[PublishedForm, ...],
    verdict: Verdict,
) -> None:
    seen = decide(parities, choice=choice)
    assert (seen.form, seen.not_judged, seen.passed_over) == (form, not_judged, ())
    assert (seen.verdict, seen.gate_verdict) == (verdict, verdict)
    assert seen.forgiven == ({"mlpackage-fp16"} if not_judged else set())


@pytest.mark.parametrize(("half", "verdict"), [(COARSE16, "FAIL"), (UNKNOWN16, "NOT RUN")])
def test_what_is_required_is_never_forgiven(half: ArtefactParity, verdict: Verdict) -> None:
    required: list[ArtefactKind] = ["mlpackage-fp16"]
    seen = decide([half, GOOD32], choice="auto", required=required)
    assert (seen.form, seen.verdict, seen.forgiven) == ("fp32", verdict, set())


def test_every_runtime_of_a_form_must_pass() -> None:
    on_a_mac = replace(COARSE16, runtime="Apple Core ML, CPU_AND_NE")
    seen = decide([GOOD16, on_a_mac, GOOD32], choice="auto")
    assert (seen.form, seen.passed_over, seen.verdict) == ("fp32", ("fp16",), "PASS")
    both = decide([UNKNOWN16, on_a_mac, GOOD32], choice="auto")
    assert (both.passed_over, both.not_judged) == (("fp16",), ())
    wrong = replace(OTHER16, runtime="Apple Core ML, CPU_AND_NE")
    assert decide([COARSE16, wrong, GOOD32], choice="auto").verdict == "FAIL"


@pytest.mark.parametrize("choice", ["auto", "fp32"])
def test_a_refused_format_is_told_and_does_not_hold_back_the_others(choice: PublishChoice) -> None:
    refused = not_converted("mlpackage-fp16", "no function for op 'celu'.")
    seen = decide([refused, GOOD32], choice=choice)
    assert (seen.form, seen.verdict, seen.gate_verdict) == ("fp32", "NOT RUN", "PASS")
    assert decide([refused, BAD32], choice=choice).gate_verdict == "FAIL"
    assert decide([refused, GOOD32], choice="fp16").form is None


def test_a_runtime_this_machine_cannot_have_does_not_count() -> None:
    absent = not_run("mlmodel", "needs macOS", runtime="Apple Core ML", required=False)
    missing = not_run("mlmodel", "no such runtime", runtime="portable")
    assert overall_verdict([GOOD32, absent]) == "PASS"
    assert overall_verdict([GOOD32, missing]) == "NOT RUN"
    assert overall_verdict([absent]) == "NOT RUN"
    assert overall_verdict([GOOD32, replace(BAD32, required=False)]) == "FAIL"
    apple = not_run("mlpackage-fp16", "needs macOS", runtime="Apple Core ML", required=False)
    assert decide([COARSE16, GOOD32, apple], choice="auto").passed_over == ("fp16",)
