"""Put a checked model into a copy of EmotionKit: a Swift package an app can add as it is.

The copy is complete: README, licence, ``.gitignore`` and tests of its own, ready for ``git init``
and a tag. A build folder holds ``manifest.json`` and ``golden.json`` beside the model. The manifest
is the model's passport: it names every file's hash, the contract and the verdict, and nothing is
packaged against it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fer_convert.artefact import FILE_NAMES, PUBLISHABLE, Artefact
from fer_convert.bundled import MODELS, emotionkit_files, emotionkit_folder
from fer_convert.parity.publication import Publication
from fer_convert.parity.result import ArtefactParity
from fer_convert.parity.runners import APPLE_RUNTIME
from fer_convert.swift_package.canary import CANARY
from fer_convert.swift_package.papers import papers
from fer_convert.swift_package.readme import ModelTexts, package_readme, semantic
from fer_convert.swift_package.use import not_recorded, restated
from fer_train.contract.errors import ArtefactError, NotFound, ParityFailed, ParityNotRun
from fer_train.contract.file_words import refuse_stand_in
from fer_train.contract.files import (
    atomic_directory,
    sha256_file,
    sha256_tree,
    size_bytes,
    tree_files,
    write_json,
    write_text,
)
from fer_train.contract.terms import NOTHING, Terms

SCHEMA = "emotionkit.manifest"


VERSION = 1


MANIFEST = "manifest.json"


GOLDEN = "golden.json"


USE = "use.json"


#: The drawn clip as the model sees it. The package's own tests look for it; no app needs it.
EVENTS = "events.json"
_OWN_EVENTS = Path("Tests/EmotionKitCoreTests/Golden/model-events.json")


MODEL_NAME = "EmotionNet"


#: What the model is called in a package, whatever its precision: EmotionKit looks for this name.
PACKAGED_FILE = f"{MODEL_NAME}.mlpackage"


#: Where EmotionKit's own README goes; the package's is about the model.
_MANUAL = "EmotionKit.md"


#: EmotionKit's own .gitignore keeps models out; in a published package the model is the point.
_GITIGNORE = """\
.build/
.swiftpm/
DerivedData/
Package.resolved
xcuserdata/
"""

#: A user's own attributes may send weights to Git LFS, or turn line ends; here they do not.
_GITATTRIBUTES = f"/{MODELS.as_posix()}/** binary -filter\n"


def manifest_record(
    artefact: Artefact,
    *,
    contract: Mapping[str, Any],
    publication: Publication,
    parities: Sequence[ArtefactParity],
    gated: bool,
    canary: Path | None,
    created_with: Mapping[str, str],
    created_at: str,
) -> dict[str, Any]:
    """Return manifest.json's content for the published artefact.

    Args:
        publication: of the whole build.
        parities: of the whole build; the published artefact's own figures are quoted.
        gated: the model is only packaged if the build's verdict is PASS.
        canary: the build's canary.json, if it has one.
        created_with: versions of the tools.
        created_at: UTC, ISO 8601.
    """
    own = [parity for parity in parities if parity.key == artefact.kind]
    portable = next(p for p in own if not p.runtime.startswith(APPLE_RUNTIME))
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "model": {
            "name": MODEL_NAME,
            "file": artefact.path.name,
            "format": "mlprogram",
            "precision": artefact.precision,
            "bytes": artefact.bytes,
            "sha256": artefact.sha256,
            "files": [
                {
                    "path": file.relative_to(artefact.path).as_posix(),
                    "bytes": size_bytes(file),
                    "sha256": sha256_file(file),
                }
                for file in tree_files(artefact.path)
            ],
        },
        "contract": dict(contract),
        "parity": {
            "verdict": publication.gate_verdict,
            "passed_over": list(publication.passed_over),
            "not_judged": list(publication.not_judged),
            "gated": gated,
            "runtime": portable.runtime,
            "images": len(portable.measures),
            "max_abs_dp": _finite(portable.max_abs_dp),
            "top1_agreement": portable.top1_agreement,
            "apple_runtime": _apple_summary(own),
        },
        "canary": None if canary is None else _file_record(canary),
        "created_with": dict(created_with),
        "created_at": created_at,
    }


def find_emotionkit(given: Path | None) -> Path:
    """Return the folder with EmotionKit's sources.

    Raises:
        NotFound: they are not in the folder given, or not where they come with this tool.
    """
    folder = given or emotionkit_folder()
    if not (folder / "Package.swift").is_file():
        raise NotFound(
            f"EmotionKit's sources are not in {folder} (there is no Package.swift).",
            hint="They come with the installed package and with a checkout of the repository "
            "(swift/EmotionKit): install again, give --emotionkit DIR, or build without a "
            "package (--no-package).",
        )
    return folder


def write_package(
    build: Path,
    out: Path,
    *,
    emotionkit: Path,
    gate: bool,
    canary: bool = True,
    terms: Terms = NOTHING,
    finish: Callable[[Path], None] | None = None,
) -> dict[str, str]:
    """Write a Swift package with the model of a build folder inside.

    Returns what nobody recorded about its use: `not_recorded`.

    Args:
        build: what ``ferconv build`` wrote.
        out: the package's folder; replaced only if this function wrote it.
        gate: refuse a model whose verdict is not PASS. Without it the manifest says so for ever.
        canary: with the faces by which a phone checks itself, if the build has them.
        terms: what the user says now about purpose and licences.
        finish: is given the complete package before it takes its place, with the Git repository
            that ``out`` has; what it raises leaves ``out`` as it was.

    Raises:
        NotFound: ``build`` holds no manifest or model.
        ParityFailed, ParityNotRun: the gate is shut.
        ArtefactError: the model is not the one that was checked.
        OutputExists, CannotWrite: ``out``.
    """
    manifest = _read_manifest(build)
    _check_gate(build, manifest, gate=gate)
    model = build / _published_name(build, manifest)
    if not model.is_dir():
        raise NotFound(f"There is no model {model}.", hint="Run ferconv build again.")
    if sha256_tree(model) != manifest["model"]["sha256"]:
        for file in tree_files(model):
            refuse_stand_in(file)
        raise ArtefactError(
            f"{model} is not the model that was checked: its sha256 differs from {MANIFEST}'s.",
            hint="Run ferconv build again.",
        )
    faces = _canary(build, manifest) if canary else None
    published = {
        **manifest,
        "canary": None if faces is None else manifest["canary"],
        "model": {**manifest["model"], "file": PACKAGED_FILE},
        "parity": {**manifest["parity"], "gated": gate},
    }
    use = restated(_read_json(_part(build, USE)), terms, speaker="packaging")
    with atomic_directory(out, marker=str(MODELS / MANIFEST)) as partial:
        _copy_sources(emotionkit, partial)
        shutil.copytree(model, partial / MODELS / PACKAGED_FILE)
        write_json(partial / MODELS / MANIFEST, published)
        shutil.copyfile(build / GOLDEN, partial / MODELS / GOLDEN)
        write_json(partial / MODELS / USE, use)
        if faces is not None:
            shutil.copyfile(faces, partial / MODELS / CANARY)
        (partial / _OWN_EVENTS).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_part(build, EVENTS), partial / _OWN_EVENTS)
        texts = _texts(model)
        write_text(partial / "README.md", package_readme(published, use, texts))
        for name, text in papers(published, use, texts).items():
            write_text(partial / name, text)
        _keep_repository(out, partial)
        if finish is not None:
            finish(partial)
    return not_recorded(use)


def package_tag(package: Path) -> str:
    """Return the tag for a written package: its model's version, or the nearest to it."""
    return semantic(_texts(package / MODELS / PACKAGED_FILE).version)


def _keep_repository(out: Path, partial: Path) -> None:
    """Copy the repository of the former package: its history is not ours to lose."""
    repository = out / ".git"
    if repository.is_dir():
        shutil.copytree(repository, partial / ".git", symlinks=True)
    elif repository.is_file():
        shutil.copyfile(repository, partial / ".git")


def _read_manifest(build: Path) -> dict[str, Any]:
    path = build / MANIFEST
    try:
        manifest = _read_json(path)
    except FileNotFoundError:
        raise NotFound(
            f"{build} holds no {MANIFEST}, so there is nothing to package.",
            hint=f"Run ferconv build --out {build} "
            f"(with {' or '.join(PUBLISHABLE.values())} among its artefacts).",
        ) from None
    if manifest.get("schema") != SCHEMA or manifest.get("version") != VERSION:
        raise ArtefactError(f"{path} is not an {SCHEMA} of version {VERSION}.")
    return manifest


def _read_json(path: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        refuse_stand_in(path)
        raise ArtefactError(f"{path} is not JSON: {error}.") from error
    return record


def _part(build: Path, name: str) -> Path:
    path = build / name
    if not path.is_file():
        raise NotFound(
            f"{build} holds no {name}: an earlier version built it.",
            hint="Run ferconv build again.",
        )
    return path


def _canary(build: Path, manifest: Mapping[str, Any]) -> Path | None:
    """Return the build's canary.json, which must be the manifest's; a build may have none."""
    recorded, path = manifest.get("canary"), build / CANARY
    if recorded is None:
        return None
    if not path.is_file():
        raise NotFound(f"There is no {path}.", hint="Run ferconv build again, or give --no-canary.")
    if recorded != _file_record(path):
        raise ArtefactError(
            f"{path} is not the file that {MANIFEST} names: its sha256 differs.",
            hint="Run ferconv build again.",
        )
    return path


def _file_record(path: Path) -> dict[str, Any]:
    return {"file": path.name, "bytes": size_bytes(path), "sha256": sha256_file(path)}


def _published_name(build: Path, manifest: Mapping[str, Any]) -> str:
    """Return the model's file name, one of those that a build gives."""
    name = manifest["model"]["file"]
    known = [FILE_NAMES[kind] for kind in PUBLISHABLE.values()]
    if name not in known:
        raise ArtefactError(
            f"{build / MANIFEST} names the model {name!r}; a build calls it {' or '.join(known)}.",
            hint="Run ferconv build again.",
        )
    return str(name)


def _check_gate(build: Path, manifest: Mapping[str, Any], *, gate: bool) -> None:
    verdict = manifest["parity"]["verdict"]
    if not gate or verdict == "PASS":
        return
    kind = ParityFailed if verdict == "FAIL" else ParityNotRun
    raise kind(
        f"The model in {build} is not packaged: its parity verdict is {verdict}.",
        hint=f"See {build / 'report.html'}. --no-gate packages it all the same, and its manifest "
        "will say so.",
    )


def _copy_sources(emotionkit: Path, package: Path) -> None:
    """Copy what a package of its own needs, its licence from the repository if need be."""

    for name in emotionkit_files(emotionkit):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(emotionkit / name, package / name)
    if (package / "README.md").is_file():
        (package / "README.md").replace(package / _MANUAL)
    repository_licence = emotionkit.parent.parent / "LICENSE"
    if not (package / "LICENSE").exists() and repository_licence.is_file():
        shutil.copyfile(repository_licence, package / "LICENSE")
    write_text(package / ".gitignore", _GITIGNORE)
    write_text(package / ".gitattributes", _GITATTRIBUTES)


def _texts(model: Path) -> ModelTexts:
    """Read from the model file who made it."""
    from fer_convert.coreml_runtime import load

    metadata = load(model).metadata
    return ModelTexts(author=metadata.author, license=metadata.license, version=metadata.version)


def _apple_summary(parities: Sequence[ArtefactParity]) -> str:
    own = [parity for parity in parities if parity.runtime.startswith(APPLE_RUNTIME)]
    if all(parity.verdict == "NOT RUN" for parity in own):
        reasons = {reason for parity in own for reason in parity.reasons}
        return f"NOT RUN ({'; '.join(sorted(reasons)) or 'not asked'})"
    return ", ".join(f"{parity.runtime}: {parity.verdict}" for parity in own)


def _finite(value: float | None) -> float | None:
    """Return None for NaN, which JSON cannot hold (the verdict says FAIL already)."""
    return None if value is None or value != value else value
