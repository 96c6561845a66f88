"""Reads Swift sources as far as a list of Apple symbols needs: words and the guards around them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_WORD = re.compile(r"\.?[A-Za-z_]\w*")
_AVAILABLE = re.compile(r"[#@]available\(([^)]*)\)")
_VERSION = re.compile(r"(iOS|macOS|visionOS|macCatalyst)\s+(\d+(?:\.\d+)*)")


@dataclass(frozen=True)
class Word:
    """An identifier outside of comments and texts.

    Attributes:
        name: with the dot before it, if there is one: ``.results`` is a member.
        line: counted from 1.
        conditions: the ``#if`` conditions around it; one of an ``#else`` branch as ``!(…)``.
        versions: the highest version that ``#available`` and ``@available`` promise there.
        below: what the ``#available`` said whose ``else`` branch it stands in: only older systems
            come there.
    """

    name: str
    line: int
    conditions: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]
    below: tuple[tuple[str, str], ...] = ()


def words(text: str) -> Iterator[Word]:
    """Yield the identifiers of a source file with their guards, in order."""
    conditions: list[str] = []
    scopes: list[tuple[int, dict[str, str]]] = []
    otherwise: list[tuple[int, dict[str, str]]] = []
    depth = 0
    pending: dict[str, str] = {}
    for number, line in enumerate(code_only(text).splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("#"):
            _branch(stripped, conditions)
        promised = _promises(line)
        if promised and re.search(r"\bguard\b", line):
            scopes.append((depth, promised))  # for the rest of the scope that the guard is in
            promised = {}
        pending |= promised
        held = _highest([versions for _, versions in scopes] + [pending])
        if not stripped.startswith(("#if", "#elseif", "#else", "#endif")):
            for match in _WORD.finditer(_AVAILABLE.sub("", line)):
                below = _highest([versions for _, versions in otherwise])
                yield Word(match[0], number, tuple(conditions), held, below)
        closed: dict[str, str] = {}
        for character in line:
            if character == "{":
                depth += 1
                if pending:
                    scopes.append((depth, pending))
                    pending = {}
                elif closed and re.search(r"\}\s*else\s*\{", line):
                    otherwise.append((depth, closed))
            elif character == "}":
                closed = next((versions for opened, versions in scopes if opened == depth), {})
                depth -= 1
                otherwise = [pair for pair in otherwise if pair[0] <= depth]
                scopes = [(opened, versions) for opened, versions in scopes if opened <= depth]


def code_only(text: str) -> str:
    """Blank comments and the contents of texts, keeping interpolations and line numbers."""
    text = re.sub(r"/\*.*?\*/", lambda found: "\n" * found[0].count("\n"), text, flags=re.S)
    text = re.sub(
        r'"""(.*?)"""', lambda f: _interpolations(f[1], keep_lines=True), text, flags=re.S
    )
    lines = []
    for line in text.splitlines():
        line = re.sub(r'#?"((?:[^"\\]|\\.)*)"#?', lambda f: _interpolations(f[1]), line)
        lines.append(re.sub(r"//.*", "", line))
    return "\n".join(lines)


def _interpolations(content: str, *, keep_lines: bool = False) -> str:
    inside = " ".join(re.findall(r"\\\(((?:[^()]|\([^()]*\))*)\)", content))
    return f'"" {inside} ' + ("\n" * content.count("\n") if keep_lines else "")


def _branch(directive: str, conditions: list[str]) -> None:
    keyword, _, condition = directive.partition(" ")
    if keyword == "#if":
        conditions.append(condition.strip())
    elif keyword in {"#else", "#elseif"} and conditions:
        negated = f"!({conditions.pop()})"
        conditions.append(f"{negated} && {condition.strip()}" if condition else negated)
    elif keyword == "#endif" and conditions:
        conditions.pop()


def _promises(line: str) -> dict[str, str]:
    """What ``#available`` says of each system; Mac Catalyst follows iOS unless it is named."""
    promises: dict[str, str] = {}
    for found in _AVAILABLE.finditer(line):
        if "unavailable" not in found[1]:
            named = dict(_VERSION.findall(found[1]))
            if "iOS" in named:
                named.setdefault("macCatalyst", named["iOS"])
            promises |= named
    return promises


def _highest(promises: Sequence[dict[str, str]]) -> tuple[tuple[str, str], ...]:
    best: dict[str, str] = {}
    for promise in promises:
        for system, version in promise.items():
            if number(version) > number(best.get(system, "0")):
                best[system] = version
    return tuple(sorted(best.items()))


def number(version: str) -> tuple[int, ...]:
    """Return ``17.0`` as ``(17,)``: versions compare without their trailing zeros."""
    parts = [int(part) for part in version.split(".")]
    while parts and parts[-1] == 0:
        parts.pop()
    return tuple(parts)
