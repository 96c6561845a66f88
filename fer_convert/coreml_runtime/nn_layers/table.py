"""The table of NeuralNetwork layers, preprocessing included."""

from fer_convert.coreml_runtime.registry import Table

LAYERS = Table("neuralnetwork")
