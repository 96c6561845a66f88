"""What ``ferconv parity`` prints at the end: a table for people or the report for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from fer_convert.existing.compare import REPORT_NAME, ParityResult
from fer_convert.parity.result import Subject
from fer_convert.report.costs import costly, points
from fer_convert.report.json import COST_FIGURES, artefact_row, subject_name, to_document
from fer_train.contract.errors import ParityFailed, ParityNotRun, harmless
from fer_train.contract.page.figures import percent, size_text

_MOST_NAME = 34  # characters of a file's name in the table
_MOST_LOST = 8  # faces that are named; all are in the report


def print_table(result: ParityResult, out: Path | None) -> None:
    """Print the summary on stdout."""
    subjects = result.report.subjects
    names = [_short(subject_name(subject)) for subject in subjects]
    width = max(map(len, names))
    click.echo(
        f"\n{'artefact':<{width}} {'verdict':<8} {'max |dp|':>9} {'same label':>10}  runtime"
    )
    for name, subject in zip(names, subjects, strict=True):
        if not _is_absent(subject):
            click.echo(f"{name:<{width}} {_row(subject)}")
            for line in _remarks(subject):
                click.echo(f"{'':{width}} {line}")
    click.echo()
    for line in (*_costs(subjects), *_absent(subjects), *_ending(result, out)):
        click.echo(line)


def print_json(result: ParityResult) -> None:
    """Print the whole report on stdout."""
    click.echo(json.dumps(to_document(result.report), indent=2, allow_nan=False))


def raise_unless_passed(result: ParityResult, out: Path | None) -> None:
    """Turn the verdict into the exit code.

    Raises:
        ParityFailed, ParityNotRun: the verdict is FAIL or NOT RUN.
    """
    verdict = result.report.verdict
    if verdict == "PASS":
        return
    bad = [s for s in result.report.subjects if s.parity.verdict == verdict and not _is_absent(s)]
    names = ", ".join(dict.fromkeys(subject_name(subject) for subject in bad))
    kind = ParityFailed if verdict == "FAIL" else ParityNotRun
    where = "--out DIR writes the report." if out is None else f"Look at {_page(out)}."
    cause = names or "no runtime of this machine ran anything"
    raise kind(f"The parity verdict is {verdict}, because of: {cause}.", hint=where)


def _row(subject: Subject) -> str:
    parity = subject.parity
    worst = "" if parity.max_abs_dp is None else f"{parity.max_abs_dp:.1e}"
    same = "" if parity.top1_agreement is None else percent(parity.top1_agreement)
    return f"{parity.verdict:<8} {worst:>9} {same:>10}  {parity.runtime}"


def _remarks(subject: Subject) -> Iterator[str]:
    for reason in subject.parity.reasons:
        yield harmless(reason)
    for warning in subject.parity.warnings:
        yield harmless(f"warning: {warning}")


def _costs(subjects: Sequence[Subject]) -> Iterator[str]:
    """What each file does to accuracy and calibration, where enough images have labels."""
    for row in costly([artefact_row(subject) for subject in subjects]):
        cost = row["cost"]
        yield (
            f"on {cost['images']:,} labelled faces, {harmless(row['title'])}, {row['runtime']} "
            "(difference in points, 95 % interval):"
        )
        for name, title in COST_FIGURES.items():
            figure = cost[name]
            before, after = percent(figure["before"]), percent(figure["after"])
            yield f"  {title:<18} {before:>8} -> {after:>8}   {points(figure)}"
        lost, won = cost["right_to_wrong"], cost["wrong_to_right"]
        yield f"  {len(lost)} from right to wrong, {len(won)} from wrong to right"
        if lost:
            more = f" and {len(lost) - _MOST_LOST} more" if len(lost) > _MOST_LOST else ""
            yield harmless(f"  lost: {', '.join(lost[:_MOST_LOST])}{more}", kept="")
        yield ""


def _is_absent(subject: Subject) -> bool:
    """Tell whether this runtime cannot exist on this machine, and was not asked for."""
    return subject.parity.verdict == "NOT RUN" and not subject.parity.required


def _absent(subjects: Sequence[Subject]) -> Iterator[str]:
    absent = [subject for subject in subjects if _is_absent(subject)]
    for reason in dict.fromkeys(reason for s in absent for reason in s.parity.reasons):
        own = [subject for subject in absent if reason in subject.parity.reasons]
        runtimes = dict.fromkeys(s.parity.runtime.partition(",")[0] for s in own)
        names = dict.fromkeys(subject_name(subject) for subject in own)
        yield f"NOT RUN  {', '.join(names)} on {', '.join(runtimes)}: {reason}"


def _ending(result: ParityResult, out: Path | None) -> Iterator[str]:
    report = result.report
    yield f"compared on {len(report.faces)} images with {report.checkpoint.file}"
    yield f"verdict  {report.verdict}"
    if out is not None:
        yield f"report   {_page(out)}"
    yield f"took     {result.seconds:.1f} s, peak memory {size_text(result.peak_bytes)}"


def _page(out: Path) -> Path:
    return out / f"{REPORT_NAME}.html"


def _short(name: str) -> str:
    shown = harmless(name, kept="")
    return shown if len(shown) <= _MOST_NAME else f"…{shown[1 - _MOST_NAME :]}"
