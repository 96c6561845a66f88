"""Set before any test imports torch, as both command lines do; and who runs which test."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

from fer_train.contract.threads import limit_spinning

limit_spinning()
# One thread here and in every process that a test starts. Tests compare bits, so the number of
# cores must not matter, and the cores are taken already: by one worker of pytest-xdist each.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import settings  # noqa: E402

from tests.paths import REPOSITORY  # noqa: E402

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling

torch.set_num_threads(1)

# No test asserts a time: on a busy machine an example may take any.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


#: Folders whose helpers start processes; elsewhere a test file that does names ``subprocess``.
_STARTING = ("tests/swift/", "tests/packaging/")


@cache
def starts_processes(file: str) -> bool:
    """Whether the tests of a file, named as in test ids, start processes of their own."""
    return file.startswith(_STARTING) or "subprocess" in (REPOSITORY / file).read_text()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest piece of work that one worker does alone."""
    items.sort(key=lambda item: not starts_processes(item.nodeid.partition("::")[0]))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Give a worker whole files, so that what a file's tests share is made once.

    One worker gets all files that start processes: those would otherwise run several at a time
    beside the workers themselves.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "processes" if starts_processes(file) else file

    config.option.loadscopereorder = False  # in the order above, not by the number of tests
    return ByFile(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Repeat what passed tests want to be read: they record it as ``told``."""
    for report in terminalreporter.stats.get("passed", ()):
        for name, value in report.user_properties:
            if name == "told":
                terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {value}")
