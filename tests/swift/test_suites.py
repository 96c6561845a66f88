"""EmotionKit's own tests; the last lines of the whole run tell what they said."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping

import pytest

from tests.swift.apps import EMOTIONKIT, JOBS, REPOSITORY, STUBS, run

#: The whole build on a slow machine that has other things to do.
pytestmark = pytest.mark.timeout(1800)


def expect_to_pass(
    *options: object, tell: Callable[[str, object], None], env: Mapping[str, str] | None = None
) -> None:
    command = ("swift", "test", *JOBS, "--disable-xctest", "-Xswiftc", "-warnings-as-errors")
    ran = run(*command, *options, cwd=REPOSITORY, env=env)
    told = re.findall(r"^\W*(Test run with .*|EmotionKit: .*)$", ran.stdout, re.MULTILINE)
    assert any(line.startswith("Test run with") for line in told), ran.stdout + ran.stderr
    for line in told:
        tell("told", line)


def test_the_package_as_an_app_adds_it(record_property: Callable[[str, object], None]) -> None:
    """By the root manifest."""
    expect_to_pass(tell=record_property)


@pytest.mark.skipif(sys.platform != "linux", reason="NOT RUN: Apple's frameworks need no stand-ins")
def test_the_apple_layer_against_stub_modules_of_apples_frameworks(
    record_property: Callable[[str, object], None],
) -> None:
    options = ("--package-path", EMOTIONKIT, "--scratch-path", STUBS)
    options = (*options, "--skip", "BoundedMemory")  # a million frames, which the test above takes
    expect_to_pass(*options, tell=record_property, env={"EMOTIONKIT_APPLE_STUBS": "1"})
