"""``ferconv package``."""

from __future__ import annotations

from pathlib import Path

import click

from fer_convert.commands.paths import EMOTIONKIT_HELP, FOLDER, NO_GATE_HELP


@click.command()
@click.option("--build", "build_folder", type=FOLDER, default=Path("build"), show_default=True)
@click.option("--out", type=FOLDER, required=True, help="Folder of the new Swift package.")
@click.option("--emotionkit", type=FOLDER, help=EMOTIONKIT_HELP)
@click.option("--no-gate", is_flag=True, help=NO_GATE_HELP)
def package(*, build_folder: Path, out: Path, emotionkit: Path | None, no_gate: bool) -> None:
    """Write a Swift package with the model of a finished build."""
    from fer_convert.swift_package.write import find_emotionkit, write_package

    sources = find_emotionkit(emotionkit)
    write_package(build_folder, out, emotionkit=sources, gate=not no_gate)
    click.echo(f"Wrote the Swift package {out}.")
