"""Write the report and its views, each file atomically."""

from __future__ import annotations

from pathlib import Path

from fer_convert.report import html, junit, markdown
from fer_convert.report.json import to_document
from fer_convert.report.model import Report
from fer_train.contract.files import write_bytes, write_json, write_text


def write_reports(folder: Path, report: Report, *, name: str = "report") -> None:
    """Write ``report.json`` and its views ``report.html``, ``report.md`` and ``junit.xml``.

    Args:
        name: instead of ``report``.

    Raises:
        CannotWrite: no space, no permission.
    """
    document = to_document(report)
    write_json(folder / f"{name}.json", document)
    write_text(folder / f"{name}.html", html.render(document))
    write_text(folder / f"{name}.md", markdown.render(document))
    write_bytes(folder / "junit.xml", junit.render(document))
