"""Reads docs/apple-api.toml: one row for each symbol of Apple's that EmotionKit may touch."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from apple_platforms import NAMES, REPOSITORY
from apple_sources import Word

TABLE = REPOSITORY / "docs" / "apple-api.toml"


@dataclass
class Symbol:
    """A row of the table; ``found`` grows with each use.

    Attributes:
        name: ``Type``, ``Type.member``, or ``member()`` for one that EmotionKit implements.
        since: first version of each system, "-" where there is none.
        deprecated: first version that warns, for the systems that do.
        isolation: ``main actor``, or nothing.
        note: what else a reader should know.
    """

    framework: str
    name: str
    since: dict[str, str]
    deprecated: dict[str, str]
    isolation: str
    note: str
    found: list[tuple[Path, Word]] = field(default_factory=list)

    @property
    def is_member(self) -> bool:
        return "." in self.name

    def matches(self, word: Word) -> bool:
        if self.name.endswith("()"):
            return word.name.lstrip(".") == self.name[:-2]
        if self.is_member:
            return word.name == "." + self.name.rpartition(".")[2]
        return word.name == self.name


def read_table() -> tuple[list[Symbol], set[str]]:
    """Return the rows in their order, and the words that need none."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    portable = {word for text in table.pop("portable").values() for word in text.split()}
    symbols = [
        _symbol(framework, name, value)
        for framework, rows in table.items()
        for name, value in rows.items()
    ]
    return symbols, portable


def _symbol(framework: str, name: str, text: str) -> Symbol:
    since, *rest = [part.strip() for part in text.split(";")]
    deprecated: dict[str, str] = {}
    isolation = ""
    notes = []
    for part in rest:
        if re.match(r"deprecated [\d-]", part):
            versions = _versions(part.removeprefix("deprecated "))
            deprecated = {system: text for system, text in versions.items() if text != "-"}
        elif part == "main actor":
            isolation = part
        else:
            notes.append(part)
    return Symbol(framework, name, _versions(since), deprecated, isolation, "; ".join(notes))


def _versions(text: str) -> dict[str, str]:
    return dict(zip(NAMES, (part.strip() for part in text.split("/")), strict=True))
