"""Ctrl-C and SIGTERM as a request to stop at the next safe moment."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(Exception):
    """Raised where work is abandoned because a signal asked for it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


class StopRequest:
    """Remembers the first signal; a second Ctrl-C ends the program at once."""

    def __init__(self) -> None:
        self.signum: int | None = None

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        if self.signum is not None and signum == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
            return
        self.signum = signum
        # os.write: print may be in the middle of its own buffer when the signal arrives.
        os.write(
            sys.__stderr__.fileno() if sys.__stderr__ else 2,
            b"\nstopping after this step and saving; Ctrl-C again quits at once\n",
        )

    def raise_if_requested(self) -> None:
        """Raise `Stopped` when a signal has arrived."""
        if self.signum is not None:
            raise Stopped(self.signum)


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Catch SIGINT and SIGTERM while the block runs; afterwards the old handlers are back."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        # Python lets only the main thread install handlers; elsewhere nobody can ask us to stop.
        yield request
        return
    previous = {
        number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
