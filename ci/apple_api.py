"""docs/apple-api.md: every Apple symbol EmotionKit touches, since when it exists, and its guard.

    python ci/apple_api.py            check; exit 1 when something is wrong or the page is old
    python ci/apple_api.py --write    write the page anew

Versions come from docs/apple-api.toml, uses and guards from the sources. An error is: a use that
would be compiled or run on a system without the symbol, and a word that might be an Apple symbol
and is in no list.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from apple_sources import Word, code_only, number, words

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCES = REPOSITORY / "swift" / "EmotionKit" / "Sources"
TABLE = REPOSITORY / "docs" / "apple-api.toml"
PAGE = REPOSITORY / "docs" / "apple-api.md"

#: The deployment targets of both manifests.
FLOOR = {"iOS": "16.0", "macOS": "13.0", "visionOS": "1.0"}
_MISSING_MODULES = {
    "iOS": {"AppKit", "FoundationNetworking", "Glibc", "Musl", "Android"},
    "macOS": {"UIKit", "FoundationNetworking", "Glibc", "Musl", "Android"},
    "visionOS": {"AppKit", "FoundationNetworking", "Glibc", "Musl", "Android"},
}
#: Modules that a file need not import to use another's members.
_BRINGS = {
    "Vision": {"CoreML", "CoreVideo", "ImageIO", "CoreGraphics"},
    "AVFoundation": {"CoreMedia", "CoreVideo", "CoreGraphics", "Foundation"},
    "SwiftUI": {"CoreGraphics", "Combine", "UIKit", "AppKit", "Foundation", "Observation"},
    "UIKit": {"CoreGraphics", "Foundation"},
}
_HEADER = """\
# Apple symbols in EmotionKit

Made by `python ci/apple_api.py --write` from `docs/apple-api.toml` (versions) and the sources
(uses, guards); a test compares. Nothing here was run on a Mac: a reviewer with one checks the
versions against Xcode's documentation, row by row. The package's floor is iOS {iOS}, macOS {macOS},
visionOS {visionOS}; Mac Catalyst follows iOS. Versions above the floor are **bold** and must stand
behind an `#available` or `@available`; "none" is a system without the symbol, for which the code
must not be compiled. The check enforces both. Plain Foundation and Swift are left out.
"""


@dataclass
class Symbol:
    """A row of the table; ``found`` grows with each use."""

    framework: str
    name: str
    versions: dict[str, str]
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


def main() -> int:
    parser = argparse.ArgumentParser(description="Check or write docs/apple-api.md.")
    parser.add_argument("--write", action="store_true", help="write the page")
    arguments = parser.parse_args()
    symbols, portable = read_table()
    problems = [*collect(symbols, portable), *guard_problems(symbols)]
    page = render(symbols)
    if arguments.write:
        PAGE.write_text(page, encoding="utf-8")
        print(f"Wrote {PAGE.relative_to(REPOSITORY)}.")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != page:
        problems.append("docs/apple-api.md is old: python ci/apple_api.py --write")
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if problems else 0


def read_table() -> tuple[list[Symbol], set[str]]:
    """Return the rows in their order, and the words that need none."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    portable = {word for text in table.pop("portable").values() for word in text.split()}
    symbols = []
    for framework, rows in table.items():
        for name, value in rows.items():
            versions, _, note = value.partition(";")
            numbers = [part.strip() for part in versions.split("/")]
            symbols.append(
                Symbol(framework, name, dict(zip(FLOOR, numbers, strict=True)), note.strip())
            )
    return symbols, portable


def collect(symbols: list[Symbol], portable: set[str]) -> Iterator[str]:
    """Find all uses; yield a problem for each word that nobody has looked up."""
    texts = {file: file.read_text(encoding="utf-8") for file in sorted(SOURCES.rglob("*.swift"))}
    declared = set().union(*(declarations(code_only(text)) for text in texts.values()))
    known = {symbol.name.removesuffix("()").rpartition(".")[2] for symbol in symbols}
    unknown: dict[str, str] = {}
    for file, text in texts.items():
        here = imports(text)
        for word in words(text):
            apple_only = is_apple_only(word)
            for symbol in symbols:
                # In portable code a member of that name is one of ours, a type is not.
                ours = symbol.is_member and not (apple_only and symbol.framework in here)
                if symbol.matches(word) and not ours and platforms(word):
                    symbol.found.append((file, word))
            if not apple_only:
                continue
            name = word.name.lstrip("._") or "_"  # `_state` is a property wrapper of ours
            if name not in declared | known | portable:
                unknown.setdefault(name, f"{file.relative_to(REPOSITORY)}:{word.line}")
    for name, place in sorted(unknown.items()):
        yield f"{place}: {name} is in no list of docs/apple-api.toml"


def is_apple_only(word: Word) -> bool:
    """Is this compiled on Apple systems and not on Linux?"""
    return bool(platforms(word)) and not holds(word.conditions, "Linux")


def platforms(word: Word) -> list[str]:
    """Return the systems on which the word is compiled."""
    return [system for system in FLOOR if holds(word.conditions, system)]


@functools.cache
def holds(conditions: tuple[str, ...], system: str) -> bool:
    """Evaluate ``#if`` conditions; a simulator and a device must both be thought of."""

    def truth(condition: str, simulator: bool) -> bool:
        def test(match: re.Match[str]) -> str:
            kind, name = match[1], match[2].strip()
            known = {
                "os": name == system,
                "canImport": _has_module(system, name),
                "targetEnvironment": simulator and name == "simulator",
            }
            return str(known.get(kind, True))  # compiler(>=6), swift(>=6)

        expression = re.sub(r"(\w+)\(([^()]*)\)", test, condition)
        expression = re.sub(r"\bDEBUG\b", "True", expression)
        expression = re.sub(r"\b[A-Z_]{3,}\b", "False", expression)
        expression = expression.replace("&&", " and ").replace("||", " or ").replace("!", " not ")
        return bool(eval(expression, {"__builtins__": {}}))  # our own sources' conditions

    return any(
        all(truth(condition, simulator) for condition in conditions) for simulator in (False, True)
    )


def _has_module(system: str, name: str) -> bool:
    if system == "Linux":
        return name in {"FoundationNetworking", "Glibc", "Observation"}
    return name not in _MISSING_MODULES[system]


def guard_problems(symbols: list[Symbol]) -> Iterator[str]:
    """Yield each use that is compiled or run where the symbol does not exist."""
    for symbol in symbols:
        for file, word in symbol.found:
            place = f"{file.relative_to(REPOSITORY)}:{word.line}: {symbol.name}"
            held = dict(word.versions)
            for system in platforms(word):
                needed = symbol.versions[system]
                promised = held.get(system, FLOOR[system])
                if needed == "-":
                    yield f"{place} does not exist on {system}, and the file is compiled there"
                elif number(needed) > number(promised):
                    yield f"{place} needs {system} {needed}, and only {promised} is sure there"


def render(symbols: list[Symbol]) -> str:
    """Return the page."""
    lines = [_HEADER.format(**FLOOR)]
    used = [symbol for symbol in symbols if symbol.found]
    for framework, rows in itertools.groupby(used, key=lambda symbol: symbol.framework):
        lines += [f"## {framework}\n", "| symbol | iOS | macOS | visionOS | guard | files |"]
        lines.append("|---|---|---|---|---|---|")
        lines += [row(symbol) for symbol in rows]
        lines.append("")
    lines.append(f"{len(used)} symbols.")
    return "\n".join(lines) + "\n"


def row(symbol: Symbol) -> str:
    files = sorted({file.stem for file, _ in symbol.found})
    guards = sorted({guard(word) for _, word in symbol.found})
    note = f" ({symbol.note})" if symbol.note else ""
    cells = [
        f"`{symbol.name}`{note}",
        *(version_cell(system, version) for system, version in symbol.versions.items()),
        "<br>".join(guards),
        ", ".join(files),
    ]
    return f"| {' | '.join(cells)} |"


def version_cell(system: str, version: str) -> str:
    if version == "-":
        return "none"
    return f"**{version}**" if number(version) > number(FLOOR[system]) else version


def guard(word: Word) -> str:
    conditions = " && ".join(f"`{condition}`" for condition in word.conditions)
    versions = ", ".join(f"{system} {version}" for system, version in word.versions)
    return conditions + (f"; available {versions}" if versions else "")


def imports(text: str) -> set[str]:
    """Return the modules whose members a file can use."""
    direct = set(re.findall(r"^\s*(?:@\w+\s+)*import\s+(\w+)", text, flags=re.M))
    return direct.union(*(_BRINGS.get(module, set()) for module in direct))


def declarations(code: str) -> set[str]:
    """Return the names that a file declares: types, members, parameters, labels, locals."""
    keyword = r"(?:func|var|let|case|struct|class|enum|protocol|actor|typealias|associatedtype|for)"
    names = set(re.findall(rf"\b{keyword}\s+(?:let\s+|var\s+)?`?([A-Za-z_]\w*)", code))
    names.update(re.findall(r"\b([A-Za-z_]\w*)\s*:", code))
    for cases in re.findall(r"\bcase ([^\n:{]*)", code):
        names.update(re.findall(r"\b[A-Za-z_]\w*", cases))
    for captures in re.findall(r"[({]\s*(?:\[[^\]]*\]\s*)?([\w, ]+)\)? in\b", code):
        names.update(re.findall(r"\w+", captures))
    for bound in re.findall(r"\b(?:let|var) \(([^()]*)\)", code):
        names.update(re.findall(r"\w+", bound))
    names.update(*re.findall(r"\b([a-z]\w*) ([a-z]\w*):", code))
    names.update(re.findall(r"\bimport (\w+)", code))
    return names


if __name__ == "__main__":
    sys.exit(main())
