"""Whatever option a message, a help text or a docstring names exists on the command it means."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click

from fer_convert.cli import cli as ferconv
from fer_train.cli import app as fertrain
from tests.paths import REPOSITORY

PROGRAMS: dict[str, click.Group] = {"ferconv": ferconv, "fertrain": fertrain}

#: Options of other programs: of ``swift``, ``torchrun`` and ``git``.
FOREIGN = {
    *("--disable-xctest", "--package-path", "--scratch-path", "--build-tests", "--skip-build"),
    *("--nproc-per-node", "--no-python"),
    *("--porcelain", "--git-dir", "--no-filters", "--cached", "--global"),
}

#: A program, perhaps with a command; or an option.
_WORD = re.compile(r"\b(ferconv|fertrain)\b(?: ([a-z]+))?(?: ([a-z]+))?|(?<![\w-])(--[a-z][\w-]*)")


def options(command: click.Command) -> set[str]:
    own = {option for p in command.params for option in (*p.opts, *p.secondary_opts)}
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return own.union({"--help", "--version"}, *map(options, below))


def texts(file: Path) -> Iterator[str]:
    """Every string of a file, f-strings whole."""
    inside: set[int] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            inside |= {id(part) for part in node.values}
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
            )
        elif isinstance(node, ast.Constant) and id(node) not in inside:
            yield from [node.value] if isinstance(node.value, str) else []


def unknown_options(text: str, spoken_by: list[click.Command]) -> list[str]:
    """Return the options in a text that the command named last before them does not have."""
    about, wrong = spoken_by, []
    for program, name, below, option in _WORD.findall(text):
        if not option:
            about = [named(program, name, below)]
        elif option not in FOREIGN and not any(option in options(command) for command in about):
            wrong.append(option)
    return wrong


def named(program: str, *names: str) -> click.Command:
    command: click.Command = PROGRAMS[program]
    for name in names:
        if isinstance(command, click.Group) and name in command.commands:
            command = command.commands[name]
    return command


#: Who speaks the texts of a folder or file; the longest name that fits counts.
SPEAKERS: dict[str, list[click.Command]] = {
    "fer_train/": [fertrain],
    "fer_train/contract/": [fertrain, ferconv],
    "fer_convert/": [ferconv],
    "fer_convert/predict.py": [named("ferconv", "predict")],
    "fer_convert/coreml_runtime/": [named("ferconv", "predict")],
    "fer_convert/existing/": [named("ferconv", "parity")],
    "fer_convert/swift_package/": [named("ferconv", "build"), named("ferconv", "package")],
    **{
        f"fer_convert/{room}/": [named("ferconv", "build")]
        for room in ("source", "export", "parity", "report")
    },
}


def test_every_option_in_a_text_exists() -> None:
    wrong = []
    for package in ("fer_train", "fer_convert"):
        for file in sorted((REPOSITORY / package).rglob("*.py")):
            place = file.relative_to(REPOSITORY).as_posix()
            speakers = SPEAKERS[max((n for n in SPEAKERS if place.startswith(n)), key=len)]
            for text in texts(file):
                wrong += [(place, option) for option in unknown_options(text, speakers)]
    assert not wrong


def test_the_search_finds_what_does_not_exist() -> None:
    assert unknown_options("Use --only, or --skip onnx.", [ferconv]) == ["--skip"]
    assert unknown_options("Run ferconv package --only onnx.", [ferconv]) == ["--only"]
    assert unknown_options("fertrain train --weights, or ferconv build --arch", [ferconv]) == []
    assert unknown_options("`fertrain data check --strict`", [ferconv]) == []
