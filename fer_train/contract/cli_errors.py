"""Turn whatever a command raises into one message on stderr and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING, NoReturn

from fer_train.contract.errors import FerError

if TYPE_CHECKING:
    import click

#: 128 + the signal's number, what a shell reports for a program ended by it.
EXIT_SIGINT = 130
EXIT_SIGTERM = 143


def main_with_errors(command: click.Command, prog_name: str) -> NoReturn:
    """Run a click command; never show a traceback unless ``FER_DEBUG=1``.

    Exit codes: those of `FerError`'s subclasses, click's own (2 for wrong usage), 130 for Ctrl-C,
    30 for a full disk, 1 for anything unexpected.
    """
    import click

    try:
        # standalone_mode turns Ctrl-C into exit code 1; here it must be 130.
        status = command.main(prog_name=prog_name, standalone_mode=False)
    except click.exceptions.Abort:
        _say(prog_name, "interrupted.")
        sys.exit(EXIT_SIGINT)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BaseException as error:
        if isinstance(error, SystemExit):
            raise
        sys.exit(report_error(error, prog_name))
    # ctx.exit(code) comes back as a return value in non-standalone mode.
    sys.exit(status if isinstance(status, int) else 0)


def report_error(error: BaseException, prog_name: str) -> int:
    """Print one error on stderr and return its exit code."""
    if os.environ.get("FER_DEBUG") == "1":
        traceback.print_exception(error)
    if isinstance(error, FerError):
        _say("error", str(error))
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        _say(prog_name, "interrupted.")
        return EXIT_SIGINT
    if isinstance(error, BrokenPipeError):
        # The reader of our output went away (`… | head`): not worth a message, and Python would
        # try, and fail, to flush stdout again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if isinstance(error, OSError):
        return _report_os_error(error, prog_name)
    _say(
        "error",
        f"unexpected {type(error).__name__}: {error}\n"
        f"  This is a fault in {prog_name}; run it again with FER_DEBUG=1 for the traceback.",
    )
    return 1


def _report_os_error(error: OSError, prog_name: str) -> int:
    import errno
    from pathlib import Path

    from fer_train.contract.files import cannot_write

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return report_error(cannot_write(Path(error.filename or "a file"), error), prog_name)
    _say("error", f"{error.filename or prog_name}: {error.strerror or error}.")
    return 1


def _say(prefix: str, message: str) -> None:
    print(f"{prefix}: {message}", file=sys.stderr)
