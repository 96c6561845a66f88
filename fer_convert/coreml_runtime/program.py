"""A loaded model: what it declares, and running it."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fer_convert.coreml_runtime.description import Description, Feature, Metadata
from fer_convert.coreml_runtime.element_types import Array
from fer_convert.coreml_runtime.errors import ArtefactError, RefusedInput
from fer_convert.coreml_runtime.graph import Graph
from fer_convert.coreml_runtime.images import feed

if TYPE_CHECKING:
    from fer_convert.coreml_runtime.plan import Plan
    from fer_convert.coreml_runtime.registry import Precision, Table

Format = Literal["neuralnetwork", "mlprogram"]

# What may stand between the last softmax and the scores: these pass values on unchanged.
_TRANSPARENT = {"cast", "copy", "reshape", "reshapeStatic", "squeeze", "identity"}


class Program:
    """A saved Core ML model, ready to run; made by `load`.

    It computes in fp32 on the CPU and emulates fp16 by rounding: evidence about the file, not about
    the Neural Engine.
    """

    def __init__(
        self,
        *,
        path: Path,
        format: Format,
        spec_version: int,
        description: Description,
        graph: Graph,
        table: Table,
    ) -> None:
        self.path = path
        self.format: Format = format
        self.spec_version = spec_version
        self.graph = graph
        self._description = description
        self._table = table
        self._plans: dict[Precision, Plan] = {}

    @property
    def metadata(self) -> Metadata:
        return self._description.metadata

    @property
    def inputs(self) -> tuple[Feature, ...]:
        return self._description.inputs

    @property
    def outputs(self) -> tuple[Feature, ...]:
        return self._description.outputs

    @property
    def labels(self) -> tuple[str, ...]:
        """Class labels in the order of the scores; empty if the model is no classifier."""
        return self.graph.classifier.labels if self.graph.classifier else ()

    @property
    def label_name(self) -> str:
        """Name of the output that is the label, e.g. ``classLabel``; empty if no classifier."""
        return self._description.label_name

    @property
    def probabilities_name(self) -> str:
        """Name of the output dictionary of scores, e.g. ``classLabel_probs``; or empty."""
        return self._description.probabilities_name

    @property
    def operation_counts(self) -> Mapping[str, int]:
        """How often each operation or layer type of the file occurs, constants included."""
        return dict(self.graph.counts)

    @cached_property
    def logits_name(self) -> str | None:
        """The value that the final softmax reads, for ``capture``; None without a softmax."""
        producers = {o.name: op for op in self.graph.operations for o in op.outputs}
        scores = self.graph.classifier.scores if self.graph.classifier else None
        name = scores or (self.graph.outputs[0] if self.graph.outputs else "")
        while name in producers:
            operation = producers[name]
            # The value worked on is called `x` or `input`; a reshape may read its shape, too.
            source = (operation.arguments.get("x") or operation.arguments.get("input") or ("",))[0]
            if operation.type.startswith("softmax"):
                return source if isinstance(source, str) else None
            if operation.type not in _TRANSPARENT or not isinstance(source, str):
                return None
            name = source
        return None

    def run(
        self,
        inputs: Mapping[str, Any],
        *,
        precision: Precision = "declared",
        capture: Collection[str] = (),
    ) -> dict[str, Array]:
        """Run the model on one set of inputs.

        Args:
            inputs: by name, whatever `images.feed` takes. Core ML's image inputs hold one image.
            precision: ``declared`` rounds what the file declares fp16; ``fp32`` rounds nothing;
                ``fp16`` rounds weights, inputs and every result.
            capture: names of intermediate values to return as well.

        Returns:
            Float arrays: the model's array outputs by name, a classifier's scores in label order
            ``[labels]`` under `probabilities_name`, and the captured values under their own names.

        Raises:
            RefusedInput: an input is missing, unknown, or not as declared; an unknown capture.
            ExecutionFailed: an operation failed, or the number of scores is not that of labels.
            UnsupportedOperation: an operation uses an option the runtime lacks.
        """
        self._check_names("input", inputs, [feature.name for feature in self.inputs], exactly=True)
        self._check_names("value", capture, self._value_names, exactly=False)
        feeds = {feature.name: feed(feature, inputs[feature.name]) for feature in self.inputs}
        values = self._plan(precision).run(feeds, capture=capture)
        result = {name: values[name].numpy() for name in (*self.graph.outputs, *capture)}
        if self.graph.classifier:
            scores = values[self.graph.classifier.scores].numpy().reshape(-1)
            if scores.size != len(self.labels):
                raise ArtefactError(
                    f"{self.path} has {len(self.labels)} labels and computes {scores.size} scores."
                )
            # In a NeuralNetwork the dictionary may bear the name of the value it is made of.
            result.setdefault(self.probabilities_name, scores)
        return result

    def predict(
        self, inputs: Mapping[str, Any], *, precision: Precision = "declared"
    ) -> dict[str, Any]:
        """Answer as ``coremltools``' ``MLModel.predict`` does on a Mac.

        Returns:
            For a classifier ``{label_name: str, probabilities_name: {label: float}}``, else the
            output arrays by name. Equal scores: the first label wins.

        Raises:
            RefusedInput, ExecutionFailed, UnsupportedOperation: see `run`.
        """
        result: dict[str, Any] = dict(self.run(inputs, precision=precision))
        if self.graph.classifier:
            scores = result[self.probabilities_name].reshape(-1).tolist()
            result[self.probabilities_name] = dict(zip(self.labels, scores, strict=True))
            result[self.label_name] = self.labels[scores.index(max(scores))]
        return result

    def _plan(self, precision: Precision) -> Plan:
        from fer_convert.coreml_runtime.plan import make_plan

        if precision not in self._plans:
            self._plans[precision] = make_plan(self.graph, self._table, precision)
        return self._plans[precision]

    @cached_property
    def _value_names(self) -> list[str]:
        computed = [o.name for op in self.graph.operations for o in op.outputs]
        return [*(value.name for value in self.graph.inputs), *computed]

    def _check_names(
        self, what: str, given: Collection[str], known: Collection[str], *, exactly: bool
    ) -> None:
        for name in given:
            if name not in known:
                close = difflib.get_close_matches(name, list(known), n=3) or sorted(known)[:3]
                raise RefusedInput(
                    f"{self.path} has no {what} '{name}'.",
                    hint=f"Did you mean: {', '.join(close)}?",
                )
        missing = [name for name in known if name not in given] if exactly else []
        if missing:
            raise RefusedInput(
                f"{self.path} needs the {what} {', '.join(missing)}, which is missing."
            )
