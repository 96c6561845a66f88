"""``converters.log``: what the converters of a build print, and their errors in full.

None of it belongs on the terminal (an exporter that refuses a network prints its whole graph), and
all of it may be needed to see why.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from fer_train.contract.files import write_text

#: Name of the log inside the build folder.
LOG = "converters.log"

_DESCRIPTORS = (1, 2)


class ConverterLog:
    """The log of one build.

    Attributes:
        latest: what the latest step printed.
    """

    def __init__(self) -> None:
        self.latest = ""
        self._sections: list[str] = []

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Keep all that is printed meanwhile, and the traceback of what is raised."""
        ending = "done"
        with tempfile.TemporaryFile("w+", buffering=1, encoding="utf-8", errors="replace") as file:
            try:
                with captured(file):
                    yield
            except Exception as error:
                ending = "".join(traceback.format_exception(error)).rstrip()
                raise
            finally:
                file.seek(0)
                self.latest = as_shown(file.read())
                self._sections.append(f"== {title}\n{self.latest}{ending}\n")

    @property
    def text(self) -> str:
        """All steps so far."""
        return "\n".join(self._sections)

    def write(self, folder: Path) -> None:
        """Write the log into a build folder.

        Raises:
            CannotWrite: no space, no permission.
        """
        write_text(folder / LOG, self.text)


@contextlib.contextmanager
def captured(file: TextIO) -> Iterator[None]:
    """Send standard output and standard error to ``file``: Python's, and native code's.

    The streams are replaced, and the descriptors below them, which C++ and child processes use.
    """
    saved = [(descriptor, _duplicate(descriptor)) for descriptor in _DESCRIPTORS]
    _flush()
    try:
        for descriptor, _ in saved:
            os.dup2(file.fileno(), descriptor)
        with (
            contextlib.redirect_stdout(file),
            contextlib.redirect_stderr(file),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("default")
            warnings.showwarning = _print_warning
            yield
    finally:
        _flush()
        for descriptor, former in saved:
            if former is None:
                os.close(descriptor)
            else:
                os.dup2(former, descriptor)
                os.close(former)


def as_shown(printed: str) -> str:
    """Return text as a terminal would show it: of a line that was drawn again, the last state."""
    lines = (line.rstrip().rpartition("\r")[2] for line in printed.split("\n"))
    return "".join(f"{line}\n" for line in lines if line)


def _print_warning(
    message: Warning | str, category: type[Warning], *_: object, **__: object
) -> None:
    print(f"{category.__name__}: {message}")


def _duplicate(descriptor: int) -> int | None:
    try:
        return os.dup(descriptor)
    except OSError:  # a program may be started without one
        return None


def _flush() -> None:
    """Empty the buffers of Python and of C, so that no line comes out on the wrong side."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    ctypes.CDLL(None).fflush(None)
