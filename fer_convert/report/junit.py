"""The report as JUnit XML: a suite per artefact and runtime, a test case per named check.

What a build forgives is no failure here either: a form that was passed over is skipped, with what
failed.
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

from fer_convert.artefact import PUBLISHABLE

# XML 1.0 has no way to write these, not even escaped; file names may contain them.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(document: dict[str, Any]) -> bytes:
    """Return the JUnit view of a report document, UTF-8."""
    root = ElementTree.Element("testsuites", name="ferconv parity")
    forgiven = {PUBLISHABLE[form] for form in document["publication"]["passed_over"]}
    for row in document["artefacts"]:
        _add_suite(root, row, forgiven=row["kind"] in forgiven)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _add_suite(root: ElementTree.Element, row: dict[str, Any], *, forgiven: bool) -> None:
    verdicts = [row["verdict"], *(check["verdict"] for check in row["checks"])]
    failures = 0 if forgiven else verdicts.count("FAIL")
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        name=_xml(f"{row['title']} ({row['runtime']})"),
        tests=str(len(verdicts)),
        failures=str(failures),
        skipped=str(len(verdicts) - verdicts.count("PASS") - failures),
        errors="0",
    )
    because = "\n".join(row["reasons"])
    _add_case(suite, row["kind"], "verdict", row["verdict"], because, forgiven=forgiven)
    for check in row["checks"]:
        case = _add_case(
            suite,
            row["kind"],
            check["name"],
            check["verdict"],
            check["detail"],
            forgiven=forgiven,
        )
        if check["warns"]:
            warning = f"warning: {_xml(check['detail'])}"
            ElementTree.SubElement(case, "system-out").text = warning


def _add_case(
    suite: ElementTree.Element, kind: str, name: str, verdict: str, detail: str, *, forgiven: bool
) -> ElementTree.Element:
    case = ElementTree.SubElement(suite, "testcase", classname=f"ferconv.{kind}", name=name)
    message = _xml(detail)
    if verdict == "FAIL" and forgiven:
        ElementTree.SubElement(case, "skipped", message=f"FAIL, but not published: {message}")
    elif verdict == "FAIL":
        ElementTree.SubElement(case, "failure", message=message).text = message
    elif verdict == "NOT RUN":
        ElementTree.SubElement(case, "skipped", message=message)
    return case


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
