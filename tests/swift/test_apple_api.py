"""Every Apple symbol is listed with its versions, and stands behind the guard that they ask for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

import pytest

from tests.swift.apps import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "ci"))
from apple_api import guard_problems, stand_in_problems
from apple_sources import code_only, words
from apple_stand_ins import FOLDER
from apple_table import Symbol, read_table


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
        ("new", (("iOS", "17.0"), ("macCatalyst", "17.0"), ("macOS", "14"))),
        ("old", ()),
        ("newest", (("iOS", "18"), ("macCatalyst", "18"))),
        ("Plan", (("iOS", "17.4"), ("macCatalyst", "17.4"))),
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


def test_an_else_branch_is_for_older_systems_alone() -> None:
    found = {word.name: word for word in words(SOURCE)}
    assert dict(found["old"].below)["iOS"] == "17.0"
    assert found["new"].below == found["newest"].below == found["after"].below == ()


def used(
    text: str,
    conditions: str = "canImport(Vision)",
    *,
    since: Mapping[str, str] = {},
    deprecated: Mapping[str, str] = {},
) -> list[str]:
    """What is said about a use of a symbol that exists everywhere but as ``since`` says."""
    everywhere = dict.fromkeys(("iOS", "macOS", "Mac Catalyst", "visionOS"), "1")
    symbol = Symbol("Vision", "thing", everywhere | dict(since), dict(deprecated), "", "")
    source = f"#if {conditions}\n{text}\n#endif"
    symbol.found = [(FOLDER / "A.swift", word) for word in words(source) if symbol.matches(word)]
    assert symbol.found
    return list(guard_problems([symbol]))


def test_a_use_that_is_deprecated_at_the_floor_is_an_error() -> None:
    [problem] = used("thing()", deprecated={"visionOS": "1"})
    assert "deprecated since visionOS 1" in problem
    assert used("thing()", deprecated={"visionOS": "2"}) == []
    branch = "if #available(visionOS 1.0, *) {\n new()\n} else {\n thing()\n}"
    assert used(branch, deprecated={"visionOS": "1"}) == []


def test_mac_catalyst_follows_ios_in_guards_and_not_in_what_exists() -> None:
    late = {"iOS": "18", "Mac Catalyst": "18"}
    assert used("if #available(iOS 18.0, *) {\n thing()\n}", since=late) == []
    assert len(used("thing()", since=late)) == 2
    [problem] = used("thing()", since={"Mac Catalyst": "-"})
    assert "does not exist on Mac Catalyst" in problem
    there = "canImport(Vision) && !targetEnvironment(macCatalyst)"
    assert used("thing()", there, since={"Mac Catalyst": "-"}) == []


def test_stand_ins_may_not_be_kinder_than_the_table() -> None:
    symbols, _ = read_table()
    assert list(stand_in_problems(symbols)) == []
    view = next(symbol for symbol in symbols if symbol.name == "UIView")
    view.isolation = ""
    plan = next(symbol for symbol in symbols if symbol.name == "MLComputePlan")
    plan.since["iOS"] = "17.5"
    problems = list(stand_in_problems([view, plan]))
    assert len(problems) == 2
    assert "no isolation" in problems[0]
    assert "the table says 17.5" in problems[1]


def test_every_row_says_which_systems_have_it() -> None:
    symbols, _ = read_table()
    assert all(
        set(symbol.since) == {"iOS", "macOS", "Mac Catalyst", "visionOS"} for symbol in symbols
    )
    assert any(symbol.deprecated for symbol in symbols)
