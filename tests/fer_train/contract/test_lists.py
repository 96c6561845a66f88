"""Options that take a list."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from fer_convert.commands.build import build
from fer_convert.commands.parity import parity
from fer_train.commands.train import train
from fer_train.contract.lists import list_option


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ((), None),
        (("--name", "a"), "a"),
        (("--name", "a,b", "--name", "c"), "a,b,c"),
        (("--name", ""), ""),  # a mistake, which the reader of the list names
    ],
)
def test_a_list_adds_up(typed: tuple[str, ...], value: str | None) -> None:
    seen: list[str | None] = []
    command = click.command()(list_option("--name")(lambda name: seen.append(name)))
    assert CliRunner().invoke(command, typed).exit_code == 0
    assert seen == [value]


@pytest.mark.parametrize("command", [build, parity, train])
def test_every_list_of_both_tools_is_one(command: click.Command) -> None:
    several = {p.name for p in command.params if isinstance(p, click.Option) and p.multiple}
    assert several >= {"allow_class", "custom_labels"}
