"""``fertrain data``: look at a data set before training on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fer_train.commands.launch import cache_option
from fer_train.config.click_options import config_options
from fer_train.contract.errors import harmless
from fer_train.machine.device import default_workers

if TYPE_CHECKING:
    from fer_train.data.check.check import Checked


#: Groups printed of each kind of finding, and names of each group.
_EXAMPLES, _NAMES = 2, 3


@click.group()
def data() -> None:
    """Look at a data set before training on it."""


@data.command()
@click.argument("source", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("data-check"),
    show_default=True,
    help="Folder for report.html and findings.json.",
)
@config_options(("layout", "label_order", "custom_labels", "labels_from"))
@click.option(
    "--exclude",
    type=click.Path(path_type=Path),
    help="Check what remains without the images of this findings.json.",
)
@click.option(
    "--near",
    type=click.IntRange(0, 24),
    default=16,
    show_default=True,
    help="Bits of 242 in which near duplicates may differ.",
)
@click.option("--strict", is_flag=True, help="Exit with 23 if there is any finding.")
@click.option("--workers", default=default_workers(), show_default=True, help="Decoding threads.")
@cache_option
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON on stdout.")
@click.option("--quiet", is_flag=True, help="No progress, no summary; errors only.")
def check(source: Path, **options: Any) -> None:
    """Find what is wrong with the images in DIR (or in a CSV file).

    Unreadable images, exact and near duplicates, pictures in two splits, equal pictures with
    different labels, blank, tiny and oddly shaped images, missing classes. Writes a report to look
    at and a list for `fertrain train --exclude`. Changes nothing in DIR.
    """
    from fer_train.contract.errors import DataHasFindings
    from fer_train.contract.files import refuse_foreign_output
    from fer_train.data.cache import default_cache_folder
    from fer_train.data.check.check import check as check_data
    from fer_train.data.check.check import to_document
    from fer_train.data.check.report import FINDINGS, REPORT, write_check
    from fer_train.data.dataset import DataRequest
    from fer_train.data.request import reporting_scanner
    from fer_train.progress.reporter import choose_reporter

    out: Path = options["out"]
    # Before minutes of looking at images: can the result be written where it should go?
    refuse_foreign_output(out, marker=FINDINGS)
    request = DataRequest(
        layout=options["layout"],
        label_order=options["label_order"],
        custom_labels=options["custom_labels"],
        labels_from=options["labels_from"],
        exclude=options["exclude"],
    )
    reporter = choose_reporter(quiet=options["quiet"])
    scanner = reporting_scanner(
        cache=options["cache"] or default_cache_folder(),
        workers=options["workers"],
        reporter=reporter,
        check_stop=lambda: None,
    )
    checked = check_data(source, request, distance=options["near"], scanner=scanner)
    document = to_document(checked)
    write_check(out, document, checked)
    if options["as_json"]:
        click.echo(json.dumps(document, indent=2, allow_nan=False))
    elif not options["quiet"]:
        _print_summary(
            document, checked, report=out / REPORT, findings=out / FINDINGS, source=source
        )
    if options["strict"] and document["findings"]:
        raise DataHasFindings(
            f"{source} has findings of {len(document['findings'])} kinds (--strict).",
            hint=f"See {out / REPORT}.",
        )


def _print_summary(
    document: dict[str, Any], checked: Checked, *, report: Path, findings: Path, source: Path
) -> None:
    _say(f"{document['images']} images in {source}: {document['data']['layout']}")
    for note in document["data"]["notes"]:
        _say(f"  {note}")
    for split, counts in document["counts"].items():
        listed = ", ".join(f"{label} {count}" for label, count in counts.items())
        _say(f"  {split}: {sum(counts.values())} ({listed})")
    for finding in checked.findings:
        _say(f"{finding.kind.severity}: {finding.kind.title}: {finding.amount()}")
        for group in finding.groups[:_EXAMPLES]:
            names = [checked.listing.samples[index].name for index in group.members[:_NAMES]]
            more = ["…"] if len(group.members) > _NAMES else []
            note = f" ({group.note})" if names else group.note
            _say(f"    {', '.join([*names, *more])}{note}")
    if not document["findings"]:
        _say("Nothing found.")
    _say(f"report: {report}")
    if document["exclude"]:
        _say(
            f"To train without {len(document['exclude'])} of these images: "
            f"fertrain train --data {source} --exclude {findings}"
        )


def _say(line: str) -> None:
    # Names of files are a stranger's.
    click.echo(harmless(line))
