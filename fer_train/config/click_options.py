"""The options of `TrainConfig` on a command line, under their headings. Nothing imports torch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import Any

import click

from fer_train.config.options import DEFAULTS, OPTIONS, choices, flag, value_type
from fer_train.config.phase import Phase, parse_phase
from fer_train.contract.lists import list_option


def _by_group() -> Mapping[str, list[str]]:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name, option in OPTIONS.items():
        groups[option["group"]].append(name)
    return groups


#: Heading -> fields of TrainConfig.
_GROUPS = _by_group()


class GroupedCommand(click.Command):
    """A command whose help shows the options of `TrainConfig` under their headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        records = {p.name: p.get_help_record(ctx) for p in self.get_params(ctx)}
        for heading, names in _GROUPS.items():
            rows = [row for name in names if (row := records.pop(name, None)) is not None]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)
        with formatter.section("Run"):
            formatter.write_dl([row for row in records.values() if row is not None])


def config_options(names: Collection[str] = tuple(OPTIONS)) -> Callable[[Any], Any]:
    """Declare fields of TrainConfig on a command; without ``names`` all of them."""

    def declare(function: Any) -> Any:
        listed = [name for group in _GROUPS.values() for name in group if name in names]
        for name in reversed(listed):  # decorators apply from the bottom up
            function = _click_option(name)(function)
        return function

    return declare


def _click_option(name: str) -> Callable[[Any], Any]:
    option = OPTIONS[name]
    kind = value_type(name)
    if kind is bool:
        return click.option(flag(name), name, is_flag=True, help=option["help"])
    if kind == tuple[Phase, ...]:
        return click.option(
            flag(name),
            name,
            type=_phase,
            multiple=True,
            metavar="LAYERS:EPOCHS:LR[:BACKBONE_LR]",
            help=option["help"],
        )
    if option.get("lists"):
        return list_option(flag(name), name, help=option["help"])
    words = choices(name)
    default = option["here"]() if "here" in option else DEFAULTS.get(name)
    return click.option(
        flag(name),
        name,
        type=click.Choice(words) if words else kind,
        default=default,
        show_default=default is not None,
        help=option["help"],
    )


def _phase(text: Any) -> Phase:
    try:
        return text if isinstance(text, Phase) else parse_phase(text)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
