"""docs/apple-api.md: every Apple symbol EmotionKit touches, since when it exists, and its guard.

    python ci/apple_api.py            check; exit 1 when something is wrong or the page is old
    python ci/apple_api.py --write    write the page anew

Versions come from docs/apple-api.toml, uses and guards from the sources. An error is: a use that
would be compiled or run on a system without the symbol, or where it is deprecated at the package's
floor; a row that nothing uses; a stand-in that is kinder than its row; and a word that might be an
Apple symbol and is in no list.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import re
import sys
from collections.abc import Iterator

from apple_platforms import NAMES, PLATFORMS, REPOSITORY, SOURCES, Platform, floor, importable
from apple_sources import Word, code_only, number, words
from apple_stand_ins import stand_ins
from apple_table import Symbol, read_table

PAGE = REPOSITORY / "docs" / "apple-api.md"

#: How `#available` names a system that has another name in the table.
_TITLES = {"macCatalyst": "Mac Catalyst"}
_DEVICES = {platform.name: platform for platform in reversed(PLATFORMS)}
_ON_LINUX = {"FoundationNetworking", "Glibc", "Observation"}
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
visionOS {visionOS}, Mac Catalyst {Mac Catalyst}. Versions above the floor are **bold** and must
stand behind an `#available` or `@available`; "none" is a system without the symbol, for which the
code must not be compiled; a symbol that is deprecated at the floor must not be compiled there. The
check enforces these, fails on a row that nothing uses, and compares versions and isolation with
what the stand-ins declare. Plain Foundation and Swift are left out.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description="Check or write docs/apple-api.md.")
    parser.add_argument("--write", action="store_true", help="write the page")
    arguments = parser.parse_args()
    symbols, portable = read_table()
    problems = [
        *collect(symbols, portable),
        *guard_problems(symbols),
        *stand_in_problems(symbols),
        *(
            f"docs/apple-api.toml: {symbol.name} is used nowhere: remove the row"
            for symbol in symbols
            if not symbol.found
        ),
    ]
    page = render(symbols)
    if arguments.write:
        PAGE.write_text(page, encoding="utf-8")
        print(f"Wrote {PAGE.relative_to(REPOSITORY)}.")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != page:
        problems.append("docs/apple-api.md is old: python ci/apple_api.py --write")
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if problems else 0


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
    return bool(platforms(word)) and not holds(word.conditions, None)


def platforms(word: Word) -> list[str]:
    """Return the systems on which the word is compiled, on a device or in the simulator."""
    return list(dict.fromkeys(p.name for p in PLATFORMS if holds(word.conditions, p)))


@functools.cache
def holds(conditions: tuple[str, ...], platform: Platform | None) -> bool:
    """Evaluate ``#if`` conditions on one of Apple's systems, or on Linux."""

    def test(match: re.Match[str]) -> str:
        kind, name = match[1], match[2].strip()
        if kind == "os":
            return str(name == (platform.os if platform else "Linux"))
        if kind == "canImport":
            here = importable(platform, name) if platform else name in _ON_LINUX
            return str(here)
        if kind == "targetEnvironment":
            return str(platform is not None and name == platform.environment)
        return "True"  # compiler(>=6), swift(>=6)

    def truth(condition: str) -> bool:
        expression = re.sub(r"(\w+)\(([^()]*)\)", test, condition)
        expression = re.sub(r"\bDEBUG\b", "True", expression)
        expression = re.sub(r"\b[A-Z_]{3,}\b", "False", expression)
        expression = expression.replace("&&", " and ").replace("||", " or ").replace("!", " not ")
        return bool(eval(expression, {"__builtins__": {}}))  # our own sources' conditions

    return all(map(truth, conditions))


def guard_problems(symbols: list[Symbol]) -> Iterator[str]:
    """Yield each use that is compiled or run where the symbol does not exist, or is deprecated."""
    for symbol in symbols:
        for file, word in symbol.found:
            place = f"{file.relative_to(REPOSITORY)}:{word.line}: {symbol.name}"
            held = _titled(word.versions)
            for system in platforms(word):
                needed, least = symbol.since[system], floor()[system]
                promised = held.get(system, least)
                if needed == "-":
                    yield f"{place} does not exist on {system}, and the file is compiled there"
                elif number(needed) > number(promised):
                    yield f"{place} needs {system} {needed}, and only {promised} is sure there"
                old = symbol.deprecated.get(system)
                older_only = _titled(word.below).get(system)
                never = older_only is not None and number(older_only) <= number(least)
                if old and not never and number(old) <= number(least):
                    yield f"{place} is deprecated since {system} {old}, and the floor is {least}"


def _titled(versions: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return {_TITLES.get(system, system): version for system, version in versions}


def stand_in_problems(symbols: list[Symbol]) -> Iterator[str]:
    """Yield each type whose stand-in is older, younger or freer than the table says."""
    declared = stand_ins()
    for symbol in symbols:
        stand_in = declared.get((symbol.framework, symbol.name))
        if stand_in is None or symbol.is_member:
            continue
        place = f"{stand_in.file.relative_to(REPOSITORY)}: {symbol.name}"
        if stand_in.isolation != symbol.isolation:
            ours, theirs = symbol.isolation or "no isolation", stand_in.isolation or "no isolation"
            yield f"{place} has {theirs}, and docs/apple-api.toml says {ours}"
        for system, version in symbol.since.items() if stand_in.since is not None else ():
            pretended = stand_in.since.get(system, floor()[system])
            needed = floor()[system] if version == "-" else version
            late = number(needed) > number(floor()[system])
            if pretended == "-":  # stricter, if anything
                continue
            missing = version == "-" and importable(_DEVICES[system], symbol.framework)
            if missing or (late and number(pretended) != number(needed)):
                yield f"{place} is declared for {system} {pretended}, and the table says {version}"


def render(symbols: list[Symbol]) -> str:
    """Return the page."""
    lines = [_HEADER.format(**floor())]
    used = [symbol for symbol in symbols if symbol.found]
    for framework, rows in itertools.groupby(used, key=lambda symbol: symbol.framework):
        lines += [
            f"## {framework}\n",
            f"| symbol | {' | '.join(NAMES)} | deprecated | isolation | guard | files |",
        ]
        lines.append("|---|" + "---|" * len(NAMES) + "---|---|---|---|")
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
        *(version_cell(system, version) for system, version in symbol.since.items()),
        ", ".join(f"{system} {version}" for system, version in symbol.deprecated.items()),
        symbol.isolation,
        "<br>".join(guards),
        ", ".join(files),
    ]
    return f"| {' | '.join(cells)} |"


def version_cell(system: str, version: str) -> str:
    if version == "-":
        return "none"
    return f"**{version}**" if number(version) > number(floor()[system]) else version


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
