"""A loaded model: what it declares, and running it in one of two engines."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from fer_convert.coreml_runtime.answer import Answer, Label, answer_of
from fer_convert.coreml_runtime.description import Description, Feature, Metadata
from fer_convert.coreml_runtime.differences import differences
from fer_convert.coreml_runtime.element_types import Array
from fer_convert.coreml_runtime.errors import (
    ArtefactError,
    ExecutionFailed,
    RefusedInput,
    UnsupportedOperation,
)
from fer_convert.coreml_runtime.graph import Graph
from fer_convert.coreml_runtime.images import feed

if TYPE_CHECKING:
    from torch import Tensor

    from fer_convert.coreml_runtime.fast import FastEngine, NotLowered
    from fer_convert.coreml_runtime.reference.operations import Precision, Table
    from fer_convert.coreml_runtime.reference.plan import Plan

Format = Literal["neuralnetwork", "mlprogram"]
Engine = Literal["auto", "reference", "fast"]

_SOFTMAX = {"softmax", "layer:softmax"}
# What may stand between the last softmax and the scores: these pass values on unchanged.
_TRANSPARENT = {"cast", "identity", "layer:at_least_one_axis", "reshape", "squeeze"}


class Program:
    """A saved Core ML model, ready to run; made by `load`.

    The *reference* engine runs one operation after another, in any precision, and shows every value
    on the way; the *fast* engine hands the whole graph to onnxruntime, in fp32. Both compute on the
    CPU: evidence about the file, not about the Neural Engine.
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
        self._fast: FastEngine | None = None
        self._refusal: NotLowered | None = None  # of the fast engine
        self._lifts = True  # as far as is known, every operation can be lifted over many inputs

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
    def labels(self) -> tuple[Label, ...]:
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

    @property
    def differences(self) -> tuple[str, ...]:
        """One sentence per operation that Core ML is known to compute otherwise than PyTorch."""
        return differences(self.graph)

    @cached_property
    def logits_name(self) -> str | None:
        """The value that the final softmax reads, for ``capture``; None without a softmax."""
        producers = {o.name: op for op in self.graph.operations for o in op.outputs}
        scores = self.graph.classifier.scores if self.graph.classifier else None
        name = scores or next(map(self.graph.value_of, self.graph.outputs), "")
        while name in producers:
            operation = producers[name]
            source = operation.arguments.get("x", ("",))[0]  # a reshape may read its shape, too
            if operation.type in _SOFTMAX:
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
        """Run the model on one set of inputs, in the reference engine.

        Args:
            inputs: by name, whatever `images.feed` takes; optional ones may be left out.
            precision: ``declared`` rounds what the file declares fp16; ``fp32`` rounds nothing;
                ``fp16`` rounds weights, inputs and every result.
            capture: names of intermediate values to return as well.

        Returns:
            Arrays (fp32 for every float type): the model's outputs by name, a classifier's scores
            in label order ``[labels]`` under `probabilities_name`, and the captured values under
            their own names.

        Raises:
            RefusedInput: an input is missing, unknown, or not as declared; an unknown capture.
            ExecutionFailed: an operation failed, or the number of scores is not that of labels.
            UnsupportedOperation: an operation uses an option the runtime lacks.
        """
        self._check_known("value", capture, self._value_names)
        values = self._plan(precision).run(self._feeds(inputs), capture=capture)
        return self._results({name: value.numpy() for name, value in values.items()}, capture)

    def run_many(
        self,
        inputs: Sequence[Mapping[str, Any]],
        *,
        precision: Precision = "declared",
        capture: Collection[str] = (),
    ) -> list[dict[str, Array]]:
        """Run the model on several sets of inputs: what `run` returns for each, computed together.

        A saved graph is written for one set; every operation of it is lifted over them all
        (`torch.vmap`), so that no shape of the file is touched. Where an operation cannot be
        lifted, one set is run after another, as ever after.

        Raises:
            RefusedInput, ExecutionFailed, UnsupportedOperation: see `run`.
        """
        self._check_known("value", capture, self._value_names)
        feeds = [self._feeds(one) for one in inputs]
        if len(feeds) > 1 and self._lifts:
            try:
                return self._lifted(feeds, precision, capture)
            except ExecutionFailed:
                self._lifts = False
        return [
            self._results({n: v.numpy() for n, v in values.items()}, capture)
            for values in (self._plan(precision).run(one, capture=capture) for one in feeds)
        ]

    def _lifted(
        self, feeds: Sequence[Mapping[str, Tensor]], precision: Precision, capture: Collection[str]
    ) -> list[dict[str, Array]]:
        stacked = {name: [one[name] for one in feeds] for name in feeds[0]}
        values = self._plan(precision).run_lifted(stacked, capture=capture)
        return [
            self._results({name: value[i].numpy() for name, value in values.items()}, capture)
            for i in range(len(feeds))
        ]

    @overload
    def predict(
        self,
        inputs: Mapping[str, Any],
        *,
        engine: Engine = ...,
        precision: Precision | None = ...,
    ) -> Answer: ...

    @overload
    def predict(
        self,
        inputs: list[Mapping[str, Any]],
        *,
        engine: Engine = ...,
        precision: Precision | None = ...,
    ) -> list[Answer]: ...

    def predict(
        self,
        inputs: Mapping[str, Any] | list[Mapping[str, Any]],
        *,
        engine: Engine = "auto",
        precision: Precision | None = None,
    ) -> Answer | list[Answer]:
        """Answer as ``coremltools``' ``MLModel.predict`` does on a Mac.

        Args:
            inputs: see `run`; a list of such dictionaries is answered with a list.
            engine: ``auto`` takes the fast engine where it has every operation of the model and
                ``precision`` allows it, else the reference engine.
            precision: None means fp32 in the fast engine and ``declared`` in the reference engine.

        Returns:
            A dictionary: for a classifier ``{label_name: label, probabilities_name: {label:
            float}}``, other outputs by name as arrays of the declared element type or as pictures.
            Equal scores: the first label wins. Its ``engine`` and ``precision`` say how it was
            computed.

        Raises:
            RefusedInput, ExecutionFailed, UnsupportedOperation: see `run`. A fast engine that was
                asked for by name and lacks an operation is an UnsupportedOperation.
        """
        if isinstance(inputs, list):
            return [self.predict(one, engine=engine, precision=precision) for one in inputs]
        feeds = self._feeds(inputs)
        fast = self._fast_engine(engine, precision)
        used: Precision = "fp32" if fast else precision or "declared"
        if fast:
            values = fast.run({name: feed.numpy() for name, feed in feeds.items()})
        else:
            plan = self._plan(used)
            values = {n: v.numpy() for n, v in plan.run(feeds, capture=()).items()}
        try:
            return answer_of(
                self._results(values, ()),
                outputs=self.outputs,
                labels=self.labels,
                label_name=self.label_name,
                probabilities_name=self.probabilities_name,
                engine="fast" if fast else "reference",
                precision=used,
            )
        except MemoryError as error:
            raise ExecutionFailed(f"The outputs of {self.path} do not fit in memory.") from error

    def _results(self, values: Mapping[str, Array], capture: Collection[str]) -> dict[str, Array]:
        result = {name: values[self.graph.value_of(name)] for name in self.graph.outputs}
        result |= {name: values[name] for name in capture if name not in result}
        if self.graph.classifier:
            scores = values[self.graph.classifier.scores].reshape(-1)
            if scores.size != len(self.labels):
                raise ArtefactError(
                    f"{self.path} has {len(self.labels)} labels and computes {scores.size} scores."
                )
            # In a NeuralNetwork the dictionary may bear the name of the value it is made of.
            result.setdefault(self.probabilities_name, scores)
        return result

    def _fast_engine(self, engine: Engine, precision: Precision | None) -> FastEngine | None:
        """The fast engine where it is wanted and possible; loaded once."""
        if engine == "reference":
            return None
        if precision not in {None, "fp32"}:
            if engine == "fast":
                raise RefusedInput(
                    f"The fast engine computes in fp32, not in {precision}.",
                    hint="Leave the precision out, or use engine='reference'.",
                )
            return None
        if self._fast is None and self._refusal is None:
            from fer_convert.coreml_runtime.fast import FastEngine, NotLowered

            try:
                self._fast = FastEngine(self.graph)
            except NotLowered as error:
                self._refusal = error
        if self._refusal is not None and engine == "fast":
            raise UnsupportedOperation(str(self._refusal)) from self._refusal
        return self._fast

    def _feeds(self, inputs: Mapping[str, Any]) -> dict[str, Tensor]:
        self._check_known("input", inputs, [feature.name for feature in self.inputs])
        missing = [f.name for f in self.inputs if f.name not in inputs and not f.optional]
        if missing:
            raise RefusedInput(
                f"{self.path} needs the input {', '.join(missing)}, which is missing."
            )
        feeds = {f.name: feed(f, inputs.get(f.name)) for f in self.inputs}
        if self.format == "neuralnetwork":  # whose layers compute declared integers in fp32, too
            return {name: tensor.float() for name, tensor in feeds.items()}
        return feeds

    def _plan(self, precision: Precision) -> Plan:
        from fer_convert.coreml_runtime.reference.plan import make_plan

        if precision not in self._plans:
            self._plans[precision] = make_plan(self.graph, self._table, precision)
        return self._plans[precision]

    @cached_property
    def _value_names(self) -> list[str]:
        computed = [o.name for op in self.graph.operations for o in op.outputs if not o.inner]
        return [*(value.name for value in self.graph.inputs), *computed]

    def _check_known(self, what: str, given: Collection[str], known: Collection[str]) -> None:
        for name in given:
            if name not in known:
                close = difflib.get_close_matches(name, list(known), n=3) or sorted(known)[:3]
                raise RefusedInput(
                    f"{self.path} has no {what} '{name}'.",
                    hint=f"Did you mean: {', '.join(close)}?",
                )
