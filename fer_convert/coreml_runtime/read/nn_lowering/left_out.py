"""Layers that the runtime leaves out on purpose."""

from __future__ import annotations

from fer_convert.coreml_runtime.read.nn_lowering.layer import Recipes

RECIPES = Recipes()

RECIPES.refuse(
    "simpleRecurrent",
    "gru",
    "uniDirectionalLSTM",
    "biDirectionalLSTM",
    reason="recurrent layers",
)
RECIPES.refuse("branch", "loop", "loopBreak", "loopContinue", reason="control flow")
RECIPES.refuse("custom", reason="its code is in the app, not in the file")
RECIPES.refuse(
    *(f"random{kind}{form}" for kind in ("Normal", "Uniform", "Bernoulli")
      for form in ("Like", "Static", "Dynamic")),
    "categoricalDistribution",
    reason="random values cannot be compared",
)  # fmt: skip
RECIPES.refuse("NonMaximumSuppression", reason="detectors are not classifiers")
