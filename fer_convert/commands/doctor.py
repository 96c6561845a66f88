"""``ferconv doctor``."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING

import click

from fer_train.contract.errors import InstallationBroken, harmless

if TYPE_CHECKING:
    from fer_convert.doctor.examine import Diagnosis

_TITLES = {
    "library": "Libraries, as they import",
    "format": "Formats, a tiny network written",
    "runtime": "Runtimes, the tiny network run from disk",
    "toolchain": "Tool chains",
    "content": "What ferconv brings",
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a machine-readable summary.")
@click.option("--quiet", is_flag=True, help="Print only the findings, and errors.")
def doctor(*, as_json: bool, quiet: bool) -> None:
    """Say what is here, what works and what cannot run, by trying it.

    Exit code: 0 what a build needs works, 6 something of it does not. What only a Mac or a Swift
    tool chain can do is NOT RUN elsewhere, and no failure.
    """
    from fer_convert.doctor.examine import examine

    def say(words: str) -> None:
        if not quiet:
            click.echo(words, nl=False, err=True)

    say("trying")
    diagnosis = examine(say=lambda what: say(f" {what},"))
    say(" done\n\n")
    if as_json:
        click.echo(json.dumps(diagnosis.as_json(), indent=2))
    else:
        _print(diagnosis)
    if diagnosis.failures:
        # What was not tried for want of something else is not the cause.
        causes = [check for check in diagnosis.failures if check.state == "FAIL"]
        names = ", ".join(f"{check.group} {check.name}" for check in causes)
        raise InstallationBroken(
            f"ferconv build cannot work here, because of: {names}.",
            hint="Install fer-toolchain into a new virtual environment; constraints.txt of the "
            "repository lists versions that work together.",
        )


def _print(diagnosis: Diagnosis) -> None:
    record = diagnosis.as_json()
    click.echo(
        f"ferconv {record['ferconv']}, Python {record['python']}, {record['platform']}, "
        f"{record['machine']}"
    )
    for group, checks in groupby(diagnosis.checks, key=lambda check: check.group):
        click.echo(f"\n{_TITLES[group]}")
        for check in checks:
            line = f"  {check.name:<20} {check.state:<8} {harmless(check.detail)}"
            click.secho(line.rstrip(), bold=check.needed and check.state != "OK")
    click.echo()
    for warning in diagnosis.warnings:
        click.secho(f"!! {harmless(warning)}", bold=True)
    if not diagnosis.failures:
        click.echo("ferconv build can work here.")
