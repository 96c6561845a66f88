"""EmotionKit's public API as one sorted text, swift/EmotionKit/API.txt.

    python ci/swift_api.py            compare; exit 1 and a diff when they differ
    python ci/swift_api.py --write    regenerate, then read the diff before committing it

Either way more than 45 public types are an error: what an app does not need is `package`.

The compiler says what is public: symbol graphs of a build against the stub modules, so that the
Apple layer is there on Linux too.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "swift" / "EmotionKit"
PINNED = PACKAGE / "API.txt"
SCRATCH = REPOSITORY / ".build-stubs"
MODULES = ("EmotionKitCore", "EmotionKitModel", "EmotionKit", "EmotionKitUI")

#: As many public types as one can hold in mind.
MOST_TYPES = 45

_HEADER = """\
# The public API of EmotionKit. Regenerate: python ci/swift_api.py --write
# {types} types (at most {most}), {symbols} symbols.
"""

#: Every type has these; they say nothing.
_IMPLIED = {"Copyable", "Escapable", "SendableMetatype", "BitwiseCopyable"}

_TYPES = {f"swift.{kind}" for kind in ("struct", "class", "enum", "protocol", "actor")}


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare or regenerate EmotionKit's public API.")
    parser.add_argument("--write", action="store_true", help="regenerate instead of comparing")
    arguments = parser.parse_args()
    current, types = public_api()
    if types > MOST_TYPES:
        print(
            f"error: EmotionKit has {types} public types; at most {MOST_TYPES} are allowed.\n"
            "  Make those `package` that an app does not need.",
            file=sys.stderr,
        )
        return 1
    if arguments.write:
        PINNED.write_text(current, encoding="utf-8")
        print(f"Wrote {PINNED.relative_to(REPOSITORY)}: {len(current.splitlines())} lines.")
        return 0
    pinned = PINNED.read_text(encoding="utf-8") if PINNED.is_file() else ""
    difference = difflib.unified_diff(
        pinned.splitlines(), current.splitlines(), "API.txt", "the sources", lineterm="", n=0
    )
    lines = list(difference)
    if lines:
        print("\n".join(lines))
        print(
            "\nerror: EmotionKit's public API is not the one in swift/EmotionKit/API.txt.\n"
            "  If that is meant: python ci/swift_api.py --write, and a line in its CHANGELOG.md.",
            file=sys.stderr,
        )
    return 1 if lines else 0


def public_api() -> tuple[str, int]:
    """Build against the stubs; return the text and the number of public types."""
    _run(
        *("swift", "build", "--package-path", PACKAGE, "--scratch-path", SCRATCH),
        *("-Xswiftc", "-warnings-as-errors"),  # as tests/swift, which then need not build again
    )
    lines: list[str] = []
    types = total = 0
    with tempfile.TemporaryDirectory() as folder:
        for module in MODULES:
            graphs = Path(folder) / module
            graphs.mkdir()
            found = symbols(module, graphs)
            own = sum(not is_member for _, is_member, _ in found)
            lines += ["", f"## {module}: {own} types, {len(found)} symbols"]
            lines += [f"{owner} | {text}" for owner, _, text in found]
            types += own
            total += len(found)
    header = _HEADER.format(types=types, most=MOST_TYPES, symbols=total)
    return header + "\n".join(lines) + "\n", types


def symbols(module: str, folder: Path) -> list[tuple[str, bool, str]]:
    """Return the public symbols of a built module, sorted: owner, is a member, declaration."""
    target = json.loads(_run("swiftc", "-print-target-info"))["target"]["unversionedTriple"]
    _run(
        *("swift", "symbolgraph-extract", "-module-name", module, "-target", target),
        *("-I", SCRATCH / "debug" / "Modules", "-output-dir", folder),
        *("-minimum-access-level", "public", "-skip-synthesized-members", "-skip-inherited-docs"),
        *("-omit-extension-block-symbols",),
    )
    entries: set[tuple[str, bool, str]] = set()
    for file in folder.glob("*.symbols.json"):
        graph = json.loads(file.read_text(encoding="utf-8"))
        promises = conformances(graph)
        for symbol in graph["symbols"]:
            declared = "".join(part["spelling"] for part in symbol["declarationFragments"])
            text = re.sub(r"\s+", " ", declared).strip()
            path = symbol["pathComponents"]
            is_member = symbol["kind"]["identifier"] not in _TYPES
            # A protocol's declaration names what it inherits already.
            inherits = symbol["kind"]["identifier"] == "swift.protocol"
            adopted = [] if inherits else promises.get(symbol["identifier"]["precise"], [])
            suffix = f" : {', '.join(adopted)}" if adopted else ""
            entries.add((".".join(path[:-1] if is_member else path), is_member, text + suffix))
    return sorted(entries)


def conformances(graph: dict[str, Any]) -> dict[str, list[str]]:
    """Return the protocols each type adopts, by the type's identifier."""
    own = {symbol["identifier"]["precise"]: symbol["names"]["title"] for symbol in graph["symbols"]}
    adopted: dict[str, list[str]] = {}
    for relation in graph["relationships"]:
        if relation["kind"] == "conformsTo":
            name = (
                own.get(relation["target"]) or relation.get("targetFallback", "").rpartition(".")[2]
            )
            if name and name not in _IMPLIED:
                adopted.setdefault(relation["source"], []).append(name)
    return {source: sorted(set(names)) for source, names in adopted.items()}


def _run(*command: object) -> str:
    ran = subprocess.run(
        [str(part) for part in command],
        cwd=REPOSITORY,
        env={**os.environ, "EMOTIONKIT_APPLE_STUBS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        sys.exit(f"error: {' '.join(map(str, command))}\n{ran.stdout}{ran.stderr}")
    return ran.stdout


if __name__ == "__main__":
    sys.exit(main())
