"""``ferconv predict``: what a saved Core ML model answers for pictures, without Core ML."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_convert import coreml_runtime
from fer_convert.coreml_runtime import UnsupportedOperation
from fer_convert.coreml_runtime.description import Feature
from fer_train.contract.errors import FerError, NotFound, UnreadableImage, harmless
from fer_train.contract.pixels import face_crop, load_rgb

if TYPE_CHECKING:
    from fer_convert.coreml_runtime.answer import Answer
    from fer_convert.coreml_runtime.program import Engine
    from fer_convert.coreml_runtime.reference.operations import Precision

_BAR = 30  # characters of a probability of 1
#: How far the sum of probabilities may be from 1: half precision rounds each of up to 64.
_SUM_TOLERANCE = 0.02

#: So many pictures are answered by the reference engine before the fast one, which must compile the
#: graph first, has won: 0.2 to 0.4 s against 0.01 a picture for networks made for phones.
_FEW = 8

_EIGHTHS = " ▏▎▍▌▋▊▉"

_NOT_PROBABILITIES = (
    "scores as the model gives them: they do not lie between 0 and 1 with a sum of 1, so they are "
    "no probabilities (a network without a softmax?)"
)

Model = coreml_runtime.Program | coreml_runtime.Pipeline


@dataclass(frozen=True, slots=True)
class Answered:
    """One picture's answer."""

    image: Path
    answer: Answer


@dataclass(frozen=True, slots=True)
class Unanswered:
    """One picture that is not there or cannot be decoded."""

    image: Path
    error: FerError


def predict_images(
    artefact: Path,
    images: Sequence[Path],
    *,
    function: str | None,
    engine: Engine,
    precision: Precision | None,
) -> tuple[Model, list[Answered | Unanswered]]:
    """Load the model once and run it on every picture; one that is bad does not stop the others.

    Each picture is cropped to its centred square and resized to the model's input with the
    project's pixel contract, exactly as fixtures are. ``auto`` is the reference engine for a few
    pictures, and for many the fast one where it has the model's operations.

    Raises:
        NotFound, ArtefactError, UnsupportedOperation: see `coreml_runtime.load`; also when the
            model takes anything but one image.
    """
    model = coreml_runtime.load(artefact, function=function)
    feature = _image_input(model)
    if engine == "auto" and len(images) <= _FEW:
        engine = "reference"
    answers: list[Answered | Unanswered] = []
    for path in images:
        try:
            pixels = face_crop(load_rgb(path), size=feature.width)
        except (NotFound, UnreadableImage) as error:
            answers.append(Unanswered(path, error))
            continue
        given = pixels if feature.channels == 3 else _grey(pixels, feature)
        answer = model.predict({feature.name: given}, engine=engine, precision=precision)
        answers.append(Answered(path, answer))
    return model, answers


def _image_input(model: Model) -> Feature:
    required = [feature for feature in model.inputs if not feature.optional]
    if len(required) != 1 or required[0].kind != "image":
        listed = ", ".join(f"{f.name} ({f.kind})" for f in model.inputs)
        raise UnsupportedOperation(
            f"{model.path} takes {listed}; the command feeds models of one image.",
            hint="In Python: fer_convert.coreml_runtime.load(path).predict({...})",
        )
    if required[0].width != required[0].height:
        raise UnsupportedOperation(
            f"{model.path} takes {required[0].width} x {required[0].height} pixels; the command "
            "crops squares."
        )
    return required[0]


def _grey(pixels: np.ndarray[Any, Any], feature: Feature) -> Any:
    from PIL import Image

    grey = Image.fromarray(pixels).convert("L")
    return grey.convert("F") if feature.color_layout == "GRAYSCALE_FLOAT16" else grey


def as_text(model: Model, answers: Sequence[Answered], *, top: int) -> str:
    """Bars of the ``top`` most probable labels of each picture.

    Args:
        answers: at least one.
    """
    first = answers[0].answer
    lines = [
        f"{_shown(model.path)} ({model.format}, specification {model.spec_version})",
        f"computed by the portable coreml_runtime {coreml_runtime.__version__}, {first.engine} "
        f"engine, precision {first.precision}; not by Core ML",
    ]
    for answered in answers:
        lines += ["", _shown(answered.image)]
        scores = _scores(model, answered.answer)
        if scores is not None:
            lines += _bars(scores, top)
        else:
            named = answered.answer.items()
            lines += [f"  {_shown(name)}: {_shown(_brief(value))}" for name, value in named]
    return "\n".join(lines)


def _bars(scores: Mapping[Any, float], top: int) -> list[str]:
    ranked = sorted(scores.items(), key=lambda item: -item[1])[:top]
    labelled = [(_shown(label), p) for label, p in ranked]
    width = max(len(label) for label, _ in labelled)
    if not _are_probabilities(scores):
        listed = [f"  {label:<{width}} {score:12.4f}" for label, score in labelled]
        return [*listed, f"  {_NOT_PROBABILITIES}"]
    return [f"  {label:<{width}} {_bar(p):<{_BAR}} {100 * p:5.1f} %" for label, p in labelled]


def _scores(model: Model, answer: Answer) -> Mapping[Any, float] | None:
    """Return label -> score of a classifier, None for any other model."""
    scores = answer.get(model.probabilities_name) if model.labels else None
    return scores if isinstance(scores, Mapping) else None


def _are_probabilities(scores: Mapping[Any, float]) -> bool:
    values = np.array(list(scores.values()), dtype=np.float64)
    # Not a number is neither below 0 nor above 1: it is shown as what it is.
    values = values[np.isfinite(values)]
    in_range = bool(np.all((values >= -_SUM_TOLERANCE) & (values <= 1 + _SUM_TOLERANCE)))
    complete = len(values) < len(scores) or abs(values.sum() - 1) <= _SUM_TOLERANCE
    return in_range and bool(complete)


def _shown(text: object) -> str:
    """A label, a name or a path on one line of a terminal: any of them may be a stranger's."""
    return harmless(str(text), kept="")


def _bar(probability: float) -> str:
    if not np.isfinite(probability):
        return "not a number"
    eighths = round(min(max(probability, 0.0), 1.0) * _BAR * 8)
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()


def _brief(value: Any) -> str:
    if not isinstance(value, np.ndarray):
        return str(value)
    first = value.reshape(-1)[:8]
    shown = np.array2string(first, precision=4, separator=", ", max_line_width=1000)
    return f"{value.dtype} {list(value.shape)} {shown}{' …' if value.size > 8 else ''}"


def as_json(model: Model, answers: Sequence[Answered | Unanswered]) -> str:
    """Everything computed, for machines; pictures among the outputs are left out."""
    return json.dumps(
        {
            "schema": "ferconv.predictions",
            "version": 1,
            "artefact": str(model.path),
            "format": model.format,
            "specification_version": model.spec_version,
            "runtime": f"portable coreml_runtime {coreml_runtime.__version__}",
            "predictions": [_record(model, answered) for answered in answers],
        },
        indent=2,
    )


def _record(model: Model, answered: Answered | Unanswered) -> dict[str, Any]:
    if isinstance(answered, Unanswered):
        error = answered.error
        told = {"exit_code": error.exit_code, "message": error.message, "hint": error.hint}
        return {"image": str(answered.image), "error": told}
    scores = _scores(model, answered.answer)
    return {
        "image": str(answered.image),
        "engine": answered.answer.engine,
        "precision": answered.answer.precision,
        "probabilities": None if scores is None else _are_probabilities(scores),
        "outputs": {
            name: _plain(value)
            for name, value in answered.answer.items()
            if not hasattr(value, "mode")
        },
    }


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value
