"""What a report holds, before it becomes a document: facts, conclusions, pictures of the inputs."""

from __future__ import annotations

import io
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_convert.artefact import GIT_HOST_LIMIT_BYTES, PUBLISHABLE, PublishedForm
from fer_convert.parity.fixtures import Fixture, Kind
from fer_convert.parity.publication import Publication
from fer_convert.parity.result import Subject, Verdict
from fer_train.contract.page.figures import size_text
from fer_train.contract.pixels import Box

Command = Literal["build", "parity"]

#: More faces than this make a page nobody scrolls through; the figures of all stay in the JSON.
MAX_THUMBNAILS = 64

#: Inputs up to this side are kept pixel for pixel; 64 of them make about half a megabyte of page.
MAX_SIDE = 64  # px


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointInfo:
    """Where the trained model came from.

    Attributes:
        file: name of the checkpoint without its folder.
        sha256: of that file.
        metrics, sparsity, created_with: as the checkpoint records them; empty for foreign files.
        notes: what was assumed about it, taken from it, left out of it or changed.
    """

    file: str
    sha256: str
    arch: str
    metrics: Mapping[str, Any] = field(default_factory=dict)
    sparsity: Mapping[str, Any] = field(default_factory=dict)
    created_with: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One timed step of a build. ``peak_bytes``: largest resident memory so far, if known."""

    name: str
    seconds: float
    peak_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """One image of the run. ``thumbnail`` is a PNG, or None beyond the page's limit.

    ``exact``: the thumbnail holds the very pixels the network gets. ``box``, ``region``: see
    `Fixture`.
    """

    name: str
    kind: Kind
    label: str | None
    thumbnail: bytes | None
    exact: bool
    box: Box | None = None
    region: Box | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything a reader may ask about one build.

    Attributes:
        publication: which form of the model is published, and the verdicts of the whole build.
        command: that made it; ``parity`` compares files that were there already, and publishes
            nothing.
        checkpoint: what everything was compared with; after ``parity`` perhaps an artefact.
        gated: False when the build was told to publish whatever the verdict (``--no-gate``).
        contract: the ``emotionkit.contract`` object.
        faces: one per image, in the order they were compared.
        warnings: sentences a reader must not miss, such as a file over the Git host's limit.
        created_at: UTC, ISO 8601.
    """

    publication: Publication
    gated: bool
    command: Command
    checkpoint: CheckpointInfo
    contract: Mapping[str, Any]
    subjects: tuple[Subject, ...]
    faces: tuple[Face, ...]
    stages: tuple[Stage, ...]
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    warnings: tuple[str, ...]
    created_at: str

    @property
    def verdict(self) -> Verdict:
        """Of the whole build."""
        return self.publication.verdict

    @property
    def gate_verdict(self) -> Verdict:
        """Of all that was made; the Swift package needs this one to be PASS."""
        return self.publication.gate_verdict


def assemble_report(
    *,
    checkpoint: CheckpointInfo,
    contract: Mapping[str, Any],
    subjects: Sequence[Subject],
    images: Sequence[Fixture],
    stages: Sequence[Stage],
    versions: Mapping[str, str],
    publication: Publication,
    gated: bool,
    created_at: str,
    command: Command = "build",
) -> Report:
    """Put a build's facts together with what follows: warnings, thumbnails of the worst images.

    Args:
        images: the fixtures the parities were measured on, in that order.
        versions: package name -> version of everything that touched the model.
    """
    return Report(
        publication=publication,
        gated=gated,
        command=command,
        checkpoint=checkpoint,
        contract=contract,
        subjects=tuple(subjects),
        faces=tuple(_faces(images, subjects)),
        stages=tuple(stages),
        machine=describe_machine(),
        versions=versions,
        warnings=tuple(_warnings(subjects, publication, gated=gated)),
        created_at=created_at,
    )


def describe_machine() -> dict[str, str]:
    """Return what a reader needs to judge the timings, without naming the machine."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": platform.machine(),
        "cores": str(os.cpu_count() or "unknown"),
        "python": platform.python_version(),
    }


def _faces(images: Sequence[Fixture], subjects: Sequence[Subject]) -> list[Face]:
    error: dict[str, float] = {}
    for subject in subjects:
        for measure in subject.parity.measures:
            seen = measure.max_abs_dp if measure.finite else float("inf")
            error[measure.image] = max(seen, error.get(measure.image, 0.0))
    worst_first = sorted(images, key=lambda image: -error.get(image.name, 0.0))
    shown = {image.name for image in worst_first[:MAX_THUMBNAILS]}
    faces = []
    for image in images:
        png, exact = thumbnail_png(image.image) if image.name in shown else (None, False)
        faces.append(
            Face(
                name=image.name,
                kind=image.kind,
                label=image.label,
                thumbnail=png,
                exact=exact,
                box=image.box,
                region=image.region,
            )
        )
    return faces


def _warnings(subjects: Sequence[Subject], publication: Publication, *, gated: bool) -> list[str]:
    instead = partial(_instead, subjects=subjects, publication=publication)
    warnings = [
        *(
            f"{form} is not precise enough for this network, so {instead(form)}."
            for form in publication.passed_over
        ),
        *(
            f"{form} was not judged, so {instead(form)}: {_unjudged(form, subjects)}"
            for form in publication.not_judged
        ),
    ]
    if not gated:
        warnings.append(
            "The parity gate was switched off (--no-gate): the package was published whatever "
            f"the verdict, which is {publication.verdict}."
        )
    for artefact in (s.artefact for s in subjects if s.artefact is not None):
        if artefact.bytes > GIT_HOST_LIMIT_BYTES:
            warnings.append(
                f"{artefact.path.name} is {size_text(artefact.bytes)}. Git hosts refuse files "
                f"over {size_text(GIT_HOST_LIMIT_BYTES)}: deliver it as a download, or choose "
                "a smaller precision, pruning or backbone."
            )
    return list(dict.fromkeys(warnings))


def _unjudged(form: PublishedForm, subjects: Sequence[Subject]) -> str:
    """Say why there was nothing to judge a form by."""
    own = [s.parity for s in subjects if s.parity.key == PUBLISHABLE[form]]
    return " ".join(dict.fromkeys(r for p in own if p.only_unjudged for r in p.reasons))


def _instead(form: PublishedForm, *, subjects: Sequence[Subject], publication: Publication) -> str:
    """Say what is published in the place of a form that was made, too."""
    smaller, published = (
        next(s.artefact for s in subjects if s.artefact is not None and s.parity.key == wanted)
        for wanted in (PUBLISHABLE[form], publication.kind)
    )
    return (
        f"{published.path.name} ({published.precision}, {size_text(published.bytes)}) is published "
        f"instead of {smaller.path.name} ({size_text(smaller.bytes)})"
    )


def thumbnail_png(image: NDArray[np.uint8]) -> tuple[bytes, bool]:
    """Encode uint8 RGB ``[S, S, 3]`` as PNG.

    Returns:
        The file's bytes, and whether it holds the exact pixels (False: reduced to `MAX_SIDE`).
    """
    picture = Image.fromarray(image)
    exact = max(picture.size) <= MAX_SIDE
    if not exact:
        picture = picture.resize((MAX_SIDE, MAX_SIDE), Image.Resampling.BOX)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue(), exact
