"""``fertrain report`` and ``fertrain compare``: look at runs that are over."""

from __future__ import annotations

import json
from pathlib import Path

import click

_folder = click.Path(path_type=Path)


@click.command()
@click.argument("run", type=_folder)
@click.option(
    "--data",
    metavar="DIR",
    type=_folder,
    help="Where the run's data are now, for pictures it did not keep.",
)
def report(run: Path, data: Path | None) -> None:
    """Write report.html and model-card.md of the finished RUN again.

    Training leaves both in the run folder; this makes them anew from the records there, for a run
    of an earlier version, one that was stopped, or after the tool changed. Nothing is measured
    again.
    """
    from fer_train.progress.reporter import choose_reporter
    from fer_train.report.write import CARD, remake_report

    page = remake_report(run, data=data, reporter=choose_reporter(quiet=False))
    click.echo(page)
    click.echo(page.with_name(CARD))


@click.command()
@click.argument("runs", metavar="RUN RUN…", type=_folder, nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
@click.option(
    "--html", metavar="FILE", type=_folder, help="Also write a page with curves to this file."
)
def compare(runs: tuple[Path, ...], as_json: bool, html: Path | None) -> None:
    """Set two or more RUN folders side by side, the best one (*) first.

    They are ordered by the validation figure that chose their best epochs (--select); the other
    figures are of test if every run has it, else of val. Says which options differ, and whether
    the first two differ in accuracy by more than chance (McNemar's exact test on the images that
    both answered).
    """
    if len(runs) < 2:
        raise click.UsageError("compare takes two or more runs; fertrain report shows one.")
    if len({run.resolve() for run in runs}) < len(runs):
        raise click.UsageError("The same run is given twice.")

    from fer_train.contract.files import write_text
    from fer_train.report.compare import as_text, compare_runs, render_comparison

    document, records = compare_runs(runs)
    if html is not None:
        write_text(html, render_comparison(document, records))
    if as_json:
        click.echo(json.dumps(document, indent=2, allow_nan=False))
    else:
        click.echo(as_text(document))
        if html is not None:
            click.echo(f"page: {html}")
