"""Work for a worker's process: what goes well, and every way to go wrong."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from fer_train.contract.errors import ParityNotRun


def name_of_the_folder(folder: Path) -> str:
    return folder.name


def own_process(folder: Path) -> str:
    return str(os.getpid())


def print_and_pass(folder: Path) -> str:
    os.write(1, b"to stdout\n")
    os.write(2, b"to stderr\n")
    return "printed"


def raise_error(folder: Path) -> str:
    raise RuntimeError("operator torchvision::nms\n   does not exist")


def need_a_mac(folder: Path) -> str:
    raise ParityNotRun("needs macOS")


def crash(folder: Path) -> str:
    os.kill(os.getpid(), signal.SIGSEGV)
    return "alive"


def leave(folder: Path) -> str:
    os._exit(7)


def hang(folder: Path) -> str:
    threading.Event().wait()
    return "never"
