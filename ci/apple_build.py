"""Compile EmotionKit as Apple's compilers would, for every system it is made for.

    python ci/apple_build.py                 all systems; exit 1 with the compiler's words
    python ci/apple_build.py macOS iOS       some of them

The compiler here is told to compile for `arm64-apple-macos13` and so on. `#if os(macOS)`,
`#available`, deprecations and deployment targets then have their full force: only the *frameworks*
are stand-ins (swift/EmotionKit/DevSupport/AppleStubs). Two things make it possible. The standard
library and Foundation of this toolchain are copied with the name of their system changed, since a
compiler refuses modules of another; and Clang goes on reading the C headers beneath them as on
Linux. Nothing is linked or run.
"""

from __future__ import annotations

import argparse
import graphlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Container, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from apple_platforms import PACKAGE, PLATFORMS, REPOSITORY, SOURCES, Platform, floor

STUBS = PACKAGE / "DevSupport" / "AppleStubs"
EXAMPLE = PACKAGE / "Examples" / "EmotionCamera" / "EmotionCamera"
SCRATCH = REPOSITORY / ".build-apple"

#: What the sources import of the toolchain, with all beneath it.
_TOOLCHAIN = (
    "Swift", "_Concurrency", "_StringProcessing", "_RegexParser", "_Builtin_float",
    "SwiftOnoneSupport", "Glibc", "Dispatch", "Foundation", "FoundationEssentials",
    "FoundationInternationalization", "FoundationNetworking", "_FoundationCollections",
    "Observation", "Synchronization",
)  # fmt: skip

#: In Apple's Foundation, and so in every file that imports it.
_WITH_FOUNDATION = ("Darwin", "ObjectiveC")


class NotRun(Exception):
    """This toolchain cannot do it."""


@dataclass(frozen=True)
class Toolchain:
    """Where the compiler keeps its modules, and what it calls this system."""

    resources: Path
    triple: str
    arch: str

    @classmethod
    def here(cls) -> Toolchain:
        if sys.platform != "linux":
            raise NotRun("an Apple system has the frameworks themselves: xcodebuild")
        if not shutil.which("swiftc"):
            raise NotRun("no Swift toolchain on PATH")
        ran = subprocess.run(
            ["swiftc", "-print-target-info"], capture_output=True, text=True, check=True
        )
        info = json.loads(ran.stdout)
        target = info["target"]
        resources = Path(info["paths"]["runtimeResourcePath"])
        return cls(resources, target["moduleTriple"], target["arch"])


def relabel(toolchain: Toolchain, platform: Platform) -> None:
    """Copy the toolchain's modules under the name of another system, unless they are there."""
    out = SCRATCH / "resources" / platform.folder
    if out.is_dir():
        return
    least = floor()[platform.name]
    label = padded(f"{platform.triple}{least.partition('.')[0]}", platform.suffix, toolchain.triple)
    file_name = (
        f"arm64-apple-{platform.triple.replace('macosx', 'macos')}{platform.suffix}.swiftmodule"
    )
    unfinished = out.with_name(out.name + ".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    for name in _TOOLCHAIN:
        source = toolchain.resources / "linux" / f"{name}.swiftmodule"
        data = (source / f"{toolchain.triple}.swiftmodule").read_bytes()
        if data.count(toolchain.triple.encode()) != 1:
            raise NotRun(f"the module {name} does not say once for which system it was made")
        folder = unfinished / source.name
        folder.mkdir(parents=True)
        (folder / file_name).write_bytes(data.replace(toolchain.triple.encode(), label.encode()))
    unfinished.rename(out)


def padded(system: str, suffix: str, like: str) -> str:
    """Return a triple of that system that is as long as another one."""
    for vendor in ("apple", ""):
        room = len(like) - len(f"arm64-{vendor}-{system}{suffix}")
        if room == 0:
            return f"arm64-{vendor}-{system}{suffix}"
        if room > 1:
            return f"arm64-{vendor}-{system}.{'0' * (room - 1)}{suffix}"
    raise NotRun(f"no name for {system}{suffix} is as long as {like}")


def prepare(toolchain: Toolchain) -> list[str]:
    """Lay out what the compiler needs beside the relabelled modules; return its options."""
    resources = SCRATCH / "resources"
    resources.mkdir(parents=True, exist_ok=True)
    for entry in toolchain.resources.iterdir():
        link = resources / entry.name
        if entry.name != "linux" and not link.is_symlink():
            link.symlink_to(entry)
    # A compiler for Linux puts this map of the C library into its headers' folder by itself.
    maps = toolchain.resources / "linux" / toolchain.arch
    files = [
        {"type": "file", "name": name, "external-contents": str(maps / original)}
        for name, original in (
            ("module.modulemap", "glibc.modulemap"), ("SwiftGlibc.h", "SwiftGlibc.h"),
        )
    ]  # fmt: skip
    roots = [{"type": "directory", "name": "/usr/include", "contents": files}]
    overlay = SCRATCH / "overlay.json"
    overlay.write_text(json.dumps({"version": 0, "roots": roots}), encoding="utf-8")
    clang = ["-ivfsoverlay", str(overlay), "-fmodule-map-file=/usr/include/module.modulemap"]
    for folder in (f"/usr/include/{toolchain.arch}-linux-gnu", "/usr/include"):
        clang += ["-idirafter", folder]
    # What Apple's SDK of visionOS says of versions of iOS that are named without one of visionOS.
    versions = {"iOS_visionOS": {"16.0": "1.0", "17.0": "1.0", "17.4": "1.1", "18.0": "2.0"}}
    settings = {"Version": "1.0", "MaximumDeploymentTarget": "99.0", "VersionMap": versions}
    (SCRATCH / "SDKSettings.json").write_text(json.dumps(settings), encoding="utf-8")
    options = ["-resource-dir", str(resources), "-clang-target", toolchain.triple]
    options += ["-platform-availability-inheritance-map-path", str(SCRATCH)]
    options += ["-disable-objc-interop", "-module-cache-path", str(SCRATCH / "cache")]
    options += ["-plugin-path", str(toolchain.resources / "host" / "plugins")]
    return options + [word for option in clang for word in ("-Xcc", option)]


@dataclass(frozen=True)
class Module:
    """Something to compile, and the names of what has to be compiled before."""

    name: str
    files: tuple[Path, ...]
    needs: frozenset[str]

    @property
    def is_stand_in(self) -> bool:
        return STUBS in self.files[0].parents

    @property
    def is_the_same_everywhere(self) -> bool:
        """True for code that asks for no system: function bodies are compiled for one of them."""
        text = "\n".join(file.read_text(encoding="utf-8") for file in self.files)
        asks = r"^\s*#(if|elseif) .*\b(os\(|targetEnvironment\(|canImport\((UI|App)Kit)"
        return not re.search(asks, text, flags=re.M)


def modules(platform: Platform) -> list[Module]:
    """Return what is compiled for a system, in order."""
    folders = [*STUBS.iterdir(), *SOURCES.iterdir()]
    if platform.name == "iOS":
        folders.append(EXAMPLE)
    files = {
        folder.name: tuple(sorted(folder.rglob("*.swift")))
        for folder in sorted(folders)
        if folder.is_dir() and folder.name not in platform.missing
    }
    base = set(_WITH_FOUNDATION)
    needs = {
        name: (imported(texts) | (base - {name} if name not in base else set())) & files.keys()
        for name, texts in files.items()
    }
    order = graphlib.TopologicalSorter(needs).static_order()
    return [Module(name, files[name], frozenset(needs[name])) for name in order]


def imported(files: Sequence[Path]) -> set[str]:
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return set(re.findall(r"^\s*(?:@\w+\s+)*import\s+(\w+)", text, flags=re.M))


def check(platform: Platform, options: Sequence[str], only: Container[str] | None = None) -> str:
    """Compile what changed, for one system; return what the compiler said when it refused.

    With ``only``, the modules of those names: all that they import has to be among them.
    """
    out = SCRATCH / platform.folder
    out.mkdir(parents=True, exist_ok=True)
    states: dict[str, str] = {}
    for module in modules(platform):
        if only is not None and module.name not in only:
            continue
        command = compiler(module, platform, options)
        state = fingerprint(command, module.files, [states[name] for name in sorted(module.needs)])
        states[module.name] = state
        stamp = out / f"{module.name}.passed"
        if stamp.is_file() and stamp.read_text(encoding="utf-8") == state:
            continue
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode:
            return f"{platform.title}: {module.name}\n{ran.stdout}{ran.stderr}"
        stamp.write_text(state, encoding="utf-8")
    return ""


def compiler(module: Module, platform: Platform, options: Sequence[str]) -> list[str]:
    """Return the command that compiles a module."""
    out = SCRATCH / platform.folder
    target = f"arm64-apple-{platform.triple}{floor()[platform.name]}{platform.suffix}"
    command = ["swiftc", "-frontend", "-emit-module", "-parse-as-library", "-I", str(out), *options]
    command += ["-module-name", module.name, "-o", str(out / f"{module.name}.swiftmodule")]
    command += ["-target", target, "-package-name", "emotionkit", "-D", "DEBUG"]
    if module.is_stand_in:  # what matters are its declarations, and it may use them all itself
        command += ["-swift-version", "5", "-disable-availability-checking"]
    else:
        command += ["-swift-version", "6", "-warnings-as-errors"]
    if module.is_stand_in or (module.is_the_same_everywhere and platform.title != "macOS"):
        command.append("-experimental-skip-all-function-bodies")
    for name in sorted(set(_WITH_FOUNDATION) & module.needs):
        command += ["-import-module", name]
    return [*command, *map(str, module.files)]


def fingerprint(command: Sequence[str], files: Sequence[Path], needs: Sequence[str]) -> str:
    digest = hashlib.sha256("\0".join([*command, *needs]).encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(description="Type-check EmotionKit for Apple's systems.")
    titles = [platform.title for platform in PLATFORMS]
    parser.add_argument("systems", nargs="*", metavar="SYSTEM", help=f"some of {', '.join(titles)}")
    chosen = parser.parse_args().systems or titles
    if unknown := set(chosen) - set(titles):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(titles)}")
    platforms = [platform for platform in PLATFORMS if platform.title in chosen]
    try:
        toolchain = Toolchain.here()
        options = prepare(toolchain)
        for platform in platforms:
            relabel(toolchain, platform)
    except NotRun as reason:
        print(f"NOT RUN: EmotionKit compiled for Apple's systems ({reason})")
        return 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        failures = [said for said in pool.map(lambda one: check(one, options), platforms) if said]
    print("\n".join(failures) or f"compiled for {', '.join(p.title for p in platforms)}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
