"""Which form of the model is published, and the verdict of a build that makes several."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
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
        not_judged: other forms with good figures, of which nothing says whether they hold the
            trained network, because PyTorch could not run it in that precision.
        verdict: of the whole build.
        gate_verdict: of all that was made: the package is written by this one. A format that a
            converter refused says nothing about the others.
    """

    choice: PublishChoice
    form: PublishedForm | None
    passed_over: tuple[PublishedForm, ...]
    not_judged: tuple[PublishedForm, ...]
    verdict: Verdict
    gate_verdict: Verdict

    @property
    def kind(self) -> ArtefactKind | None:
        """The artefact of ``form``."""
        return None if self.form is None else PUBLISHABLE[self.form]

    @property
    def forgiven(self) -> frozenset[ArtefactKind]:
        """Their artefacts: what is not PASS there decides nothing."""
        return frozenset(PUBLISHABLE[form] for form in (*self.passed_over, *self.not_judged))


def decide(
    parities: Sequence[ArtefactParity],
    *,
    choice: PublishChoice,
    required: Collection[ArtefactKind] = (),
) -> Publication:
    """Choose the smallest form that passes, or the one asked for, and conclude.

    An artefact of which only its precision is in question, because it is not enough or because
    there is nothing to judge it by, decides the build if it is the one to be published or is among
    ``required``. Anything else that is not PASS decides the build: something went wrong on the way,
    and nothing says what else it touched.
    """
    made = [parity for parity in parities if not parity.refused]
    form = _form(made, choice=choice)
    published = None if form is None else PUBLISHABLE[form]
    others = {p.key for p in made if p.key != published and p.key not in required}
    excused = {key for key in others if _only_its_precision(key, made)}
    coarse = {p.key for p in made if p.key in excused and p.verdict == "FAIL"}
    return Publication(
        choice=choice,
        form=form,
        passed_over=tuple(other for other, kind in PUBLISHABLE.items() if kind in coarse),
        not_judged=tuple(other for other, kind in PUBLISHABLE.items() if kind in excused - coarse),
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


def _only_its_precision(key: str, parities: Sequence[ArtefactParity]) -> bool:
    """No runtime left anything else in question about an artefact."""
    bad = [p for p in _counting(parities) if p.key == key and p.verdict != "PASS"]
    return bool(bad) and all(p.only_imprecise or p.only_unjudged for p in bad)
