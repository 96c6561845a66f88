"""EmotionKit's public API as one sorted text, swift/EmotionKit/API.txt.

    python ci/swift_api.py            compare; exit 1 and a diff when they differ
    python ci/swift_api.py --write    regenerate, then read the diff before committing it

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

_HEADER = """\
# The public API of EmotionKit. Regenerate: python ci/swift_api.py --write
"""

#: Every type has these; they say nothing.
_IMPLIED = {"Copyable", "Escapable", "SendableMetatype", "BitwiseCopyable"}

_TYPES = {f"swift.{kind}" for kind in ("struct", "class", "enum", "protocol", "actor")}


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare or regenerate EmotionKit's public API.")
    parser.add_argument("--write", action="store_true", help="regenerate instead of comparing")
    arguments = parser.parse_args()
    current = public_api()
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


def public_api() -> str:
    """Build against the stubs and return the text."""
    _run(
        *("swift", "build", "--package-path", PACKAGE, "--scratch-path", SCRATCH),
        *("-Xswiftc", "-warnings-as-errors"),  # as tests/swift, which then need not build again
    )
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for module in MODULES:
            graphs = Path(folder) / module
            graphs.mkdir()
            lines += ["", f"## {module}", *symbols(module, graphs)]
    return _HEADER + "\n".join(lines) + "\n"


def symbols(module: str, folder: Path) -> list[str]:
    """Return one line for each public symbol of a built module, sorted."""
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
    return [f"{owner} | {text}" for owner, _, text in sorted(entries)]


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
