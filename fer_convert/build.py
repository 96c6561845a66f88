"""``ferconv build``: convert, read back, compare, report, package. Read it top to bottom."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from fer_convert import __version__
from fer_convert.artefact import (
    Artefact,
    ArtefactKind,
    PublishChoice,
    contract_record,
    contract_text,
    describe,
)
from fer_convert.export.artefacts import convert_all
from fer_convert.export.quiet import quiet
from fer_convert.export.sparse import StorageChoice, choose_storage
from fer_convert.progress import Progress, peak_memory_bytes
from fer_convert.source import Source, load_source
from fer_convert.swift_package.canary import CANARY, canary_record
from fer_convert.swift_package.golden import golden_record
from fer_convert.swift_package.use import not_recorded, use_record
from fer_convert.swift_package.write import (
    EVENTS,
    GOLDEN,
    MANIFEST,
    USE,
    manifest_record,
    write_package,
)
from fer_train.contract import timm_networks
from fer_train.contract.checkpoint import tool_versions
from fer_train.contract.files import atomic_directory, refuse_foreign_output, write_json, write_text
from fer_train.contract.terms import NOTHING, Terms

if TYPE_CHECKING:
    from fer_convert.parity.fixtures import Fixture
    from fer_convert.parity.result import Prediction
    from fer_convert.report import Report, Subject

#: The sign that a folder was written by ``ferconv build``.
MARKER = "report.json"
#: The Swift package's folder inside the build folder.
PACKAGE = "EmotionKit"

ALL_KINDS: tuple[ArtefactKind, ...] = get_args(ArtefactKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What to build.

    Attributes:
        fixtures: folder of the images to compare on.
        kinds: the artefacts to make.
        required: kinds that must not be refused by their converter, and whose verdict counts
            whatever is published.
        arch, labels, custom_labels, preprocess, output, allow_class: what the checkpoint does not
            say; see `source.load_source`.
        demo: mark the model as a demonstration even if its checkpoint does not say that it
            learned from drawn faces; every artefact says so.
        author, license, model_version: for Xcode's metadata pane.
        emotionkit: EmotionKit's sources; None builds no Swift package.
        publish: the form of the model that goes into the package; ``auto`` is the smallest that
            passes. An explicit one must be among ``kinds``.
        gate: package only when all that was made is PASS.
        terms: purpose and licences, where the checkpoint does not say them or says other ones.
        canary: put faces into the package by which a phone checks itself.
    """

    checkpoint: Path
    out: Path
    fixtures: Path
    emotionkit: Path | None
    author: str
    license: str
    model_version: str
    kinds: tuple[ArtefactKind, ...] = ALL_KINDS
    required: tuple[ArtefactKind, ...] = ()
    arch: str | None = None
    labels: str | None = None
    custom_labels: str | None = None
    preprocess: str | None = None
    output: str | None = None
    allow_class: str | None = None
    storage: StorageChoice = "auto"
    demo: bool = False
    publish: PublishChoice = "auto"
    gate: bool = True
    terms: Terms = NOTHING
    canary: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """What was built; ``package`` is the Swift package, where there is one."""

    report: Report
    package: Path | None
    seconds: float
    peak_bytes: int


def build(request: BuildRequest, progress: Progress) -> BuildResult:
    """Build everything into one folder that appears complete or not at all.

    Raises:
        FerError: its class says what went wrong; ``request.out`` is then as it was before.
    """
    start = time.perf_counter()
    refuse_foreign_output(request.out, marker=MARKER)
    _load_libraries(request, progress)
    source, images = _read(request, progress)
    demo = request.demo or source.synthetic
    contract = contract_record(source, demo=demo)
    with atomic_directory(request.out, marker=MARKER) as folder:
        results = convert_all(
            source,
            folder,
            kinds=request.kinds,
            required=request.required,
            description=describe(
                source,
                contract=contract_text(contract),
                author=request.author,
                license=request.license,
                version=request.model_version,
                demo=demo,
            ),
            storage=choose_storage(source, request.storage),
            progress=progress,
        )
        # Imported late: it brings the portable runtime, which a failed conversion does not need.
        from fer_convert.parity.bench import compare_all

        reference, subjects = compare_all(
            source, results, images=images, contract=contract, progress=progress
        )
        report = _report(request, source, contract, subjects, images, progress)
        packaged = _publish(request, source, report, images, reference, folder, progress)
    return BuildResult(
        report=report,
        package=request.out / PACKAGE if packaged else None,
        seconds=time.perf_counter() - start,
        peak_bytes=peak_memory_bytes(),
    )


def _load_libraries(request: BuildRequest, progress: Progress) -> None:
    """Import what takes seconds under a name of its own, so that no stage is blamed for it."""
    with progress.stage("load libraries"), quiet():
        import torchvision  # noqa: F401

        if any(kind.startswith("ml") for kind in request.kinds):
            import coremltools  # noqa: F401


def _read(request: BuildRequest, progress: Progress) -> tuple[Source, list[Fixture]]:
    with progress.stage("read checkpoint") as stage:
        source = load_source(
            request.checkpoint,
            arch=request.arch,
            labels=request.labels,
            custom_labels=request.custom_labels,
            preprocess=request.preprocess,
            output=request.output,
            allow_class=request.allow_class,
        )
        stage.outcome = f"{source.architecture}, {source.zero_share:.0%} zeros"
        if source.temperature != 1.0:
            stage.outcome += f", temperature {source.temperature:.4g}"
    for note in source.notes:
        progress.say(f"  note: {note}")
    from fer_convert.parity.fixtures import load_fixtures

    with progress.stage("read fixtures") as stage:
        images = load_fixtures(request.fixtures, spec=source.preprocess)
        stage.outcome = f"{len(images)} images"
    return source, images


def _report(
    request: BuildRequest,
    source: Source,
    contract: Mapping[str, Any],
    subjects: Sequence[Subject],
    images: Sequence[Fixture],
    progress: Progress,
) -> Report:
    from fer_convert.parity.publication import decide
    from fer_convert.report import CheckpointInfo, Stage, assemble_report

    return assemble_report(
        checkpoint=CheckpointInfo(
            file=source.path.name,
            sha256=source.sha256,
            arch=source.architecture,
            metrics=source.metrics,
            sparsity=source.sparsity,
            created_with=source.created_with,
            notes=source.notes,
        ),
        contract=contract,
        subjects=subjects,
        images=images,
        stages=[
            Stage(name=stage.title, seconds=stage.seconds, peak_bytes=stage.peak_bytes)
            for stage in progress.stages
        ],
        versions=_versions(source),
        publication=decide(
            [subject.parity for subject in subjects],
            choice=request.publish,
            required=request.required,
        ),
        gated=request.gate,
        created_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    )


def _publish(
    request: BuildRequest,
    source: Source,
    report: Report,
    images: Sequence[Fixture],
    reference: Sequence[Prediction],
    folder: Path,
    progress: Progress,
) -> bool:
    """Write the reports, the model's passport, and, if the gate lets it through, the package."""
    from fer_convert.report import write_reports

    with progress.stage("write reports"):
        write_reports(folder, report)
        write_json(folder / GOLDEN, golden_record(images, reference))
    kind = report.publication.kind
    own = [s for s in report.subjects if s.parity.key == kind]
    published = [s.artefact for s in own]
    if not published or published[0] is None:
        return False
    canary = None
    if request.canary and own[0].parity.verdict == "PASS":
        canary = _write_canary(source, published[0], folder, progress)
    manifest = manifest_record(
        published[0],
        contract=report.contract,
        publication=report.publication,
        parities=[subject.parity for subject in report.subjects],
        gated=request.gate,
        canary=canary,
        created_with=report.versions,
        created_at=report.created_at,
    )
    write_json(folder / MANIFEST, manifest)
    use = use_record(source, request.terms, demo=bool(report.contract["demo"]))
    write_json(folder / USE, use)
    if missing := not_recorded(use):
        said = ", ".join(missing.values())
        progress.say(f"  not recorded: {said} ({' '.join(missing)})")
    _replay_clip(source, folder, progress)
    if request.emotionkit is None or (request.gate and report.gate_verdict != "PASS"):
        return False
    with progress.stage("write Swift package"):
        write_package(folder, folder / PACKAGE, emotionkit=request.emotionkit, gate=request.gate)
    return True


def _replay_clip(source: Source, folder: Path, progress: Progress) -> None:
    """Write what EmotionKit has to make of the drawn clip with this network's answers."""
    from fer_convert.bundled import clip_folder
    from fer_convert.parity.runners import CheckpointRunner
    from fer_convert.swift_package.events import events_text, model_events

    with progress.stage("replay drawn clip") as stage:
        record = model_events(clip_folder(), source, CheckpointRunner(source))
        write_text(folder / EVENTS, events_text(record))
        told = sum(len(frame["moment"]["events"]) for frame in record["frames"] if frame["moment"])
        stage.outcome = f"{len(record['frames'])} frames, {told} events"


def _write_canary(
    source: Source, published: Artefact, folder: Path, progress: Progress
) -> Path | None:
    """Write the faces by which a phone checks itself, with the checkpoint's answers."""
    from fer_convert.bundled import fixtures_folder
    from fer_convert.parity.runners import CheckpointRunner, open_runner
    from fer_convert.parity.thresholds import limits_of

    with progress.stage("choose canary") as stage:
        record = canary_record(
            fixtures_folder(),
            source,
            checkpoint=CheckpointRunner(source),
            published=open_runner(published.kind, published.path),
            thresholds=limits_of(published.kind, foreign_reference=source.reference is not None),
        )
        if record is None:
            stage.outcome = "none: the published file is too far off on the drawn faces"
            return None
        path = folder / CANARY
        write_json(path, record)
        stage.outcome = f"{len(record['faces'])} faces, {path.stat().st_size / 1000:.0f} kB"
    return path


def _versions(source: Source) -> dict[str, str]:
    others = {name: version(name) for name in ("coremltools", "onnx", "onnxruntime")}
    others |= timm_networks.versions(source.architecture)
    return tool_versions(ferconv=__version__, **others)
