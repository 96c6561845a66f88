"""How many dimensions the first input of a NeuralNetwork layer must have.

These layers work on ``[*, C, H, W]`` by the text of NeuralNetwork.proto ("a blob with rank at least
3"), and Core ML's own validator refuses fewer; most arithmetic would broadcast them to some result.
"""

from __future__ import annotations

from collections.abc import Mapping

LEAST_RANKS: Mapping[str, int] = dict.fromkeys(
    (
        "activation.PReLU", "activation.parametricSoftplus", "batchnorm", "bias", "crop",
        "flatten", "l2normalize", "lrn", "mvn", "padding", "reorganizeData", "resizeBilinear",
        "scale", "softmax", "split", "upsample",
    ),
    3,
)  # fmt: skip
