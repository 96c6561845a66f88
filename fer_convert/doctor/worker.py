"""Try things in a process of its own, so that a library that crashes or hangs costs one answer."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import TracebackType
from typing import Literal

from fer_train.contract.errors import ParityNotRun

State = Literal["OK", "FAIL", "NOT RUN"]

#: What a worker is asked to do, with a folder to work in; returns a word about the result.
#: It must be picklable. `ParityNotRun` means that it cannot run on this machine.
Work = Callable[[Path], str]

#: Seconds: a cold import of torch from a slow disk takes a minute.
PATIENCE_S = 300.0

#: Seconds for a process to end by itself.
_FAREWELL_S = 10.0

_MOST_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one piece of work ended; ``detail`` is its result, or the reason."""

    state: State
    detail: str


class Worker:
    """A process that tries one thing after another; where it dies a new one takes its place.

    All in one process, because torch's import alone takes seconds.
    """

    def __init__(self, *, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._connection is not None and error is None:
            # A process that is killed leaves its semaphores (tqdm's lock), and Python complains.
            with contextlib.suppress(OSError):
                self._connection.send(None)
            assert self._process is not None
            self._process.join(_FAREWELL_S)
        self._end()

    def run(self, work: Work, folder: Path) -> Outcome:
        """Try one thing."""
        connection = self._connection or self._start()
        connection.send((work, folder))
        try:
            if not connection.poll(self._patience_s):
                self._end()
                return Outcome("FAIL", f"no answer in {self._patience_s:g} s")
            outcome: Outcome = connection.recv()
        except EOFError:
            return Outcome("FAIL", self._cause_of_death())
        return outcome

    def _start(self) -> Connection:
        # spawn: a fork would share what this process has imported, and its threads.
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        return self._connection

    def _cause_of_death(self) -> str:
        assert self._process is not None
        self._process.join()
        code = self._process.exitcode or 0
        self._end()
        if code < 0:
            return f"the process was ended by {signal.Signals(-code).name}"
        return f"the process ended itself with exit code {code}"

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = None


def _serve(connection: Connection) -> None:
    # What libraries print, natively too, would tear the table apart.
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    with contextlib.suppress(EOFError):  # the process that asked is gone
        while (asked := connection.recv()) is not None:
            connection.send(_outcome(*asked))


def _outcome(work: Work, folder: Path) -> Outcome:
    try:
        return Outcome("OK", work(folder))
    except ParityNotRun as reason:
        return Outcome("NOT RUN", reason.message)
    except Exception as error:
        words = " ".join(str(error).split())
        return Outcome("FAIL", f"{type(error).__name__}: {words}"[:_MOST_CHARACTERS])
