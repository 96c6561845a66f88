"""The options with which a user says what a model is for and under which terms it was made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from fer_train.contract.terms import OPTION_HELP, require_term


def term_options(function: Any) -> Any:
    """Declare ``--purpose``, ``--data-license`` and ``--weights-license``, for `Terms`."""
    for name, text in reversed(list(OPTION_HELP.items())):
        flag = "--" + name.replace("_", "-")
        says = f"{text}  [default: what is recorded]"
        function = click.option(flag, name, metavar="TEXT", callback=_line(flag), help=says)(
            function
        )
    return function


def _line(flag: str) -> Callable[[click.Context, click.Parameter, str | None], str | None]:
    def check(_: click.Context, __: click.Parameter, text: str | None) -> str | None:
        if text is not None:
            try:
                require_term(flag, text)
            except ValueError as error:
                raise click.UsageError(str(error)) from error
        return text

    return check
