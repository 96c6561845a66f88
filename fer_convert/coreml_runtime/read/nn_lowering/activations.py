"""The ``activation`` layer, one recipe per nonlinearity, and the layers gelu and clampedReLU.

All read ``input [*]``; those with one parameter per channel take channels on axis -3.
"""

from __future__ import annotations

from fer_convert.coreml_runtime.graph import Value
from fer_convert.coreml_runtime.read.nn_lowering.layer import IMAGE, Layer, Recipes

RECIPES = Recipes()

_GELU_MODES = ("EXACT", "TANH_APPROXIMATION", "SIGMOID_APPROXIMATION")  # GeluLayerParams.GeluMode


@RECIPES.operation("activation.ReLU")
def relu(layer: Layer) -> Value:
    """``max(x, 0)``."""
    return layer.add("relu", x=layer.x)


@RECIPES.operation("activation.leakyReLU")
def leaky_relu(layer: Layer) -> Value:
    """``x`` where x >= 0, else ``alpha * x``."""
    return layer.add("leaky_relu", x=layer.x, alpha=layer.params.leakyReLU.alpha)


@RECIPES.operation("activation.thresholdedReLU")
def thresholded_relu(layer: Layer) -> Value:
    """``x`` where x >= alpha, else 0."""
    return layer.add("thresholded_relu", x=layer.x, alpha=layer.params.thresholdedReLU.alpha)


@RECIPES.operation("activation.PReLU")
def prelu(layer: Layer) -> Value:
    """``x`` where x >= 0, else ``alpha * x``; alpha ``[1]`` or ``[C]``, x ``[*, C, H, W]``."""
    layer.rank = IMAGE
    return layer.add("layer:prelu", x=layer.x, alpha=layer.stored("PReLU.alpha"))


@RECIPES.operation("activation.ELU")
def elu(layer: Layer) -> Value:
    """``x`` where x >= 0, else ``alpha * (exp(x) - 1)``."""
    return layer.add("elu", x=layer.x, alpha=layer.params.ELU.alpha)


@RECIPES.operation("activation.tanh")
def tanh(layer: Layer) -> Value:
    """Hyperbolic tangent."""
    return layer.add("tanh", x=layer.x)


@RECIPES.operation("activation.scaledTanh")
def scaled_tanh(layer: Layer) -> Value:
    """``alpha * tanh(beta * x)``."""
    p = layer.params.scaledTanh
    return layer.add("scaled_tanh", x=layer.x, alpha=p.alpha, beta=p.beta)


@RECIPES.operation("activation.sigmoid")
def sigmoid(layer: Layer) -> Value:
    """``1 / (1 + exp(-x))``."""
    return layer.add("sigmoid", x=layer.x)


@RECIPES.operation("activation.sigmoidHard")
def sigmoid_hard(layer: Layer) -> Value:
    """``min(max(alpha * x + beta, 0), 1)``."""
    p = layer.params.sigmoidHard
    return layer.add("sigmoid_hard", x=layer.x, alpha=p.alpha, beta=p.beta)


@RECIPES.operation("activation.softsign")
def softsign(layer: Layer) -> Value:
    """``x / (1 + abs(x))``."""
    return layer.add("softsign", x=layer.x)


@RECIPES.operation("activation.softplus")
def softplus(layer: Layer) -> Value:
    """``log(1 + exp(x))``."""
    return layer.add("softplus", x=layer.x)


@RECIPES.operation("activation.parametricSoftplus")
def parametric_softplus(layer: Layer) -> Value:
    """``alpha * log(1 + exp(beta * x))``; alpha and beta ``[1]`` or ``[C]``, x ``[*, C, H, W]``."""
    layer.rank = IMAGE
    alpha, beta = (layer.stored(f"parametricSoftplus.{name}") for name in ("alpha", "beta"))
    return layer.add("layer:softplus_parametric", x=layer.x, alpha=alpha, beta=beta)


@RECIPES.operation("activation.linear")
def linear(layer: Layer) -> Value:
    """``alpha * x + beta``."""
    p = layer.params.linear
    return layer.add("linear_activation", x=layer.x, alpha=p.alpha, beta=p.beta)


@RECIPES.operation("gelu")
def gelu(layer: Layer) -> Value:
    """``x`` times the normal distribution function of x.

    Field mode: EXACT ``x / 2 * (1 + erf(x / sqrt(2)))`` | TANH_APPROXIMATION
    ``x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))`` | SIGMOID_APPROXIMATION
    ``x * sigmoid(1.702 * x)``.
    """
    return layer.add("gelu", x=layer.x, mode=_GELU_MODES[layer.params.mode])


@RECIPES.operation("clampedReLU")
def clamped_relu(layer: Layer) -> Value:
    """``min(x, beta)`` where x >= 0, else ``min(alpha * x, beta)``."""
    p = layer.params
    return layer.add("clamped_relu", x=layer.x, alpha=p.alpha, beta=p.beta)
