"""Turn whatever a command raises into one message on stderr and an exit code."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from fer_train.contract.errors import FerError
from fer_train.contract.files import cannot_write

if TYPE_CHECKING:
    import click

#: 128 + the signal's number: what a shell reports for a program ended by that signal.
EXIT_SIGINT = 130
EXIT_SIGTERM = 143


def main_with_errors(command: click.Command, prog_name: str) -> NoReturn:
    """Run a click command and exit; no traceback unless ``FER_DEBUG=1``.

    Exit codes: those of `FerError`'s subclasses, click's own (2 for wrong usage), 130 for Ctrl-C,
    30 for a full disk, 1 for anything unexpected.
    """
    import click

    _escape_what_cannot_be_written()
    try:
        # Standalone mode would turn Ctrl-C into exit code 1; here it must be 130.
        status = command.main(prog_name=prog_name, standalone_mode=False)
    except SystemExit:
        raise
    except click.exceptions.Abort as error:
        # click's wrapping of KeyboardInterrupt and of EOFError.
        sys.exit(report_error(error.__cause__ or KeyboardInterrupt(), prog_name))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BaseException as error:
        sys.exit(report_error(error, prog_name))
    # In this mode ctx.exit(code) comes back as the return value.
    sys.exit(status if isinstance(status, int) else 0)


def _escape_what_cannot_be_written() -> None:
    """Let a terminal show as ``\\u2588`` what its encoding lacks.

    Names of files need not be UTF-8 (Python holds such bytes as lone surrogates), and a terminal
    need not be, either: no command ends because of a character.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def exit_on_sigterm() -> None:
    """Turn SIGTERM into an exception, so that a killed command cleans up like an interrupted one.

    Without it Python dies on the spot and leaves temporary files behind.
    """
    signal.signal(signal.SIGTERM, lambda signum, frame: sys.exit(EXIT_SIGTERM))


def report_error(error: BaseException, prog_name: str) -> int:
    """Print one error on stderr and return its exit code."""
    if os.environ.get("FER_DEBUG") == "1":
        traceback.print_exception(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        error = cannot_write(Path(error.filename or "the output"), error)
    if isinstance(error, FerError):
        _say("error", str(error))
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        _say(prog_name, "interrupted.")
        return EXIT_SIGINT
    if isinstance(error, OSError):
        _say("error", f"{error.filename or prog_name}: {error.strerror or error}.")
        return 1
    _say(
        "error",
        f"unexpected {type(error).__name__}: {error}\n"
        f"  This is a fault in {prog_name}; run it again with FER_DEBUG=1 for the traceback.",
    )
    return 1


def _say(prefix: str, message: str) -> None:
    print(f"{prefix}: {message}", file=sys.stderr)
