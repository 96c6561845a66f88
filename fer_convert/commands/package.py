"""``ferconv package``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from fer_convert.commands.paths import EMOTIONKIT_HELP, FOLDER, NO_GATE_HELP


@click.command()
@click.option("--build", "build_folder", type=FOLDER, default=Path("build"), show_default=True)
@click.option("--out", type=FOLDER, required=True, help="Folder of the new Swift package.")
@click.option("--emotionkit", type=FOLDER, help=EMOTIONKIT_HELP)
@click.option("--no-gate", is_flag=True, help=NO_GATE_HELP)
@click.option(
    "--verify",
    is_flag=True,
    help="Build the package and run its own tests first, with the Swift toolchain on PATH.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a machine-readable summary.")
def package(
    *,
    build_folder: Path,
    out: Path,
    emotionkit: Path | None,
    no_gate: bool,
    verify: bool,
    as_json: bool,
) -> None:
    """Write a Swift package with the model of a finished build.

    With --verify nothing is written unless the package builds and passes its tests with its model
    inside (exit code 43; 6 without a Swift toolchain). The toolchain's words are kept in
    package-verify.log of the build folder.
    """
    from dataclasses import asdict

    from fer_convert.progress import Progress
    from fer_convert.swift_package.verify import Verification, require_swift, verify_package
    from fer_convert.swift_package.write import find_emotionkit, write_package

    verified: list[Verification] = []
    check = None
    if verify:
        toolchain, progress = require_swift(), Progress(quiet=as_json)

        def check(written: Path) -> None:
            log = build_folder / "package-verify.log"
            verified.append(
                verify_package(written, log=log, toolchain=toolchain, progress=progress)
            )

    sources = find_emotionkit(emotionkit)
    write_package(build_folder, out, emotionkit=sources, gate=not no_gate, verify=check)
    if as_json:
        summary = {"package": str(out), "verified": asdict(verified[0]) if verified else None}
        click.echo(json.dumps(summary, indent=2))
        return
    click.echo(f"Wrote the Swift package {out}.")
    for result in verified:
        click.echo(f"Verified: it builds, and its {result.tests} tests pass ({result.toolchain}).")
        if result.not_run:
            click.echo(result.not_run)
