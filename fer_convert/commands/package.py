"""``ferconv package``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fer_convert.commands.paths import CANARY_HELP, EMOTIONKIT_HELP, FOLDER, NO_GATE_HELP
from fer_convert.commands.terms import term_options
from fer_train.contract.terms import Terms

if TYPE_CHECKING:
    from fer_convert.swift_package.git import Committed


def _semantic_tag(_: click.Context, __: click.Parameter, tag: str | None) -> str | None:
    from fer_convert.swift_package.git import TAG

    if tag is not None and not TAG.fullmatch(tag):
        raise click.BadParameter(f"{tag!r} is not a version that SwiftPM resolves, as 1.2.3 is.")
    return tag


@click.command()
@click.option("--build", "build_folder", type=FOLDER, default=Path("build"), show_default=True)
@click.option("--out", type=FOLDER, required=True, help="Folder of the new Swift package.")
@click.option("--emotionkit", type=FOLDER, help=EMOTIONKIT_HELP)
@click.option("--canary/--no-canary", default=True, help=CANARY_HELP)
@click.option("--no-gate", is_flag=True, help=NO_GATE_HELP)
@click.option(
    "--verify",
    is_flag=True,
    help="Build the package and run its own tests first, with the Swift toolchain on PATH.",
)
@click.option(
    "--git",
    "use_git",
    is_flag=True,
    help="Commit the package into a repository of its own in --out, and tag it. Pushes nothing.",
)
@click.option(
    "--tag",
    metavar="X.Y.Z",
    callback=_semantic_tag,
    help="The tag of --git.  [default: the model's version]",
)
@term_options
@click.option("--json", "as_json", is_flag=True, help="Print a machine-readable summary.")
def package(
    *,
    build_folder: Path,
    out: Path,
    emotionkit: Path | None,
    canary: bool,
    no_gate: bool,
    verify: bool,
    use_git: bool,
    tag: str | None,
    as_json: bool,
    **terms: str | None,
) -> None:
    """Write a Swift package with the model of a finished build.

    With --verify nothing is written unless the package builds and passes its tests with its model
    inside (exit code 43; 6 without a Swift toolchain). The toolchain's words are kept in
    package-verify.log of the build folder.

    A repository in --out stays, with its history. --git commits what is new and tags it, so that
    Xcode can add the package at once; changes that are in no commit are never overwritten
    (exit code 31).
    """
    from dataclasses import asdict

    from fer_convert.progress import Progress
    from fer_convert.swift_package import git
    from fer_convert.swift_package.verify import Verification, require_swift, verify_package
    from fer_convert.swift_package.write import find_emotionkit, package_tag, write_package

    if tag is not None and not use_git:
        raise click.UsageError("--tag is the tag of --git: give both, or neither.")
    if use_git:
        git.check_repository(out)
    verified: list[Verification] = []
    committed: list[git.Committed] = []
    check: Callable[[Path], None] | None = None
    if verify:
        toolchain, progress = require_swift(), Progress(quiet=as_json)

        def check_sources(written: Path) -> None:
            log = build_folder / "package-verify.log"
            verified.append(
                verify_package(written, log=log, toolchain=toolchain, progress=progress)
            )

        check = check_sources

    def finish(written: Path) -> None:
        name = (tag or package_tag(written)) if use_git else ""
        if use_git:
            git.begin(written, out=out, tag=name)
        if check is not None:
            check(written)
        if use_git:
            message = f"EmotionKit with EmotionNet {name}"
            committed.append(git.commit(written, out=out, tag=name, message=message))

    sources = find_emotionkit(emotionkit)
    missing = write_package(
        build_folder,
        out,
        emotionkit=sources,
        gate=not no_gate,
        canary=canary,
        terms=Terms(**terms),
        finish=finish,
    )
    if as_json:
        summary = {
            "package": str(out),
            "verified": asdict(verified[0]) if verified else None,
            "git": asdict(committed[0]) if committed else None,
            "not_recorded": list(missing),
        }
        click.echo(json.dumps(summary, indent=2))
        return
    click.echo(f"Wrote the Swift package {out}.")
    if missing:
        said = f"{', '.join(missing.values())} ({' '.join(missing)})"
        click.secho(f"!! not recorded: {said}; README, ModelCard and AppReview say so.", bold=True)
    for result in verified:
        click.echo(f"Verified: it builds, and its {result.tests} tests pass ({result.toolchain}).")
        if result.not_run:
            click.echo(result.not_run)
    for made in committed:
        click.echo(_commit_text(out, made))


def _commit_text(out: Path, made: Committed) -> str:
    state = "Committed as" if made.changed else "Nothing is new since"
    return (
        f"{state} {made.tag} ({made.commit[:9]}); nothing was pushed. Add it now:\n"
        f"  Xcode        File > Add Package Dependencies..., and paste {out.resolve().as_uri()}\n"
        f'  SwiftPM      .package(url: "{out.resolve()}", from: "{made.tag}")\n'
        f"  for others   git -C {out} remote add origin ADDRESS && "
        f"git -C {out} push origin HEAD {made.tag}"
    )
