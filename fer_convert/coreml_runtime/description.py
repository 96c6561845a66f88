"""What a saved model says about itself: inputs, outputs, class label names, metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fer_convert.coreml_runtime.errors import ArtefactError, UnsupportedOperation

ColorLayout = Literal["RGB", "BGR", "GRAYSCALE"]
FeatureKind = Literal["image", "array", "dictionary", "string", "int64", "double"]

_COLOR_LAYOUTS: Mapping[int, ColorLayout] = {10: "GRAYSCALE", 20: "RGB", 30: "BGR"}
_KINDS: Mapping[str, FeatureKind] = {
    "imageType": "image",
    "multiArrayType": "array",
    "dictionaryType": "dictionary",
    "stringType": "string",
    "int64Type": "int64",
    "doubleType": "double",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One declared input or output.

    ``width``, ``height`` (pixels) and ``color_layout`` belong to images, ``shape`` to arrays.
    """

    name: str
    kind: FeatureKind
    width: int = 0
    height: int = 0
    color_layout: ColorLayout | None = None
    shape: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """The texts Xcode shows; ``user`` is the ``userDefined`` dictionary."""

    author: str
    license: str
    version: str
    description: str
    user: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """``label_name`` and ``probabilities_name`` are empty unless the model is a classifier."""

    inputs: tuple[Feature, ...]
    outputs: tuple[Feature, ...]
    label_name: str
    probabilities_name: str
    metadata: Metadata


def read_description(spec: Any) -> Description:
    """Read ``Model.description``.

    Raises:
        ArtefactError: a feature without a type or with impossible sizes. UnsupportedOperation: a
        feature the runtime cannot feed (flexible sizes, 16-bit grey, state).
    """
    message = spec.description
    if message.functions or message.state:
        raise UnsupportedOperation("Models with several functions or with state are not supported.")
    meta = message.metadata
    return Description(
        inputs=tuple(_feature(entry) for entry in message.input),
        outputs=tuple(_feature(entry) for entry in message.output),
        label_name=message.predictedFeatureName,
        probabilities_name=message.predictedProbabilitiesName,
        metadata=Metadata(
            author=meta.author,
            license=meta.license,
            version=meta.versionString,
            description=meta.shortDescription,
            user=dict(meta.userDefined),
        ),
    )


def _feature(entry: Any) -> Feature:
    which = entry.type.WhichOneof("Type")
    kind = _KINDS.get(which or "")
    if kind is None:
        raise UnsupportedOperation(
            f"Feature '{entry.name}' has type {which}, which is not supported."
        )
    if kind == "image":
        return _image(entry)
    if kind == "array":
        return Feature(
            name=entry.name, kind=kind, shape=tuple(int(n) for n in entry.type.multiArrayType.shape)
        )
    return Feature(name=entry.name, kind=kind)


def _image(entry: Any) -> Feature:
    image = entry.type.imageType
    if image.WhichOneof("SizeFlexibility"):
        raise UnsupportedOperation(
            f"Image '{entry.name}' allows several sizes; only one fixed size is supported."
        )
    layout = _COLOR_LAYOUTS.get(image.colorSpace)
    if layout is None:
        raise UnsupportedOperation(
            f"Image '{entry.name}' has colour space {image.colorSpace}; "
            f"supported: {', '.join(_COLOR_LAYOUTS.values())}."
        )
    if image.width < 1 or image.height < 1:
        raise ArtefactError(f"Image '{entry.name}' declares {image.width} x {image.height} pixels.")
    return Feature(
        name=entry.name,
        kind="image",
        width=int(image.width),
        height=int(image.height),
        color_layout=layout,
    )
