"""HTML, Markdown and JUnit are views of the document: well-formed, self-contained, escaped."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest

from fer_convert.report import Report, html, junit, markdown
from fer_convert.report.json import to_document
from fer_convert.report.ladder import ladder
from fer_train.contract.page.figures import as_float
from tests.fer_convert.report.made_reports import HOSTILE, make_report


class Tags(HTMLParser):
    """Collects tags and checks that they nest."""

    VOID = frozenset({"meta", "img", "br", "line"})

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.addresses: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.addresses += [v or "" for k, v in attrs if k in ("src", "href", "action", "srcset")]
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def close(self) -> None:
        super().close()
        assert self._open == []


@pytest.fixture
def page(document: dict[str, Any]) -> str:
    return html.render(document)


def test_the_page_nests_and_loads_nothing(page: str) -> None:
    tags = Tags()
    tags.feed(page)
    tags.close()
    assert "img" in tags.seen and "svg" in tags.seen
    assert {"script", "link", "iframe", "object"}.isdisjoint(tags.seen)
    assert all(address.startswith("data:image/png;base64,") for address in tags.addresses)
    assert not re.search(r"https?://|@import|url\(", page)
    assert "default-src 'none'" in page


def test_the_page_escapes_file_names(page: str) -> None:
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_the_page_shows_what_matters(page: str) -> None:
    for text in (
        "Parity FAIL",
        "Nothing was published.",
        "Is it the same network?",
        "Is half precision enough for it?",
        "needs macOS",
        "NaN or infinity on",
        "120.0 MB",
        "What this report proves",
        "validation accuracy",
        "<dt>temperature</dt><dd>1.375</dd>",
        "cd" * 32,
    ):
        assert text in page, text


def test_the_worst_image_comes_first(document: dict[str, Any]) -> None:
    cards = html._cards(document)
    assert cards[0]["name"] == HOSTILE
    errors = [as_float(card["max_abs_dp"]) for card in cards]
    assert errors == sorted(errors, reverse=True)
    assert 0 < errors[-1] < errors[0]
    assert cards[0]["artefact"] == "onnx"
    assert all(bar["artefact"] is None for bar in cards[0]["bars"])


def test_a_form_that_was_passed_over_is_told_and_fails_nothing(passed_over: Report) -> None:
    document = to_document(passed_over)
    assert document["verdict"] == "PASS"
    assert document["publication"] == {
        "choice": "auto",
        "form": "fp32",
        "kind": "mlpackage-fp32",
        "passed_over": ["fp16"],
        "not_judged": [],
    }
    (warning,) = document["warnings"]
    assert "EmotionNet.mlpackage-fp32 (fp32, 2.0 MB) is published instead of" in warning
    page = html.render(document)
    assert "Every other artefact, read back" in page and "In fp16 it is the trained network" in page
    assert warning in page
    assert "fp16 is not precise enough" in markdown.render(document)
    root = ElementTree.fromstring(junit.render(document))
    assert [suite.get("failures") for suite in root] == ["0", "0"]
    assert root.find(".//failure") is None
    for suite in root:
        assert suite.get("skipped") == str(len(suite.findall("testcase/skipped")))
    skipped = root.find(".//testcase[@name='probabilities']/skipped")
    assert skipped is not None
    assert (skipped.get("message") or "").startswith("FAIL, but not published: Worst image")


def test_a_form_that_nothing_could_judge_is_told_and_fails_nothing(not_judged: Report) -> None:
    document = to_document(not_judged)
    assert (document["verdict"], document["publication"]["not_judged"]) == ("PASS", ["fp16"])
    (warning,) = document["warnings"]
    assert warning.startswith("fp16 was not judged, so EmotionNet.mlpackage-fp32 (fp32, 2.0 MB)")
    assert warning.endswith("was not run, so there is nothing to judge against.")
    page = html.render(document)
    assert "Every other artefact, read" in page and "in fp16, too, was not judged." in page
    assert warning in markdown.render(document)


def test_warnings_of_a_pass_are_shown_in_every_view(passing: Report) -> None:
    document = to_document(passing)
    (row,) = document["artefacts"]
    assert row["warnings"] == [] and not any(check["warns"] for check in row["checks"])
    logits = next(check for check in row["checks"] if check["name"] == "logits")
    logits |= {"detail": "Worst image a.png: 39.0 dB.", "warns": True}
    row["warnings"] = [logits["detail"]]
    assert "Warning: Worst image a.png: 39.0 dB." in html.render(document)
    assert "(warning): Worst image a.png: 39.0 dB." in markdown.render(document)
    said = ElementTree.fromstring(junit.render(document)).find(".//system-out")
    assert said is not None and said.text == "warning: Worst image a.png: 39.0 dB."


def test_a_pass_says_so_and_nothing_else(passing: Report) -> None:
    page = html.render(to_document(passing))
    assert "Parity PASS" in page
    assert "Nothing was published" not in page
    assert "Not run" not in page


def test_a_report_without_a_single_comparison_can_be_drawn() -> None:
    page = html.render(to_document(make_report([])))
    assert "Parity NOT RUN" in page


def test_markdown_has_a_row_per_artefact_and_escapes(document: dict[str, Any]) -> None:
    text = markdown.render(document)
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(document["artefacts"])
    # A pipe of a file name would add a cell.
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {9}
    assert "<script" not in text
    assert "Parity FAIL" in text and "needs macOS" in text and "120.0 MB" in text


def test_every_view_tells_what_was_refused_and_where_the_log_is(refusing: Report) -> None:
    document = to_document(refusing)
    page, text = html.render(document), markdown.render(document)
    for view in (page, text):
        assert "The converter refused this network: no function for op" in view
        assert "It takes one picture at a time." in view
        assert "converters.log" in view
    assert "Refused by a converter: <b>mlmodel</b>" in page
    assert "1 refused" in page and "Not run on this machine" not in page
    (suite,) = ElementTree.fromstring(junit.render(document)).findall(
        "testsuite[@name='mlmodel (not converted)']"
    )
    assert suite.find("testcase[@name='converted']/skipped") is not None


def test_junit_counts_and_reasons(document: dict[str, Any]) -> None:
    root = ElementTree.fromstring(junit.render(document))
    suites = {suite.get("name"): suite for suite in root}
    assert list(suites) == [
        "module (fake 1.0)",
        "onnx (fake 1.0)",
        "mlpackage-fp16 (fake 1.0)",
        "mlmodel (Apple Core ML)",
    ]
    for suite in root:
        assert suite.get("tests") == str(len(suite.findall("testcase")))
        assert suite.get("failures") == str(len(suite.findall("testcase/failure")))
        assert suite.get("skipped") == str(len(suite.findall("testcase/skipped")))
    assert suites["module (fake 1.0)"].get("failures") == "0"
    failure = suites["onnx (fake 1.0)"].find("testcase[@name='finite']/failure")
    assert failure is not None
    # The bell of the file name cannot be written in XML at all.
    assert "alert('x')</script>|`\ufffd.png" in (failure.get("message") or "")
    skipped = suites["mlmodel (Apple Core ML)"].find("testcase[@name='verdict']/skipped")
    assert skipped is not None and skipped.get("message") == "needs macOS"


def test_the_ladder_keeps_every_dot_on_the_axis(document: dict[str, Any]) -> None:
    drawn = ladder(document["artefacts"])
    assert drawn is not None
    assert [row["kind"] for row in drawn["rows"]] == ["module", "onnx", "mlpackage-fp16"]
    for row in drawn["rows"]:
        assert len(row["dots"]) == 3
        assert all(drawn["left"] <= dot["x"] <= drawn["right"] for dot in row["dots"])
    module, onnx, _ = drawn["rows"]
    assert {dot["x"] for dot in module["dots"]} == {float(drawn["left"])}
    assert [dot["bad"] for dot in onnx["dots"]] == [False, False, True]
    assert ladder([]) is None


def test_what_a_file_costs_is_shown_where_enough_faces_have_labels(
    document: dict[str, Any],
) -> None:
    """Accuracy of 45 drawn faces says nothing; of sixty it says what an interval says."""
    row = next(row for row in document["artefacts"] if row["cost"])
    assert "labelled faces" not in markdown.render(document).partition("Half")[0].lower()
    change = {"before": 0.6, "after": 0.5, "difference": -0.1, "interval": [-0.21, 0.0001]}
    row["cost"] = {
        **dict.fromkeys(("accuracy", "balanced_accuracy", "macro_f1", "ece"), change),
        "images": 60,
        "wrong_to_right": [],
        "chance": 0.002,
        "right_to_wrong": [HOSTILE, *(f"{i}.png" for i in range(30))],
    }
    page = html.render(document)
    tags = Tags()
    tags.feed(page)
    assert "What it costs on labelled faces" in page and "and 7 more, in report.json" in page
    assert (
        "\N{MINUS SIGN}10.00 (\N{MINUS SIGN}21.00 to +0.01)" in page and "<script>alert" not in page
    )
    short = markdown.render(document)
    assert "| 60 | 50.0 %, \N{MINUS SIGN}10.00" in short and "| 31 | 0 |" in short
