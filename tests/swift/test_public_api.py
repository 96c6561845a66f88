"""What EmotionKit promises to apps changes only on purpose, and stays small enough to know."""

from __future__ import annotations

import subprocess
import sys

from tests.swift.apps import REPOSITORY


def test_the_public_api_is_the_pinned_one() -> None:
    ran = subprocess.run(
        [sys.executable, REPOSITORY / "ci" / "swift_api.py"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
