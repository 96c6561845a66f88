"""Options that take a list: with commas, given several times, or both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def list_option(*names: str, **about: Any) -> Callable[[Any], Any]:
    """Declare an option that is ``"a,b"`` after ``--allow-class a --allow-class b``, None without.

    Of an option that is given twice click takes the last, and the first would be lost in silence.
    """
    return click.option(*names, multiple=True, callback=_joined, **about)


def _joined(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> str | None:
    return ",".join(values) if values else None
