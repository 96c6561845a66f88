"""The ``fertrain`` command line. Nothing here imports torch until a command really runs."""

from __future__ import annotations

from typing import NoReturn

import click

from fer_train import __version__
from fer_train.commands.data import data
from fer_train.commands.evaluate import evaluate
from fer_train.commands.prune import prune
from fer_train.commands.report import compare, report
from fer_train.commands.synth import synth
from fer_train.commands.train import train
from fer_train.contract.cli_errors import exit_on_sigterm, main_with_errors
from fer_train.machine.device import prepare_environment

PROGRAM = "fertrain"


# torch reads this environment when it is first imported, so before any command.
prepare_environment()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name=PROGRAM)
def app() -> None:
    """Train a facial-expression classifier whose checkpoint can be trusted downstream."""


for command in (train, prune, evaluate, synth, data, report, compare):
    app.add_command(command)


def main() -> NoReturn:
    """Entry point of the console script."""
    exit_on_sigterm()
    main_with_errors(app, PROGRAM)


if __name__ == "__main__":
    main()
