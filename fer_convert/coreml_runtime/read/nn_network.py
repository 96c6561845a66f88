"""NeuralNetwork to graph: layers in order, image preprocessing as an operation in front.

What a layer becomes is its recipe's affair (`nn_lowering`). Layers count their axes from the end,
so they need not know whether their values have the exact shapes that converters since 2020
declare, or the five dimensions of older models: only inputs and outputs differ (`images`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

from fer_convert.coreml_runtime.description import Description, Feature
from fer_convert.coreml_runtime.element_types import TYPES
from fer_convert.coreml_runtime.errors import ArtefactError, UnsupportedOperation
from fer_convert.coreml_runtime.graph import Classifier, Graph, Operation, Value
from fer_convert.coreml_runtime.images import lifted
from fer_convert.coreml_runtime.limits import check_labels
from fer_convert.coreml_runtime.read.nn_lowering import RECIPES
from fer_convert.coreml_runtime.read.nn_lowering.layer import Layer, lower_layer
from fer_convert.coreml_runtime.read.nn_weights import take_weights
from fer_convert.coreml_runtime.read.wire import Payloads

FLAVOURS = ("neuralNetwork", "neuralNetworkClassifier", "neuralNetworkRegressor")


_COMPUTED = {"array", "image", "double", "int64"}  # the kinds of outputs that layers compute


def read_network(spec: Any, description: Description, payloads: Payloads) -> Graph:
    """Read the network of ``spec``, whose weights are in ``payloads``.

    Raises:
        ArtefactError: a layer reads what nothing defined, or two write the same value.
        UnsupportedOperation: layers that have no recipe, all of them named; an input that is
            neither an image nor an array.
    """
    network = getattr(spec, spec.WhichOneof("Type"))
    # First of all: what the runtime lacks may hold networks of its own, whose values are unknown.
    RECIPES.check((_kind(layer), layer.name) for layer in _with_nested(network))
    inputs = tuple(_input(feature) for feature in description.inputs)
    inner_names = _inner_names(network, description)
    prepared, renamed = _preprocessing(network, description, inner_names)
    operations = [*prepared]
    feeds = {value.name for value in inputs}
    defined, written = feeds | set(renamed.values()), set(feeds)
    replaced: set[str] = set()
    last_writer = {name: i for i, layer in enumerate(network.layers) for name in layer.output}
    last_reader = {name: i for i, layer in enumerate(network.layers) for name in layer.input}
    counts = Counter(entry.WhichOneof("preprocessor") or "none" for entry in network.preprocessing)
    for number, message in enumerate(network.layers):
        counts[message.WhichOneof("layer") or "none"] += 1
        layer = _layer(message, renamed, payloads, inner_names)
        for value in layer.inputs:
            if value.name not in defined:
                raise ArtefactError(
                    f"Layer '{layer.name}' reads '{value.name}', which nothing before it defines."
                )
        for name in message.output:
            # A copy may overwrite a value. So may any layer an input that is read no more, which
            # is how converters hand one on. What is overwritten goes by another name.
            read_again = last_reader.get(name, -1) >= number
            may_replace = (name in feeds - replaced and not read_again) or layer.kind == "copy"
            if name in written and (name in message.input or not may_replace):
                raise ArtefactError(f"The value '{name}' is defined twice.")
            if name in written and layer.kind != "copy":
                replaced.add(name)
            written.add(name)
            renamed.pop(name, None)
            if last_writer[name] != number or name in feeds:
                renamed[name] = f"{name} (written by layer {number})"
            defined.add(renamed.get(name, name))
        results = [renamed.get(name, name) for name in message.output]
        operations += lower_layer(RECIPES.functions[layer.kind], layer, results)
    classifier = _classifier(network, spec, defined, renamed)
    label = description.label_name if classifier else ""
    outputs = tuple(o.name for o in description.outputs if o.kind in _COMPUTED and o.name != label)
    for name in outputs:
        if name not in defined or (name in renamed and name not in replaced):
            raise ArtefactError(f"The model's output '{name}' is not computed by any layer.")
    return Graph(
        inputs=inputs,
        outputs=outputs,
        operations=tuple(operations),
        classifier=classifier,
        counts=counts,
        renamed={name: renamed[name] for name in outputs if name in renamed},
    )


def _with_nested(network: Any) -> Iterator[Any]:
    """The layers of a network that have a type, and those of the networks inside them."""
    networks = [network]
    while networks:
        for layer in networks.pop().layers:
            kind = layer.WhichOneof("layer")
            if kind is not None:
                yield layer
            if kind in {"branch", "loop"}:
                fields = getattr(layer, kind).ListFields()
                networks += [inner for _, inner in fields if hasattr(inner, "layers")]


def _inner_names(network: Any, description: Description) -> Callable[[], str]:
    """Names that no value of the file has."""
    taken = {feature.name for feature in (*description.inputs, *description.outputs)}
    taken |= {name for layer in network.layers for name in (*layer.input, *layer.output)}
    numbers = count()
    return lambda: next(name for name in (f"#{n}" for n in numbers) if name not in taken)


def _input(feature: Feature) -> Value:
    shape: tuple[int | None, ...]
    if feature.kind == "image":
        ones = (1, 1) if feature.five_dimensional else (1,)
        shape = (*ones, feature.channels, *feature.shapes.dimensions)
    elif feature.kind == "array":
        shape = feature.shapes.dimensions
        shape = lifted(shape, feature.name) if feature.five_dimensional else shape
    else:
        raise UnsupportedOperation(
            f"Input '{feature.name}' is a {feature.kind}, not an image or array."
        )
    return Value(name=feature.name, element=TYPES["fp32"], shape=shape)


def _preprocessing(
    network: Any, description: Description, inner_names: Callable[[], str]
) -> tuple[list[Operation], dict[str, str]]:
    """Preprocessing entries as operations, and what the layers' input names become."""
    operations: list[Operation] = []
    renamed: dict[str, str] = {}
    images = {feature.name: feature for feature in description.inputs if feature.kind == "image"}
    for entry in network.preprocessing:
        name = entry.featureName or next(iter(images), "")  # empty means the first image
        if name not in images:
            raise ArtefactError(
                f"Preprocessing is declared for '{name}', which is not an image input."
            )
        kind = entry.WhichOneof("preprocessor") or "none"
        source = renamed.get(name, name)
        renamed[name] = f"{source} ({kind})"
        layer = Layer(
            kind=kind,
            name=f"{kind} of {name}",
            params=(getattr(entry, kind), images[name]) if kind != "none" else None,
            inputs=[_result(source)],
            weights={},
            count=1,
            inner_name=inner_names,
        )
        RECIPES.check([(kind, layer.name)])
        operations += lower_layer(RECIPES.functions[kind], layer, [renamed[name]])
    return operations, renamed


def _layer(
    layer: Any, renamed: dict[str, str], payloads: Payloads, inner_names: Callable[[], str]
) -> Layer:
    if layer.WhichOneof("layer") is None:
        raise ArtefactError(f"Layer '{layer.name}' has no type this version of coremltools knows.")
    params = getattr(layer, layer.WhichOneof("layer"))
    _check_choices(params, layer.name)
    weights = take_weights(params, layer.name, payloads)
    return Layer(
        kind=_kind(layer),
        name=layer.name,
        params=params,
        inputs=[_result(renamed.get(name, name)) for name in layer.input],
        weights=weights,
        count=len(layer.output),
        inner_name=inner_names,
    )


def _kind(layer: Any) -> str:
    kind = str(layer.WhichOneof("layer"))
    if kind != "activation":
        return kind
    return f"activation.{layer.activation.WhichOneof('NonlinearityType') or 'none'}"


def _check_choices(message: Any, layer: str) -> None:
    """A mode that the specification does not number is none of those that it does."""
    for field, value in message.ListFields():
        if field.enum_type is not None:
            known = field.enum_type.values_by_number
            if value not in known:
                allowed = ", ".join(f"{number} ({known[number].name})" for number in known)
                raise ArtefactError(f"Layer '{layer}' has {field.name} {value}; {allowed} can be.")
        elif hasattr(value, "ListFields"):
            _check_choices(value, layer)


def _result(name: str) -> Value:
    return Value(name=name, element=TYPES["fp32"], shape=None)


def _classifier(
    network: Any, spec: Any, defined: set[str], renamed: dict[str, str]
) -> Classifier | None:
    if spec.WhichOneof("Type") != "neuralNetworkClassifier":
        return None
    kind = network.WhichOneof("ClassLabels")
    if kind is None:
        raise ArtefactError("The classifier has no labels.")
    scores = network.labelProbabilityLayerName or _result_of_last_layer(network)
    if scores not in defined:
        raise ArtefactError(
            f"The classifier takes its scores from '{scores}', which no layer computes."
        )
    labels = getattr(network, kind).vector
    check_labels(len(labels))
    return Classifier(scores=renamed.get(scores, scores), labels=tuple(labels))


def _result_of_last_layer(network: Any) -> str:
    """What Core ML takes for the scores where a file names none: old files do not."""
    outputs: Sequence[str] = network.layers[-1].output if network.layers else ()
    if len(outputs) != 1:
        raise ArtefactError(
            f"The classifier names no value with its scores, and its last layer, which Core ML "
            f"then takes, computes {len(outputs)}.",
            hint="Write the name of one into labelProbabilityLayerName.",
        )
    return outputs[0]
