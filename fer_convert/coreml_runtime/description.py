"""What a saved model says about itself: inputs, outputs, class label names, metadata."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from fer_convert.coreml_runtime.element_types import TYPES, ElementType
from fer_convert.coreml_runtime.errors import ArtefactError, UnsupportedOperation
from fer_convert.coreml_runtime.sizes import AllowedShapes, read_array_shapes, read_image_sizes

ColorLayout = Literal["RGB", "BGR", "GRAYSCALE", "GRAYSCALE_FLOAT16"]
FeatureKind = Literal["image", "array", "dictionary", "string", "int64", "double"]

_COLOR_LAYOUTS: Mapping[int, ColorLayout] = {
    10: "GRAYSCALE",
    20: "RGB",
    30: "BGR",
    40: "GRAYSCALE_FLOAT16",
}
_KINDS: Mapping[str, FeatureKind] = {
    "imageType": "image",
    "multiArrayType": "array",
    "dictionaryType": "dictionary",
    "stringType": "string",
    "int64Type": "int64",
    "doubleType": "double",
}
_FIVE_DIMENSIONS = 0  # RANK5_ARRAY_MAPPING, RANK5_IMAGE_MAPPING
# ArrayFeatureType.ArrayDataType; 0 is what files without a declared type hold.
_ARRAY_TYPES: Mapping[int, str] = {
    0: "fp32",
    65552: "fp16",
    65568: "fp32",
    65600: "fp64",
    131080: "int8",
    131104: "int32",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One declared input or output.

    ``color_layout`` belongs to images. ``shapes`` says what an image (height, width) or an array
    may measure, ``element`` what an array holds. ``default`` fills an optional array that is not
    given. ``five_dimensional`` says that the network computes it in the mapping of
    `five_dimensions`.
    """

    name: str
    kind: FeatureKind
    color_layout: ColorLayout | None = None
    shapes: AllowedShapes = field(default_factory=AllowedShapes)
    element: ElementType = TYPES["fp32"]
    optional: bool = False
    default: float = 0.0
    five_dimensional: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that a caller without a preference should use; images: (height, width)."""
        return self.shapes.default

    @property
    def width(self) -> int:
        """Pixels; of an image only."""
        return self.shapes.default[1]

    @property
    def height(self) -> int:
        """Pixels; of an image only."""
        return self.shapes.default[0]

    @property
    def channels(self) -> int:
        """Of an image only."""
        return 3 if self.color_layout in {"RGB", "BGR"} else 1


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


def read_description(spec: Any, function: str | None = None) -> Description:
    """Read ``Model.description``, or one of its functions.

    Args:
        function: None takes the model's only or default function.

    Raises:
        ArtefactError: a feature without a type or with impossible sizes, an unknown function.
        UnsupportedOperation: a feature the runtime cannot feed (state, sequences).
    """
    message = spec.description
    declared = _function(message, function)
    if declared.state:
        names = ", ".join(entry.name for entry in declared.state)
        raise UnsupportedOperation(f"The model keeps state ({names}), which is not supported.")
    meta = message.metadata
    old = _old_mappings(spec)
    return Description(
        inputs=tuple(_feature(entry, old) for entry in declared.input),
        outputs=tuple(_feature(entry, old) for entry in declared.output),
        label_name=declared.predictedFeatureName,
        probabilities_name=declared.predictedProbabilitiesName,
        metadata=Metadata(
            author=meta.author,
            license=meta.license,
            version=meta.versionString,
            description=meta.shortDescription,
            user=dict(meta.userDefined),
        ),
    )


def function_name(spec: Any, wanted: str | None) -> str:
    """The function to run: ``wanted``, else the default one, else ``main``."""
    return wanted or spec.description.defaultFunctionName or "main"


def _function(message: Any, wanted: str | None) -> Any:
    """The part of the description that lists features: a function's, or the model's own."""
    if not message.functions:
        if wanted not in {None, "main"}:
            raise ArtefactError(f"The model has one function, main, and no '{wanted}'.")
        return message
    name = wanted or message.defaultFunctionName or "main"
    known = {f.name: f for f in message.functions}
    if name not in known:
        raise ArtefactError(f"The model has the functions {sorted(known)}, and no '{name}'.")
    return known[name]


def _old_mappings(spec: Any) -> Collection[FeatureKind]:
    """The kinds of features that have five dimensions: in a NeuralNetwork which does not say
    otherwise."""
    type_name = spec.WhichOneof("Type") or ""
    if not type_name.startswith("neuralNetwork"):
        return ()
    network = getattr(spec, type_name)
    mappings: dict[FeatureKind, int] = {
        "array": network.arrayInputShapeMapping,
        "image": network.imageInputShapeMapping,
    }
    return [kind for kind, mapping in mappings.items() if mapping == _FIVE_DIMENSIONS]


def _feature(entry: Any, old: Collection[FeatureKind]) -> Feature:
    which = entry.type.WhichOneof("Type")
    kind = _KINDS.get(which or "")
    if kind is None:
        raise UnsupportedOperation(
            f"Feature '{entry.name}' has type {which}, which is not supported."
        )
    if kind == "image":
        return _image(entry, five_dimensional=kind in old)
    if kind == "array":
        return _array(entry, five_dimensional=kind in old)
    return Feature(name=entry.name, kind=kind, optional=entry.type.isOptional)


def _array(entry: Any, *, five_dimensional: bool) -> Feature:
    array = entry.type.multiArrayType
    if array.dataType not in _ARRAY_TYPES:
        raise UnsupportedOperation(
            f"Array '{entry.name}' has element type {array.dataType} of FeatureTypes.proto."
        )
    default = array.WhichOneof("defaultOptionalValue")
    return Feature(
        name=entry.name,
        kind="array",
        shapes=read_array_shapes(array, entry.name),
        element=TYPES[_ARRAY_TYPES[array.dataType]],
        optional=entry.type.isOptional,
        default=float(getattr(array, default)) if default else 0.0,
        five_dimensional=five_dimensional,
    )


def _image(entry: Any, *, five_dimensional: bool) -> Feature:
    image = entry.type.imageType
    layout = _COLOR_LAYOUTS.get(image.colorSpace)
    if layout is None:
        raise UnsupportedOperation(
            f"Image '{entry.name}' has colour space {image.colorSpace}; "
            f"supported: {', '.join(_COLOR_LAYOUTS.values())}."
        )
    return Feature(
        name=entry.name,
        kind="image",
        color_layout=layout,
        shapes=read_image_sizes(image, entry.name),
        optional=entry.type.isOptional,
        five_dimensional=five_dimensional,
    )
