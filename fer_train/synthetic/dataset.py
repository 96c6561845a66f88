"""Write a dataset of drawn faces in the AffectNet folder layout, all or nothing."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fer_train.contract.errors import DataLayoutError, EmptyClass, FerError
from fer_train.contract.files import atomic_directory, write_json
from fer_train.contract.labels import EMOTIONS, canonical_name
from fer_train.contract.preprocess import MIN_INPUT_SIZE
from fer_train.synthetic.face import GENERATOR_VERSION, draw_face

MARKER = "synthetic.json"
SCHEMA = "fertrain.synthetic"
SPLITS: tuple[str, ...] = ("train", "val", "test")
#: Side in pixels. A face is two head units wide, so that its brows, eyes and lips are 1 to 3 pixels
#: high here. Less shows no expression, and no network takes it.
MIN_SIZE = MIN_INPUT_SIZE
RARE: frozenset[str] = frozenset({"disgust", "contempt"})

#: A face's number is also its file name. Each split has its own range, so no person is in two
#: splits, and a larger dataset of the same seed contains the smaller one.
_FIRST_INDEX = {"train": 0, "val": 8_000_000, "test": 9_000_000}
_MAX_PER_CLASS = 1_000_000 // len(EMOTIONS)
_CHUNK = 16  # faces per message to a worker

Counts = Mapping[str, Mapping[str, int]]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSummary:
    """What was written.

    Attributes:
        root: the dataset folder.
        counts: split -> emotion -> number of images, in canonical order.
        images: their sum.
        pixels_sha256: digest over every image's name and pixels, in drawing order.
    """

    root: Path
    counts: Counts
    images: int
    pixels_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    path: str  # relative to the dataset's root
    emotion: str
    index: int


def demo_counts(*, train: int, val: int, test: int, rare_share: float = 0.6) -> Counts:
    """Return counts per class where disgust and contempt have ``rare_share`` of ``train``.

    Validation and test stay balanced, as in AffectNet; ``test=0`` leaves that split out.
    """
    training = {name: round(train * rare_share) if name in RARE else train for name in EMOTIONS}
    counts = {"train": training, "val": dict.fromkeys(EMOTIONS, val)}
    if test:
        counts["test"] = dict.fromkeys(EMOTIONS, test)
    return counts


def earlier_dataset(root: Path) -> str | None:
    """Say what `write_dataset` drew into ``root`` before and would replace; None if nothing.

    With the numbers that draw it again.
    """
    try:
        record = json.loads((root / MARKER).read_text(encoding="utf-8"))
        counts = ", ".join(
            f"{split} {' or '.join(map(str, sorted(set(classes.values()))))} per class"
            for split, classes in record["counts"].items()
        )
        return f"{record['images']} faces of {record['size']} px, seed {record['seed']} ({counts})"
    except OSError:
        return None
    except (KeyError, TypeError, ValueError, AttributeError):
        return f"faces that its {MARKER} does not describe"


def write_dataset(
    root: Path,
    *,
    per_class: Counts,
    size: int,
    seed: int,
    workers: int,
    progress: Progress | None = None,
) -> DatasetSummary:
    """Draw ``per_class[split][emotion]`` faces into ``root/{train,val,test}/{0..7}/NNNNNNN.png``.

    The folder numbers are ids of the canonical order; ``root/synthetic.json`` says so and marks
    the folder as ours. The bytes do not depend on ``workers``. An earlier dataset of ours is
    replaced in one rename; after an interruption it is untouched and nothing else remains.

    Args:
        size: side of each image in pixels, at least `MIN_SIZE`.
        workers: processes; 1 draws in this one.
        progress: called with ``(done, total)`` as faces are finished.

    Raises:
        OutputExists: ``root`` is neither empty nor an earlier dataset of ours.
        CannotWrite: no space, no permission.
        DataLayoutError, EmptyClass, LabelMismatch: ``per_class`` is not a usable table, or
            ``size`` is too small.
    """
    if size < MIN_SIZE:
        raise DataLayoutError(
            f"Faces of {size} px cannot be drawn.", hint=f"Allowed: {MIN_SIZE} px or more."
        )
    counts = _validated(per_class)
    jobs = _jobs(counts)
    digest = hashlib.sha256()
    with atomic_directory(root, marker=MARKER) as partial_root:
        for split, emotions in counts.items():
            for name in emotions:
                (partial_root / split / str(EMOTIONS.index(name))).mkdir(parents=True)
        draw = partial(_draw_to_file, root=partial_root, seed=seed, size=size)
        with _mapper(workers) as run:
            for done, (job, pixels) in enumerate(zip(jobs, run(draw, jobs), strict=True), start=1):
                digest.update(f"{pixels}  {job.path}\n".encode())
                if progress is not None:
                    progress(done, len(jobs))
        summary = DatasetSummary(
            root=root, counts=counts, images=len(jobs), pixels_sha256=digest.hexdigest()
        )
        write_json(partial_root / MARKER, _record(summary, size=size, seed=seed))
    return summary


def _validated(per_class: Counts) -> dict[str, dict[str, int]]:
    unknown = sorted(set(per_class) - set(SPLITS))
    if unknown or not per_class:
        raise DataLayoutError(
            f"The splits to draw are {sorted(per_class)}.",
            hint=f"Allowed: at least one of {', '.join(SPLITS)}.",
        )
    counts: dict[str, dict[str, int]] = {}
    for split in (name for name in SPLITS if name in per_class):
        named = {canonical_name(name): count for name, count in per_class[split].items()}
        for name in EMOTIONS:
            if named.get(name, 0) < 1:
                raise EmptyClass(
                    f"{split}/{name} would have {named.get(name, 0)} images.",
                    hint="Ask for at least one face of each of the eight emotions.",
                )
            if named[name] > _MAX_PER_CLASS:
                raise DataLayoutError(
                    f"{split}/{name} would have {named[name]} images.",
                    hint=f"The file numbers allow {_MAX_PER_CLASS} per class and split.",
                )
        counts[split] = {name: named[name] for name in EMOTIONS}
    return counts


def _jobs(counts: Counts) -> list[_Job]:
    jobs = []
    for split, emotions in counts.items():
        for label, name in enumerate(EMOTIONS):
            for number in range(emotions[name]):
                index = _FIRST_INDEX[split] + number * len(EMOTIONS) + label
                path = f"{split}/{label}/{index:07d}.png"
                jobs.append(_Job(path=path, emotion=name, index=index))
    return jobs


def _draw_to_file(job: _Job, *, root: Path, seed: int, size: int) -> str:
    """Draw one face and return the SHA-256 of its pixels."""
    from PIL import Image

    face = draw_face(job.emotion, seed=seed, index=job.index, size=size)
    # Level 1: sensor noise does not compress, so more effort buys 3 % for three times the time.
    Image.fromarray(face).save(root / job.path, format="PNG", compress_level=1)
    return hashlib.sha256(face.tobytes()).hexdigest()


@contextmanager
def _mapper(
    workers: int,
) -> Iterator[Callable[[Callable[[_Job], str], list[_Job]], Iterator[str]]]:
    """Yield an ordered ``map``, in this process or over a pool."""
    if workers <= 1:
        yield map
        return
    # Spawned, not forked: the caller may hold threads (a progress bar, torch).
    pool = ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("spawn"), initializer=_ignore_interrupts
    )
    try:
        yield partial(pool.map, chunksize=_CHUNK)
    except BrokenProcessPool as error:
        raise FerError(
            "A process that draws faces was killed; most likely memory ran out.",
            hint="Use fewer workers. Nothing was left half-written.",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _ignore_interrupts() -> None:
    """Leave Ctrl-C to the parent, which cancels the rest and cleans up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _record(summary: DatasetSummary, *, size: int, seed: int) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "version": 1,
        "generator_version": GENERATOR_VERSION,
        "seed": seed,
        "size": size,
        "labels": {str(label): name for label, name in enumerate(EMOTIONS)},
        "counts": summary.counts,
        "images": summary.images,
        "pixels_sha256": summary.pixels_sha256,
    }
