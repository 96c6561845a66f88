"""``--preprocess`` of a foreign file: how its pixels were prepared, in the words people have.

Training code says ``transforms.Normalize((0.5,), (0.5,))``, "ImageNet", "divided by 255" or nothing
at all. All of these become a `PreprocessSpec`; what cannot be guessed must be said, and what is
assumed is told.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast, get_args

from fer_train.contract.errors import CheckpointError, NotFound
from fer_train.contract.preprocess import IMAGENET_MEAN, IMAGENET_STD, Color, PreprocessSpec

#: What reaches the network, by name: mean and deviation on the 0..1 scale.
SCALES: Mapping[str, tuple[Sequence[float], Sequence[float]]] = MappingProxyType(
    {
        "0..1": ((0.0,), (1.0,)),
        "0..255": ((0.0,), (1 / 255,)),
        "-1..1": ((0.5,), (0.5,)),
        "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
    }
)

_FIELDS = (*(field.name for field in fields(PreprocessSpec)), "scale")
_DEFAULTS = PreprocessSpec()
_EXAMPLE = '{"input_size": 48, "color": "gray", "scale": "0..1"}'
_ALLOWED = (
    "input_size (pixels), color (gray, rgb or bgr), and either scale "
    f"({', '.join(SCALES)}) or mean and std on the 0..1 scale; crop_margin if it is not "
    f"{_DEFAULTS.crop_margin}"
)


def parse_preprocess(text: str) -> tuple[PreprocessSpec, str | None]:
    """Return the spec from inline JSON, or from the JSON file that ``text`` names.

    Returns:
        The spec, and a sentence about what was assumed, if anything.

    Raises:
        NotFound: no such file. CheckpointError: not JSON, a field that is missing, unknown or out
            of range.
    """
    record = _read(text)
    _refuse_unknown(record)
    for name, question in (
        ("input_size", "the side of the square that the network takes"),
        ("color", "gray, rgb or bgr: what the network was trained on"),
    ):
        if name not in record:
            raise _unclear(f"--preprocess does not say {name}: {question}.")
    mean, std = _normalisation(record)
    spec = PreprocessSpec(
        crop_margin=_number(record, "crop_margin", float, _DEFAULTS.crop_margin),
        input_size=_number(record, "input_size", int, _DEFAULTS.input_size),
        resize=record.get("resize", _DEFAULTS.resize),
        color=_color(record["color"]),
        mean=mean,
        std=std,
    )
    if "crop_margin" in record:
        return spec, None
    return spec, (
        f"--preprocess does not say crop_margin, so {spec.crop_margin:g} is assumed: an app cuts "
        f"a square of {1 + spec.crop_margin:g} times the face box. Say 0 if the faces that it "
        "learned from were cut at the box itself."
    )


def _read(text: str) -> dict[str, Any]:
    if not text.lstrip().startswith("{"):
        if not Path(text).is_file():
            raise NotFound(
                f"There is no preprocess file {text}.",
                hint="--preprocess takes a JSON file or JSON text that starts with '{', for "
                f"example {_EXAMPLE}.",
            )
        try:
            text = Path(text).read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise CheckpointError(f"{text} is not JSON: it is not UTF-8 text.") from error
    try:
        values = json.loads(text)
    except ValueError as error:
        raise CheckpointError(
            f"--preprocess is not JSON: {error}.", hint=f"For example {_EXAMPLE}."
        ) from error
    if not isinstance(values, dict):
        raise CheckpointError("--preprocess must be a JSON object.", hint=f"Such as {_EXAMPLE}.")
    return values


def _refuse_unknown(record: Mapping[str, Any]) -> None:
    for name in record:
        if name not in _FIELDS:
            near = difflib.get_close_matches(name.lower(), _FIELDS, n=1)
            meant = f" Did you mean {near[0]}?" if near else ""
            raise _unclear(f"--preprocess has an unknown field {name!r}.{meant}")


def _normalisation(
    record: Mapping[str, Any],
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and deviation on the 0..1 scale."""
    scale = record.get("scale")
    own = [name for name in ("mean", "std") if name in record]
    if scale is None:
        if len(own) < 2:
            missing = " and ".join(name for name in ("mean", "std") if name not in own)
            raise _unclear(f"--preprocess does not say {missing}, nor scale.")
        mean, std = _triple(record, "mean"), _triple(record, "std")
        largest = max(*mean, *std)
        if largest > 1:
            raise _unclear(
                f"--preprocess has a mean or std of {largest:g}, which is not on the 0..1 scale."
                ' If they are for pixels from 0 to 255, add "scale": "0..255".'
            )
        return mean, std
    if scale not in SCALES:
        raise _unclear(f"--preprocess.scale is {scale!r}.")
    if not own:
        return _threefold(SCALES[scale][0]), _threefold(SCALES[scale][1])
    if scale not in ("0..1", "0..255"):
        raise _unclear(f"--preprocess has both scale {scale!r} and {' and '.join(own)}.")
    unit = 255.0 if scale == "0..255" else 1.0
    # Without one of them: nothing is subtracted, or divided.
    subtracted = _triple(record, "mean") if "mean" in own else (0.0,)
    divisor = _triple(record, "std") if "std" in own else (1.0,)
    return _threefold([v / unit for v in subtracted]), _threefold([v / unit for v in divisor])


def _triple(record: Mapping[str, Any], name: str) -> tuple[float, float, float]:
    value = record[name]
    numbers = value if isinstance(value, list) else [value]
    if len(numbers) not in (1, 3) or not all(
        isinstance(number, (int, float)) and not isinstance(number, bool) for number in numbers
    ):
        raise _unclear(f"--preprocess.{name} is {value!r}; expected one number or three.")
    return _threefold([float(number) for number in numbers])


def _threefold(values: Sequence[float]) -> tuple[float, float, float]:
    first, second, third = values if len(values) == 3 else (values[0],) * 3
    return first, second, third


def _number(
    record: Mapping[str, Any], name: str, kind: Callable[[Any], Any], default: float
) -> Any:
    value = record.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or kind(value) != value:
        raise _unclear(f"--preprocess.{name} is {value!r}; expected a number.")
    return kind(value)


def _color(value: Any) -> Color:
    word = str(value).lower().replace("grey", "gray")
    word = "gray" if word in ("grayscale", "l") else word
    if word not in get_args(Color):
        raise _unclear(f"--preprocess.color is {value!r}.")
    return cast(Color, word)


def _unclear(message: str) -> CheckpointError:
    return CheckpointError(message, hint=f"Allowed: {_ALLOWED}. For example {_EXAMPLE}.")
