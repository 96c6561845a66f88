"""One process at a time builds a cache; the others wait and then find it ready."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_POLL = 0.2  # seconds


@contextlib.contextmanager
def exclusive(path: Path, *, while_waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file ``path``; the operating system releases it however the holder dies.

    Args:
        while_waiting: called a few times per second; may raise to give up.
    """
    try:
        import fcntl
    except ImportError:  # Windows: two builders would merely do the work twice
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            while_waiting()
            time.sleep(_POLL)
            continue
        except BaseException:
            os.close(handle)
            raise
        if _still_there(handle, path):
            break
        # The former holder removed the file between our open and our lock: nobody else sees ours.
        os.close(handle)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _still_there(handle: int, path: Path) -> bool:
    try:
        return os.fstat(handle).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False
