"""The report as JUnit XML: a suite per artefact and runtime, a test case per named check."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

# XML 1.0 has no way to write these, not even escaped; file names may contain them.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(document: dict[str, Any]) -> bytes:
    """Return the JUnit view of a report document, UTF-8."""
    root = ElementTree.Element("testsuites", name="ferconv parity")
    for row in document["artefacts"]:
        _add_suite(root, row)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _add_suite(root: ElementTree.Element, row: dict[str, Any]) -> None:
    verdicts = [row["verdict"], *(check["verdict"] for check in row["checks"])]
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        name=_xml(f"{row['kind']} ({row['runtime']})"),
        tests=str(len(verdicts)),
        failures=str(verdicts.count("FAIL")),
        skipped=str(verdicts.count("NOT RUN")),
        errors="0",
    )
    _add_case(suite, row["kind"], "verdict", row["verdict"], "\n".join(row["reasons"]))
    for check in row["checks"]:
        case = _add_case(suite, row["kind"], check["name"], check["verdict"], check["detail"])
        if check["warns"]:
            warning = f"warning: {_xml(check['detail'])}"
            ElementTree.SubElement(case, "system-out").text = warning


def _add_case(
    suite: ElementTree.Element, kind: str, name: str, verdict: str, detail: str
) -> ElementTree.Element:
    case = ElementTree.SubElement(suite, "testcase", classname=f"ferconv.{kind}", name=name)
    message = _xml(detail)
    if verdict == "FAIL":
        ElementTree.SubElement(case, "failure", message=message).text = message
    elif verdict == "NOT RUN":
        ElementTree.SubElement(case, "skipped", message=message)
    return case


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
