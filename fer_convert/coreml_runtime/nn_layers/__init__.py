"""NeuralNetwork layers. Importing this package imports torch and fills ``LAYERS``."""

from fer_convert.coreml_runtime.nn_layers import (
    convolution,
    creation,
    cropping,
    indexing,
    joining,
    left_out,
    linear,
    normalization,
    padding,
    pooling,
    preprocessing,
    reductions,
    reshaping,
    resizing,
    slicing,
)
from fer_convert.coreml_runtime.nn_layers.table import LAYERS
from fer_convert.coreml_runtime.reference.mil import MIL
from fer_convert.coreml_runtime.reference.operations import Call, Table, View


class _Mixed(Table):
    def prepare(self, view: View) -> Call:
        return (MIL if view.operation.layer else LAYERS).prepare(view)


MIXED = _Mixed()

__all__ = [
    "LAYERS",
    "convolution",
    "creation",
    "cropping",
    "indexing",
    "joining",
    "left_out",
    "linear",
    "normalization",
    "padding",
    "pooling",
    "preprocessing",
    "reductions",
    "reshaping",
    "resizing",
    "slicing",
]
