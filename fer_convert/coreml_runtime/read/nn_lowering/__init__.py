"""NeuralNetwork layers as ML Program operations: one recipe for each type of layer."""

from fer_convert.coreml_runtime.read.nn_lowering import activations, elementwise
from fer_convert.coreml_runtime.read.nn_lowering.layer import Recipes

RECIPES = Recipes("neuralnetwork")
for module in (activations, elementwise):
    RECIPES.include(module.RECIPES)
