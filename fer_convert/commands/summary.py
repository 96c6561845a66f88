"""What ``ferconv build`` prints at the end: a table for people or JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from fer_convert.artefact import PUBLISHABLE
from fer_convert.build import BuildResult
from fer_convert.export.log import LOG
from fer_convert.parity.publication import Publication
from fer_convert.parity.result import ArtefactParity, Subject
from fer_train.contract.errors import ParityFailed, ParityNotRun
from fer_train.contract.page.figures import size_text


def print_table(result: BuildResult, out: Path) -> None:
    """Print the summary on stdout."""
    click.echo()
    click.echo(f"{'artefact':<16} {'verdict':<8} {'max |dp|':>9} {'size':>10} {'s':>6}  runtime")
    for subject in result.report.subjects:
        if _is_absent(subject):
            continue
        click.echo(_row(subject))
        for reason in subject.parity.reasons:
            click.echo(f"{'':16} {reason}")
        for warning in subject.parity.warnings:
            click.echo(f"{'':16} warning: {warning}")
        if subject.artefact is not None and subject.artefact.note:
            click.echo(f"{'':16} {subject.artefact.note}")
    click.echo()
    for line in _absent_runtimes(result):
        click.echo(line)
    for warning in result.report.warnings:
        click.secho(f"!! {warning}", bold=True)
    for line in _ending(result, out):
        click.echo(line)


def print_json(result: BuildResult, out: Path) -> None:
    """Print the summary on stdout as one JSON object; the whole truth is in report.json."""
    click.echo(json.dumps(_summary(result, out), indent=2, allow_nan=False))


def raise_unless_passed(result: BuildResult, out: Path) -> None:
    """Turn the verdict into the exit code.

    Raises:
        ParityFailed, ParityNotRun: the verdict is FAIL or NOT RUN.
    """
    verdict = result.report.verdict
    if verdict == "PASS":
        return
    if result.report.gate_verdict == "PASS":
        refused = [s.parity.key for s in result.report.subjects if s.parity.refused]
        raise ParityNotRun(
            f"Refused by a converter: {', '.join(refused)}. All else was made, and is PASS.",
            hint=f"Look at {out / 'report.html'}, and for the converter's own words at "
            f"{out / LOG}; --only makes just the artefacts that you name.",
        )
    publication = result.report.publication
    bad = [
        subject.parity
        for subject in result.report.subjects
        if subject.parity.verdict == verdict
        and subject.parity.key not in publication.forgiven
        and not _is_absent(subject)
    ]
    names = ", ".join(dict.fromkeys(parity.key for parity in bad))
    kind = ParityFailed if verdict == "FAIL" else ParityNotRun
    published = "" if result.package is None else " It was packaged all the same (--no-gate)."
    raise kind(
        f"The parity verdict is {verdict}, because of: {names}.{published}",
        hint=f"Look at {out / 'report.html'}.{_remedy(bad, publication)}",
    )


def _remedy(bad: list[ArtefactParity], publication: Publication) -> str:
    """Name the option that helps where only a precision is in question."""
    if not all(parity.only_imprecise or parity.only_unjudged for parity in bad):
        return ""
    form = publication.form
    if any(parity.key != publication.kind for parity in bad):
        return f" Only --require makes this count: {form} is PASS, and is published without it."
    coarse = any(parity.only_imprecise for parity in bad)
    seen = "is too coarse for this network" if coarse else "was not judged"
    if publication.choice != "auto":
        return f" {form} {seen}: --publish auto publishes the smallest form that passes."
    return f" {form} {seen}: make a larger form, too (--only {list(PUBLISHABLE.values())[-1]})."


def _is_absent(subject: Subject) -> bool:
    """Tell whether this runtime cannot exist on this machine."""
    return subject.parity.verdict == "NOT RUN" and not subject.parity.required


def _absent_runtimes(result: BuildResult) -> Iterator[str]:
    absent = [subject.parity for subject in result.report.subjects if _is_absent(subject)]
    for runtime in dict.fromkeys(parity.runtime for parity in absent):
        own = [parity for parity in absent if parity.runtime == runtime]
        reasons = "; ".join(dict.fromkeys(reason for parity in own for reason in parity.reasons))
        yield f"NOT RUN  {', '.join(parity.key for parity in own)} on {runtime}: {reasons}"


def _row(subject: Subject) -> str:
    parity, artefact = subject.parity, subject.artefact
    worst = parity.max_abs_dp
    figure = "" if worst is None else f"{worst:.1e}"
    size = "" if artefact is None else size_text(artefact.bytes)
    seconds = "" if artefact is None or artefact.seconds is None else f"{artefact.seconds:.1f}"
    row = f"{parity.key:<16} {parity.verdict:<8} {figure:>9} {size:>10} {seconds:>6}"
    return f"{row}  {parity.runtime}"


def _ending(result: BuildResult, out: Path) -> Iterator[str]:
    yield f"verdict  {result.report.verdict}"
    yield f"report   {out / 'report.html'}"
    if any(subject.parity.refused for subject in result.report.subjects):
        yield f"log      {out / LOG}"
    yield f"package  {_package_line(result)}"
    yield f"took     {result.seconds:.1f} s, peak memory {size_text(result.peak_bytes)}"


def _package_line(result: BuildResult) -> str:
    if result.package is not None:
        return f"{result.package} ({result.report.publication.form})"
    if result.report.publication.form is None:
        return f"not written: {_missing(result)}"
    if result.report.gate_verdict != "PASS" and result.report.gated:
        return "not written: the verdict is not PASS"
    return "not written: --no-package"


def _missing(result: BuildResult) -> str:
    """Say why there is nothing that could be published."""
    choice = result.report.publication.choice
    wanted = list(PUBLISHABLE.values()) if choice == "auto" else [PUBLISHABLE[choice]]
    refused = {s.parity.key for s in result.report.subjects if s.parity.refused}
    why = "its converter refused to make" if refused.intersection(wanted) else "--only left out"
    return f"it needs {' or '.join(wanted)}, which {why}"


def _summary(result: BuildResult, out: Path) -> dict[str, Any]:
    return {
        "verdict": result.report.verdict,
        "out": str(out),
        "report": str(out / "report.json"),
        "log": str(out / LOG),
        "package": None if result.package is None else str(result.package),
        "published": None if result.package is None else result.report.publication.form,
        "seconds": round(result.seconds, 3),
        "peak_bytes": result.peak_bytes,
        "artefacts": [_json_row(subject) for subject in result.report.subjects],
        "warnings": list(result.report.warnings),
    }


def _json_row(subject: Subject) -> dict[str, Any]:
    parity, artefact = subject.parity, subject.artefact
    worst = parity.max_abs_dp
    return {
        "kind": parity.key,
        "verdict": parity.verdict,
        "runtime": parity.runtime,
        "reasons": list(parity.reasons),
        "warnings": list(parity.warnings),
        "max_abs_dp": None if worst is None or worst != worst else worst,
        "file": None if artefact is None else artefact.path.name,
        "note": "" if artefact is None else artefact.note,
        "bytes": None if artefact is None else artefact.bytes,
        "seconds": None
        if artefact is None or artefact.seconds is None
        else round(artefact.seconds, 3),
    }
