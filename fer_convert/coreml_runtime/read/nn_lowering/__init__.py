"""NeuralNetwork layers as ML Program operations: one recipe for each type of layer."""

from fer_convert.coreml_runtime.read.nn_lowering import (
    activations,
    convolution,
    creation,
    elementwise,
    indexing,
    joining,
    left_out,
    linear,
    normalization,
    padding,
    pooling,
    reductions,
    reshaping,
    resizing,
    scaling,
    slicing,
)
from fer_convert.coreml_runtime.read.nn_lowering.layer import Recipes

RECIPES = Recipes("neuralnetwork")
for module in (
    activations,
    convolution,
    creation,
    elementwise,
    indexing,
    joining,
    left_out,
    linear,
    normalization,
    padding,
    pooling,
    reductions,
    reshaping,
    resizing,
    scaling,
    slicing,
):
    RECIPES.include(module.RECIPES)
