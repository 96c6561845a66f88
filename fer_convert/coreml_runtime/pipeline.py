"""A pipeline: models one after another, each reading features by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from fer_convert.coreml_runtime.answer import Answer, Label
from fer_convert.coreml_runtime.description import Description, Feature, Metadata
from fer_convert.coreml_runtime.errors import RefusedInput
from fer_convert.coreml_runtime.program import Engine, Program

if TYPE_CHECKING:
    from fer_convert.coreml_runtime.reference.operations import Precision


class Pipeline:
    """``Model.pipeline`` and its classifier and regressor forms, of models the runtime can load."""

    format = "pipeline"

    def __init__(
        self,
        *,
        path: Path,
        spec_version: int,
        description: Description,
        models: Sequence[Program | Pipeline],
    ) -> None:
        self.path = path
        self.spec_version = spec_version
        self.models = tuple(models)
        self._description = description

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
    def label_name(self) -> str:
        return self._description.label_name

    @property
    def probabilities_name(self) -> str:
        return self._description.probabilities_name

    @property
    def labels(self) -> tuple[Label, ...]:
        """Class labels of the last classifier; empty without one."""
        return next((model.labels for model in reversed(self.models) if model.labels), ())

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
        """See `Program.predict`; each model reads the pipeline's inputs and earlier outputs.

        Raises:
            RefusedInput: an input is unknown or missing, or no model computes an output.
        """
        if isinstance(inputs, list):
            return [self.predict(one, engine=engine, precision=precision) for one in inputs]
        known = [feature.name for feature in self.inputs]
        unknown = sorted(set(inputs) - set(known))
        if unknown:
            raise RefusedInput(f"{self.path} has no input {unknown}; it has {known}.")
        values: dict[str, Any] = dict(inputs)
        engines: dict[str, None] = {}
        precisions: dict[str, None] = {}
        for model in self.models:
            chosen = {f.name: values[f.name] for f in model.inputs if f.name in values}
            answer = model.predict(chosen, engine=engine, precision=precision)
            values |= answer
            engines[answer.engine] = precisions[answer.precision] = None
        missing = [f.name for f in self.outputs if f.name not in values]
        if missing:
            raise RefusedInput(f"{self.path} declares the outputs {missing}; no model of it does.")
        return Answer(
            {feature.name: values[feature.name] for feature in self.outputs},
            engine="+".join(engines),
            precision="+".join(precisions),
        )
