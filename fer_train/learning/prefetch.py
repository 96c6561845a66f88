"""Prepare the next batches while the device works on the present one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from typing import Any

import torch

from fer_train.learning.engine import Feed, Loaded, load_in_turn

#: Batches that wait: one being consumed, one ready behind it.
_DEPTH = 2


def loader_for(device: torch.device) -> Callable[..., Generator[Loaded, None, None]]:
    """Return how micro-batches are loaded: ahead of time on CUDA, in turn elsewhere.

    On the CPU a second thread would take the cores the network computes on; on MPS two threads
    that encode commands are not worth the risk.
    """
    return load_ahead if device.type == "cuda" else load_in_turn


def load_ahead(
    feed: Feed, micro_batches: Iterable[Any], *, epoch: int
) -> Generator[Loaded, None, None]:
    """Load micro-batches in a thread, in order; the same batches as `load_in_turn`.

    An exception of the feed is raised here. The thread ends when the iterator is closed.
    """
    ready: queue.Queue[Loaded | BaseException | None] = queue.Queue(_DEPTH)
    closed = threading.Event()

    def put(item: Loaded | BaseException | None) -> bool:
        while not closed.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for loaded in load_in_turn(feed, micro_batches, epoch=epoch):
                if not put(loaded):
                    return
            put(None)
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        closed.set()
        thread.join()
