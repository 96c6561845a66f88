"""The most confident mistakes as pictures: where a person sees what a figure cannot say.

The pictures are kept in the run (eval/mistakes.npz), so that a report can be made again long after
the data have moved. Runs of before, which lack that file, get them from their data.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_train.config.options import OPTIONS, TrainConfig
from fer_train.contract.errors import FerError
from fer_train.contract.files import write_bytes
from fer_train.contract.preprocess import LUMA
from fer_train.data.dataset import read_listing
from fer_train.data.images import crop, decode, read_content
from fer_train.data.request import data_request
from fer_train.learning.metrics import Answers
from fer_train.run_folder import Evaluated, RunFolder, RunRecord

#: Pictures shown; more make a page that nobody looks through.
SHOWN = 24
#: Larger inputs are reduced: the page stays small, and a face can still be read.
_SIDE = 96  # px
#: Up to here PNG keeps every pixel; beyond, JPEG is several times smaller.
_EXACT_SIDE = 64  # px

Gather = Callable[[NDArray[np.int64]], NDArray[np.uint8]]
Pictures = dict[str, NDArray[np.uint8]]  # name of the image -> RGB [S, S, 3]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """An image that the network gets wrong.

    Attributes:
        index: position in its split.
        predicted, true: indices of classes.
        confidence: softmax of the predicted class, 0..1, before any temperature.
        of_true: softmax of the true class.
    """

    index: int
    predicted: int
    true: int
    confidence: float
    of_true: float


def confident_mistakes(answers: Answers, *, most: int = SHOWN) -> list[Mistake]:
    """Return the mistakes with the highest probability for the wrong class, the worst first."""
    logits = answers.logits.astype(np.float64)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    predicted, true = logits.argmax(axis=1), answers.classes
    wrong = np.flatnonzero(predicted != true)
    confidence = shares[wrong, predicted[wrong]]
    # Stable, so that equally confident ones keep the order of the data.
    worst = wrong[np.argsort(-confidence, kind="stable")][:most]
    return [
        Mistake(
            index=int(i),
            predicted=int(predicted[i]),
            true=int(true[i]),
            confidence=float(shares[i, predicted[i]]),
            of_true=float(shares[i, true[i]]),
        )
        for i in worst
    ]


def shown_split(splits: Sequence[str]) -> str | None:
    """Return the split whose mistakes are shown: test, because nothing was chosen on it."""
    return next((split for split in ("test", "val") if split in splits), None)


def keep_pictures(run: RunFolder, *, split: str, found: Evaluated, gather: Gather) -> None:
    """Write eval/mistakes.npz: ``split``, ``names`` [K] and ``pixels`` uint8 [K, S, S, 3].

    Args:
        gather: returns the decoded images at positions of the split, RGB ``[K, S, S, 3]``.
    """
    indices = np.array([m.index for m in confident_mistakes(found.answers)], dtype=np.int64)
    names = [found.paths[index] for index in indices]
    pixels = gather(indices) if names else np.zeros((0, 1, 1, 3), dtype=np.uint8)
    _write(run, split=split, pictures=dict(zip(names, pixels, strict=True)))


def read_pictures(run: RunFolder, *, split: str) -> Pictures:
    """Return what `keep_pictures` kept of a split; empty if nothing was."""
    try:
        with np.load(_file(run), allow_pickle=False) as stored:
            if str(stored["split"]) != split:
                return {}
            return dict(zip(map(str, stored["names"]), stored["pixels"], strict=True))
    # Pictures are an extra: a report without them is better than none.
    except (OSError, KeyError, ValueError):
        return {}


def fetch_pictures(record: RunRecord, *, data: Path | None) -> None:
    """Take the pictures of a run's mistakes from its data, unless the run keeps them already.

    Args:
        data: where the data are now; None looks where they were.

    Raises:
        FerError: the data are not there, or not what the run was trained on.
    """
    split = shown_split([name for name in ("val", "test") if record.figures(name)])
    found = None if split is None else record.evaluated(split)
    if split is None or found is None:
        return
    names = [found.paths[mistake.index] for mistake in confident_mistakes(found.answers)]
    if set(names) <= set(read_pictures(record.folder, split=split)):
        return
    config = _configuration(record.options)
    listing, _ = read_listing(data or Path(config.data), data_request(config))
    samples = {sample.name: sample for sample in listing.samples}
    missing = [name for name in names if name not in samples]
    if missing:
        raise FerError(
            f"{listing.root} has no {missing[0]}: it is not what the run was trained on.",
            hint="Give --data the folder of the training.",
        )
    _write(
        record.folder,
        split=split,
        pictures={
            name: crop(
                decode(read_content(listing.root, samples[name]), samples[name], root=listing.root),
                samples[name],
                size=config.input_size,
                margin=config.crop_margin,
            )
            for name in names
        },
    )


def picture_address(pixels: NDArray[np.uint8], *, gray: bool) -> str:
    """Return RGB ``[S, S, 3]`` as the network sees it, as a ``data:`` address.

    Args:
        gray: the network's colour rule is luma.
    """
    image = Image.fromarray(pixels)
    if gray:
        luma = pixels.astype(np.float64) @ np.array(LUMA)
        image = Image.fromarray(luma.round().astype(np.uint8))
    exact = max(image.size) <= _EXACT_SIDE
    image.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    if exact:
        image.save(buffer, format="PNG", optimize=True)
    else:
        image.save(buffer, format="JPEG", quality=85)
    kind = "png" if exact else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def describe_mistakes(record: RunRecord, found: Evaluated, *, split: str) -> dict[str, Any]:
    """Return the mistakes for the report's document."""
    mistakes = confident_mistakes(found.answers)
    pictures = read_pictures(record.folder, split=split)
    gray = record.resolved.get("preprocess", {}).get("color") == "gray"
    answers = found.answers
    wrong = int((answers.logits.argmax(axis=1) != answers.classes).sum())
    return {
        "split": split,
        "wrong": wrong,
        "images": len(answers.logits),
        "shown": [
            {
                "path": found.paths[mistake.index],
                "true": found.labels[mistake.true],
                "predicted": found.labels[mistake.predicted],
                "confidence": mistake.confidence,
                "of_true": mistake.of_true,
                "picture": picture_address(pixels, gray=gray) if pixels is not None else None,
            }
            for mistake in mistakes
            for pixels in (pictures.get(found.paths[mistake.index]),)
        ],
    }


def _configuration(options: Mapping[str, Any]) -> TrainConfig:
    # What another version of the tool knew or did not know does not matter for reading its data.
    known = set(OPTIONS) - {"phases"}
    return TrainConfig(**{name: value for name, value in options.items() if name in known})


def _write(run: RunFolder, *, split: str, pictures: Pictures) -> None:
    content = io.BytesIO()
    np.savez_compressed(
        content,
        split=np.array(split),
        names=np.array(list(pictures)),
        pixels=np.array(list(pictures.values())),
    )
    write_bytes(_file(run), content.getvalue())


def _file(run: RunFolder) -> Path:
    return run.root / "eval" / "mistakes.npz"
