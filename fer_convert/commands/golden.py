"""``ferconv golden``."""

from __future__ import annotations

from pathlib import Path

import click

from fer_convert.commands.paths import FILE


@click.command()
@click.option("--out", "files", type=FILE, multiple=True, required=True, help="May be repeated.")
def golden(*, files: tuple[Path, ...]) -> None:
    """Write the numbers that Python and Swift must agree on (no model needed)."""
    from fer_convert.swift_package.golden import golden_record
    from fer_train.contract.files import write_json

    record = golden_record()
    for file in files:
        write_json(file, record)
        click.echo(f"Wrote {file}.")
