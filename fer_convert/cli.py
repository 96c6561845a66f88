"""The ``ferconv`` command line."""

from __future__ import annotations

from typing import NoReturn

import click

from fer_convert import __version__
from fer_convert.commands.build import build
from fer_convert.commands.doctor import doctor
from fer_convert.commands.golden import golden
from fer_convert.commands.package import package
from fer_convert.commands.parity import parity
from fer_convert.commands.predict import predict
from fer_train.contract.cli_errors import exit_on_sigterm, main_with_errors
from fer_train.contract.threads import limit_spinning


def main() -> NoReturn:
    """Entry point of the console script."""
    limit_spinning()
    exit_on_sigterm()
    main_with_errors(cli, "ferconv")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Turn a trained checkpoint into checked Core ML, ONNX and TorchScript models and a Swift
    package."""


for command in (build, parity, package, predict, doctor, golden):
    cli.add_command(command)


if __name__ == "__main__":
    main()
