"""Compare existing files with a reference, on images. Read it top to bottom."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fer_convert import __version__
from fer_convert.artefact import Artefact
from fer_convert.existing.pictures import Input, Pictures, read_pictures
from fer_convert.existing.reference import Reference, expected_contract, reference_of
from fer_convert.existing.side import Side, Words, open_side, pixels_of
from fer_convert.existing.ways import RunnerName, Way, limits, possible, threshold_key, ways_to_run
from fer_convert.export.quiet import quiet
from fer_convert.export.refusal import reason_in_one_line
from fer_convert.parity.bench import MOST_HALVED, Bench, spread
from fer_convert.parity.compare import not_run
from fer_convert.parity.fixtures import Fixture
from fer_convert.parity.pixels import compare_pixels
from fer_convert.parity.publication import Publication, overall_verdict
from fer_convert.parity.result import Prediction, Subject
from fer_convert.parity.witness import NAME as WITNESS
from fer_convert.progress import Progress, peak_memory_bytes
from fer_convert.report import Report, Stage, assemble_report, write_reports
from fer_train.contract.checkpoint import tool_versions
from fer_train.contract.errors import ParityNotRun
from fer_train.contract.files import atomic_directory, sha256_tree, size_bytes

#: The sign that a folder was written by ``ferconv parity``, and the name of its reports.
REPORT_NAME = "parity"
MARKER = f"{REPORT_NAME}.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityRequest:
    """What to compare.

    Attributes:
        reference: what is right.
        artefacts: what is compared with it; at least one.
        input: the images to compare on.
        words: about files that do not say it themselves.
        runners: the runtimes to use; empty means the usual ones of each file.
        foreign: a file without a contract is compared by its answers alone.
        out: folder of the reports; None writes none.
    """

    reference: Path
    artefacts: tuple[Path, ...]
    input: Input
    words: Words
    runners: tuple[RunnerName, ...] = ()
    foreign: bool = False
    out: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityResult:
    """What was compared."""

    report: Report
    seconds: float
    peak_bytes: int


def compare(request: ParityRequest, progress: Progress) -> ParityResult:
    """Run every artefact against the reference on every image, and report.

    Raises:
        FerError: a file or the images cannot be used; its class says why.
    """
    start = time.perf_counter()
    with progress.stage("load libraries"), quiet():
        import torchvision  # noqa: F401

        from fer_convert import coreml_runtime  # noqa: F401
    sides, notes = _open(request, progress)
    for note in notes:
        progress.say(f"  note: {note}")
    spec, assumed = pixels_of(sides[0], sides[1:], request.words)
    if assumed:
        progress.say(f"  note: {assumed}")
    pictures = read_pictures(request.input, spec=spec, progress=progress)
    for note in pictures.notes:
        progress.say(f"  note: {note}")
    reference = reference_of(sides[0])
    subjects, own, apart = _set_up(reference, sides[1:], pictures, request, progress)
    subjects += [
        # A network is fed as training feeds it; an artefact in a way of its own.
        _judge(own if side.kind == "network" else apart, reference, side, way, request)
        for side in sides[1:]
        for way in ways_to_run(side, request.runners)
    ]
    said = (*notes, assumed, *pictures.notes)
    report = _report(reference, sides[0], subjects, pictures.images, said, progress)
    if request.out is not None:
        with progress.stage("write reports"), atomic_directory(request.out, marker=MARKER) as out:
            write_reports(out, report, name=REPORT_NAME)
    return ParityResult(
        report=report,
        seconds=time.perf_counter() - start,
        peak_bytes=peak_memory_bytes(),
    )


def _open(request: ParityRequest, progress: Progress) -> tuple[list[Side], list[str]]:
    """Open every file, the reference first; and what the user should see about them."""
    sides: list[Side] = []
    notes: list[str] = []
    for path in (request.reference, *request.artefacts):
        with progress.stage(f"open {path.name}") as stage:
            side = open_side(path, request.words)
            stage.outcome = side.kind
        sides.append(side)
        notes += side.notes
    for side in sides[1:]:
        if not ways_to_run(side, request.runners):
            raise ParityNotRun(
                f"None of the runners that were chosen runs {side.path}.",
                hint=f"--runner for it: {', '.join(possible(side))}.",
            )
    return sides, list(dict.fromkeys(notes))


def _set_up(
    reference: Reference,
    sides: Sequence[Side],
    pictures: Pictures,
    request: ParityRequest,
    progress: Progress,
) -> tuple[list[Subject], Bench, Bench]:
    """Run the reference: a row on the two ways to cut faces, where they are cut in two, and what a
    network and what an artefact is measured against."""
    with progress.stage(f"run {reference.info.file}"):
        answers = reference.answers(pictures.images)
    if pictures.apart is None:
        bench = _bench(reference, sides, pictures.images, answers, request, progress)
        return [], bench, bench
    with progress.stage("run it on the faces cut anew") as stage:
        anew = reference.answers(pictures.apart)
        parity = compare_pixels(
            pictures.images, pictures.apart, reference=answers, predictions=anew, way=WITNESS
        )
        stage.outcome = parity.verdict
    row = Subject(artefact=None, parity=parity, title="photograph to pixels")
    apart = _bench(reference, sides, pictures.apart, anew, request, progress)
    apart = replace(apart, base=answers)
    # Both share the yardstick: it is a mean over the same faces, a level of 255 apart.
    return [row], replace(apart, images=pictures.images, reference=answers), apart


def _bench(
    reference: Reference,
    sides: Sequence[Side],
    images: Sequence[Fixture],
    answers: Sequence[Prediction],
    request: ParityRequest,
    progress: Progress,
) -> Bench:
    ways = [(side, way) for side in sides for way in ways_to_run(side, request.runners)]
    rounded = any(
        limits(side, way, across=False, reduced=reference.reduced, requires_contract=False).reduced
        for side, way in ways
        if way.missing is None
    )
    half: list[Prediction] | None = None
    no_half, half_of = None, spread(len(images), most=MOST_HALVED)
    if rounded:
        with progress.stage("run it in another precision") as stage:
            try:
                half = reference.halved([images[i] for i in half_of])
            except MemoryError:
                raise
            except Exception as error:  # each runtime has its own words for what it cannot do
                no_half = reason_in_one_line(error)
                stage.outcome = "NOT RUN"
    return Bench(
        images=images,
        reference=answers,
        half=half,
        half_of=half_of,
        no_half=no_half,
        yardstick=reference.yardstick,
        foreign_reference=reference.across,
        contract=reference.contract or {"labels": list(reference.labels)},
        progress=progress,
    )


def _judge(
    bench: Bench, reference: Reference, side: Side, way: Way, request: ParityRequest
) -> Subject:
    key = threshold_key(side)
    foreign = side.contract is None and request.foreign
    allowed = limits(
        side,
        way,
        across=reference.across,
        reduced=reference.reduced,
        requires_contract=reference.contract is not None and not foreign,
    )
    if way.missing is not None:
        parity = not_run(
            key, way.missing, runtime=way.runtime, required=way.required, thresholds=allowed
        )
    else:
        parity = bench.judge(
            key,
            way.open,
            title=f"{side.path.name}, {way.name}",
            thresholds=allowed,
            contract=expected_contract(reference, reference.labels, side.contract),
        )
        gc.collect()  # the artefact's weights, before the next one's are read
    return Subject(artefact=_artefact(side), parity=parity, title=side.path.name)


def _artefact(side: Side) -> Artefact | None:
    if side.kind == "network":
        return None
    return Artefact(
        kind=side.kind,
        path=side.path,
        precision=side.precision,
        storage=side.storage,
        bytes=size_bytes(side.path),
        sha256=sha256_tree(side.path),
        seconds=None,
    )


def _report(
    reference: Reference,
    side: Side,
    subjects: Sequence[Subject],
    images: Sequence[Fixture],
    notes: Sequence[str],
    progress: Progress,
) -> Report:
    verdict = overall_verdict(subject.parity for subject in subjects)
    return assemble_report(
        command="parity",
        checkpoint=replace(reference.info, notes=tuple(note for note in notes if note)),
        contract=_shown_contract(reference, side),
        subjects=subjects,
        images=images,
        stages=[
            Stage(name=stage.title, seconds=stage.seconds, peak_bytes=stage.peak_bytes)
            for stage in progress.stages
        ],
        versions=tool_versions(
            ferconv=__version__,
            **{name: version(name) for name in ("coremltools", "onnx", "onnxruntime")},
        ),
        publication=Publication(
            choice="auto",
            form=None,
            passed_over=(),
            not_judged=(),
            verdict=verdict,
            gate_verdict=verdict,
        ),
        gated=True,
        created_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    )


def _shown_contract(reference: Reference, side: Side) -> Mapping[str, Any]:
    """The contract of the report: what is known of it."""
    if reference.contract is not None:
        return reference.contract
    spec = {} if side.spec is None else side.spec.to_dict()
    return {"labels": list(reference.labels), "preprocess": spec, "temperature": None}
