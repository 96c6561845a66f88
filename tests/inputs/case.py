"""What people really have: one `Case` per input, with the command they would type and its end."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from fer_convert.cli import main as ferconv
from fer_train.cli import main as fertrain

_COMMANDS = {"ferconv": ferconv, "fertrain": fertrain}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One input and what must come of it; a row of ``docs/inputs.md``.

    Attributes:
        name: short and unique.
        what: what the input is, as its owner would put it.
        outcome: what happens, in one sentence.
        command: makes the input in an empty folder and returns the whole command line, starting
            with ``ferconv`` or ``fertrain``.
        code: the exit code.
        says: texts that must be in what is printed.
        never: texts that must not be.
    """

    name: str
    what: str
    outcome: str
    command: Callable[[Path], Sequence[object]]
    code: int
    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ("Traceback",)


def run(arguments: Sequence[object]) -> tuple[int, str]:
    """Run a command in this process as its console script would; exit code and all it printed."""
    name, *rest = map(str, arguments)
    printed = io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(printed),
        redirect_stderr(printed),
    ):
        patch.setattr(sys, "argv", [name, *rest])
        with pytest.raises(SystemExit) as ended:
            _COMMANDS[name]()
    return int(ended.value.code or 0), printed.getvalue()
