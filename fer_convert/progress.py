"""Show what a build is doing, on stderr: a spinner on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from fer_train.contract.page.figures import size_text

if TYPE_CHECKING:
    from rich.status import Status

#: ru_maxrss counts bytes on macOS and KiB elsewhere.
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(slots=True, kw_only=True)
class Stage:
    """One step of a build.

    Attributes:
        seconds: wall time, set when the step ends.
        bytes: what the step wrote, where it wrote something.
        peak_bytes: largest resident memory of the process until the step ended.
        outcome: a word for the end of its line, such as a verdict.
    """

    title: str
    seconds: float = 0.0
    bytes: int | None = None
    peak_bytes: int = 0
    outcome: str = ""
    spinner: Status | None = None

    def advance(self, done: int, total: int) -> None:
        """Show how far the step is; nothing is printed outside a terminal."""
        if self.spinner is not None:
            self.spinner.update(f"{self.title} {done}/{total}")


class Progress:
    """Prints one line per stage and remembers them all."""

    def __init__(self, *, quiet: bool) -> None:
        from rich.console import Console

        self._console = Console(
            file=_own_stderr(), quiet=quiet, highlight=False, soft_wrap=True, markup=False
        )
        self.stages: list[Stage] = []

    @contextlib.contextmanager
    def stage(self, title: str) -> Iterator[Stage]:
        """Time a step; its line is printed when it ends well."""
        current = Stage(title=title)
        start = time.perf_counter()
        with contextlib.ExitStack() as stack:
            if self._console.is_terminal and not self._console.quiet:
                current.spinner = stack.enter_context(self._console.status(title))
            yield current
        current.seconds = time.perf_counter() - start
        current.peak_bytes = peak_memory_bytes()
        current.spinner = None
        self.stages.append(current)
        size = "" if current.bytes is None else size_text(current.bytes)
        self.say(f"  {title:<34} {current.seconds:6.1f} s {size:>10}  {current.outcome}".rstrip())

    def say(self, line: str) -> None:
        """Print a line."""
        self._console.print(line)


def _own_stderr() -> TextIO:
    """Return standard error under a descriptor of its own: converters run with 2 redirected."""
    try:
        real = sys.stderr.fileno() == 2
    except OSError:  # replaced by an object that is no file; nobody redirects that
        return sys.stderr
    if not real:
        return sys.stderr
    return os.fdopen(
        os.dup(2), "w", buffering=1, encoding=sys.stderr.encoding, errors=sys.stderr.errors
    )


def peak_memory_bytes() -> int:
    """Return the largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT
