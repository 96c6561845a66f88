"""The two questions about an artefact of reduced precision, kept apart."""

from __future__ import annotations

from typing import TypedDict

from fer_convert.parity.result import (
    PRECISION_CHECKS,
    ArtefactParity,
    Check,
    Verdict,
    worst_verdict,
)


class Answer(TypedDict):
    """One question, its answer and the figures behind it."""

    question: str
    verdict: Verdict
    because: str


class HalfPrecision(TypedDict):
    """Both answers and what they mean together."""

    same_network: Answer
    precise_enough: Answer
    conclusion: str


def half_precision_questions(parity: ArtefactParity) -> HalfPrecision | None:
    """Answer both questions; None for artefacts of full precision and for runs without figures."""
    same = next((check for check in parity.checks if check.name == "same-network"), None)
    if same is None:
        return None
    table = [check for check in parity.checks if check.name in PRECISION_CHECKS]
    enough = worst_verdict(check.verdict for check in table)
    return HalfPrecision(
        same_network=Answer(
            question="Is it the same network?", verdict=same.verdict, because=same.detail
        ),
        precise_enough=Answer(
            question="Is half precision enough for it?",
            verdict=enough,
            because=" ".join(_deciding(table)),
        ),
        conclusion=_CONCLUSIONS[same.verdict, enough],
    )


def _deciding(table: list[Check]) -> list[str]:
    failed = [check.detail for check in table if check.verdict != "PASS"]
    # The logits are no part of the question; they warn elsewhere.
    return failed or [c.detail for c in table if c.name not in ("finite", "logits")]


_CONCLUSIONS: dict[tuple[Verdict, Verdict], str] = {
    ("PASS", "PASS"): (
        "The file holds the trained network, and rounding its values to half precision changes "
        "nothing that matters on these images."
    ),
    ("PASS", "FAIL"): (
        "The file holds the trained network, but half precision is not enough for it: PyTorch's "
        "own half precision errs as much. Publish full precision (--publish auto does so by "
        "itself), or train further: barely trained networks are often this sensitive."
    ),
    ("FAIL", "PASS"): (
        "Every figure is inside the table, yet the error is larger than rounding explains: "
        "something other than the precision changed on the way."
    ),
    ("FAIL", "FAIL"): (
        "The error is larger than rounding explains: this file does not hold the trained network."
    ),
    ("NOT RUN", "PASS"): (
        "The figures are inside the table, but nothing shows how much of the error is rounding."
    ),
    ("NOT RUN", "FAIL"): (
        "The figures are outside the table, and nothing shows how much of the error is rounding."
    ),
}
