"""The command, as the training tests run it."""

from __future__ import annotations

from tests.train.conftest import cache, fertrain, one_thread

__all__ = ["cache", "fertrain", "one_thread"]
