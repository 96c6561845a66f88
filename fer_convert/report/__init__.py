"""The parity report: one JSON document, and HTML, Markdown and JUnit views of it.

report = assemble_report(checkpoint=..., contract=..., subjects=..., images=..., ...)
write_reports(folder, report)   # report.json, report.html, report.md, junit.xml
"""

from __future__ import annotations

from fer_convert.parity.result import Subject
from fer_convert.report.model import CheckpointInfo, Report, Stage, assemble_report
from fer_convert.report.write import write_reports

__all__ = [
    "CheckpointInfo",
    "Report",
    "Stage",
    "Subject",
    "assemble_report",
    "write_reports",
]
