"""The table of NeuralNetwork layers, preprocessing included."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from fer_convert.coreml_runtime.layer_ranks import LEAST_RANKS
from fer_convert.coreml_runtime.reference.operations import Call, Table, View


class _Layers(Table):
    def prepare(self, view: View) -> Call:
        """As `Table.prepare`; a call on fewer dimensions than the layer needs is a ValueError."""
        call = super().prepare(view)
        least = LEAST_RANKS.get(view.operation.type, 0)

        def kernel(x: Tensor, *others: Tensor) -> Tensor | tuple[Tensor, ...]:
            if x.dim() < least:
                raise ValueError(f"its input has rank {x.dim()}, {least} or more is needed")
            return call.kernel(x, *others)

        return replace(call, kernel=kernel) if least else call


LAYERS = _Layers("neuralnetwork")
