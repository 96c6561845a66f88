"""Every Apple symbol is listed with its versions, and stands behind the guard that they ask for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.swift.apps import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "ci"))
from apple_sources import code_only, words


def test_the_page_is_up_to_date_and_every_guard_is_there() -> None:
    command = [sys.executable, REPOSITORY / "ci" / "apple_api.py"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


SOURCE = """
#if canImport(Vision) && !os(visionOS)
  import Vision
  // not.this
  let text = "not \\(interpolated.value) this"
  func one() {
    if #available(iOS 17.0, macOS 14, *) {
      new.thing()
    } else {
      old.thing()
    }
    guard #available(iOS 18, *) else { return earlier() }
    newest.thing()
  }
  @available(iOS 17.4, *)
  struct Two {
    var plan: Plan
  }
  after.all()
#else
  let linux = elsewhere
#endif
"""


@pytest.mark.parametrize(
    ("name", "versions"),
    [
        ("new", (("iOS", "17.0"), ("macOS", "14"))),
        ("old", ()),
        ("newest", (("iOS", "18"),)),
        ("Plan", (("iOS", "17.4"),)),
        ("after", ()),
    ],
)
def test_guards_hold_where_they_hold(name: str, versions: tuple[tuple[str, str], ...]) -> None:
    [word] = [word for word in words(SOURCE) if word.name == name]
    assert word.versions == versions
    assert word.conditions == ("canImport(Vision) && !os(visionOS)",)


def test_conditions_turn_around_and_texts_are_no_code() -> None:
    found = {word.name: word for word in words(SOURCE)}
    assert found["elsewhere"].conditions == ("!(canImport(Vision) && !os(visionOS))",)
    assert "interpolated" in found
    assert "this" not in code_only(SOURCE)
