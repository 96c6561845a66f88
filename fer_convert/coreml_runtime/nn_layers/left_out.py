"""Layers that the runtime leaves out on purpose."""

from __future__ import annotations

from fer_convert.coreml_runtime.nn_layers.table import LAYERS

LAYERS.refuse(
    "simpleRecurrent",
    "gru",
    "uniDirectionalLSTM",
    "biDirectionalLSTM",
    reason="recurrent layers",
)
LAYERS.refuse("branch", "loop", "loopBreak", "loopContinue", reason="control flow")
LAYERS.refuse("custom", reason="its code is in the app, not in the file")
LAYERS.refuse(
    *(f"random{kind}{form}" for kind in ("Normal", "Uniform", "Bernoulli")
      for form in ("Like", "Static", "Dynamic")),
    "categoricalDistribution",
    reason="random values cannot be compared",
)  # fmt: skip
LAYERS.refuse("NonMaximumSuppression", reason="detectors are not classifiers")
