"""Leave report.html and model-card.md in a run folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fer_train.contract.errors import FerError
from fer_train.contract.files import write_text
from fer_train.progress.reporter import Reporter
from fer_train.report.html import render_card, render_page
from fer_train.report.mistakes import Gather, fetch_pictures, keep_pictures, shown_split
from fer_train.report.model import build_document
from fer_train.run_folder import RunFolder, read_run

REPORT, CARD = "report.html", "model-card.md"


def leave_report(
    run: RunFolder, *, gathers: Mapping[str, Gather], reporter: Reporter
) -> Path | None:
    """Write report and card of a run that has just ended; return the report's path.

    The run is already on disk and worth more than its report: whatever goes wrong here is said and
    not raised.

    Args:
        gathers: split -> returns the decoded images at given positions.
    """
    try:
        split = shown_split(list(gathers))
        found = None if split is None else read_run(run.root).evaluated(split)
        if split is not None and found is not None:
            keep_pictures(run, split=split, found=found, gather=gathers[split])
        report = write_report(run.root)
    except Exception as error:
        reason = (
            error.message if isinstance(error, FerError) else f"{type(error).__name__}: {error}"
        )
        reporter.note(
            "warning",
            f"the report could not be written: {reason} The run itself is complete; "
            f"fertrain report {run.root} tries again.",
        )
        return None
    reporter.note("report", f"{report} and {CARD}")
    return report


def remake_report(path: Path, *, data: Path | None, reporter: Reporter) -> Path:
    """Write report and card of an existing run anew; return the report's path.

    Args:
        data: where the run's data are now, for pictures it did not keep.

    Raises:
        NotFound: not a run, or one without a finished epoch.
        FerError: a damaged file, or ``data`` is not the run's.
    """
    record = read_run(path)
    try:
        fetch_pictures(record, data=data)
    except FerError as error:
        # Who names the data wants the pictures; otherwise the rest of the report is worth having.
        if data is not None:
            raise
        reporter.note("warning", f"no pictures of mistakes: {error.message}")
    return write_report(path)


def write_report(path: Path) -> Path:
    """Write report.html and model-card.md from what the run folder holds, both or neither.

    Raises:
        FerError: not a run, or a damaged file.
        CannotWrite: no space, no permission.
    """
    document = build_document(read_run(path))
    page, card = render_page(document), render_card(document)
    write_text(path / REPORT, page)
    write_text(path / CARD, card)
    return path / REPORT
