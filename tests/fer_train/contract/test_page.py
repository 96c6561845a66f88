"""Numbers look the same on every page, and say nothing that is not so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fer_train.contract.page import environment, figures, markdown


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (figures.size_text(8_123_456), "8.1 MB"),
        (figures.size_text(120_000_000), "120.0 MB"),
        (figures.size_text(100_000), "0.1 MB"),
        (figures.size_text(99_499), "99 kB"),
        (figures.size_text(0), "0 kB"),
        (figures.size_text(None), "\N{EN DASH}"),
        (figures.percent(1.0), "100 %"),
        (figures.percent(0), "0 %"),
        (figures.percent(0.6234), "62.3 %"),
        (figures.percent(0.9994), "99.9 %"),
        (figures.percent(0.9996), "> 99.9 %"),
        (figures.percent(0.0005), "0.1 %"),
        (figures.percent(0.00002), "< 0.1 %"),
        (figures.percent("nan"), "NaN"),
        (figures.whole_percent(0.004), "< 1 %"),
        (figures.whole_percent(0.996), "> 99 %"),
        (figures.whole_percent(0.5), "50 %"),
        (figures.interval((0.601, 0.645)), "60.1 to 64.5 %"),
        (figures.interval(None), "\N{EN DASH}"),
        (figures.count(12345), "12,345"),
        (figures.decimal(0.62346), "0.6235"),
        (figures.scientific(0.000123), "1.2e-04"),
        (figures.scientific(0.0), "0"),
        (figures.scientific("nan"), "NaN"),
        (figures.decibel("inf"), "identical"),
        (figures.decibel("-inf"), "-∞"),
        (figures.decibel(93.21), "93.2 dB"),
        (figures.milliseconds(2.34), "2.3 ms"),
        (figures.milliseconds(None), "\N{EN DASH}"),
        (figures.duration(2.34), "2.3 s"),
        (figures.duration(65), "1 min 05 s"),
        (figures.duration(3725.0), "1 h 02 min"),
        (figures.plain([0.97645, 1.02411]), "0.976, 1.02"),
    ],
)
def test_figures(shown: str, expected: str) -> None:
    assert shown == expected


def test_nan_sorts_as_the_worst() -> None:
    assert figures.as_float("nan") == figures.as_float("inf") == float("inf")
    assert figures.as_float(None) == 0


def test_a_page_extends_the_kit_and_escapes(tmp_path: Path) -> None:
    (tmp_path / "own.html.j2").write_text(
        '{% extends "page.html.j2" %}{% block title %}{{ name }}{% endblock %}'
        "{% block main %}{{ bytes | size_text }}{% endblock %}"
    )
    page = environment(tmp_path).get_template("own.html.j2").render(name="<b>", bytes=8_123_456)
    assert "<title>&lt;b&gt;</title>" in page and "8.1 MB" in page
    assert "prefers-color-scheme: dark" in page and "@media print" in page
    assert "default-src 'none'" in page


def test_the_kit_imports_no_template_engine() -> None:
    """Both commands import it; ``--help`` draws no page."""
    code = "import sys, fer_train.contract.page; sys.exit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_markdown_escapes_markup() -> None:
    assert markdown("a|b_c <i>\n`x`") == r"a\|b\_c \<i\> \`x\`"
