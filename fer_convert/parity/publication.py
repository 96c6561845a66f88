"""Which form of the model is published, and the verdict of a build that makes several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fer_convert.artefact import PUBLISHABLE, ArtefactKind, PublishChoice, PublishedForm
from fer_convert.parity.result import ArtefactParity, Verdict, worst_verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What a build publishes, and why.

    Attributes:
        choice: what was asked for.
        form: what is published if the verdict is PASS, and without a gate in any case; None where
            nothing that could be published was made.
        passed_over: other forms that hold the trained network, but not precisely enough.
        verdict: of the whole build.
        gate_verdict: of all that was made: the package is written by this one. A format that a
            converter refused says nothing about the others.
    """

    choice: PublishChoice
    form: PublishedForm | None
    passed_over: tuple[PublishedForm, ...]
    verdict: Verdict
    gate_verdict: Verdict

    @property
    def kind(self) -> ArtefactKind | None:
        """The artefact of ``form``."""
        return None if self.form is None else PUBLISHABLE[self.form]

    @property
    def forgiven(self) -> frozenset[ArtefactKind]:
        """The artefacts of ``passed_over``, whose FAIL decides nothing."""
        return frozenset(PUBLISHABLE[form] for form in self.passed_over)


def decide(parities: Sequence[ArtefactParity], *, choice: PublishChoice) -> Publication:
    """Choose the smallest form that passes, or the one asked for, and conclude.

    An artefact that holds the trained network and is only not precise enough fails the build if it
    is the one to be published. Any other failure of any artefact fails the build: something went
    wrong on the way, and nothing says what else it touched.
    """
    made = [parity for parity in parities if not parity.refused]
    form = _form(made, choice=choice)
    published = None if form is None else PUBLISHABLE[form]
    excused = {p.key for p in made if p.key != published and _only_imprecise(p.key, made)}
    return Publication(
        choice=choice,
        form=form,
        passed_over=tuple(other for other, kind in PUBLISHABLE.items() if kind in excused),
        verdict=overall_verdict(p for p in parities if p.key not in excused),
        gate_verdict=overall_verdict(p for p in made if p.key not in excused),
    )


def overall_verdict(parities: Iterable[ArtefactParity]) -> Verdict:
    """Return the worst verdict of those that count."""
    return worst_verdict(parity.verdict for parity in _counting(parities))


def _counting(parities: Iterable[ArtefactParity]) -> list[ArtefactParity]:
    """Leave out a runtime that is not required where it did not run."""
    return [p for p in parities if p.required or p.verdict != "NOT RUN"]


def _form(parities: Sequence[ArtefactParity], *, choice: PublishChoice) -> PublishedForm | None:
    candidates: list[PublishedForm] = list(PUBLISHABLE) if choice == "auto" else [choice]
    made = {parity.key for parity in parities}
    present = [form for form in candidates if PUBLISHABLE[form] in made]
    passing = [
        form
        for form in present
        if overall_verdict(p for p in parities if p.key == PUBLISHABLE[form]) == "PASS"
    ]
    return next(iter([*passing, *present]), None)


def _only_imprecise(key: str, parities: Sequence[ArtefactParity]) -> bool:
    """No runtime found anything else wrong with an artefact."""
    bad = [p for p in _counting(parities) if p.key == key and p.verdict != "PASS"]
    return bool(bad) and all(parity.only_imprecise for parity in bad)
