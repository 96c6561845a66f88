"""The fast engine's layers with windows and grids against the reference engine."""

# ruff: noqa: E501 - one case per line reads better

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.fer_convert.coreml_runtime.both_engines import agree
from tests.fer_convert.coreml_runtime.layer_filling import (
    Case,
    borders,
    filling,
    last_pixel,
    nothing,
    same,
    sides,
    triple,
    valid,
)
from tests.fer_convert.coreml_runtime.one_operation import layer_program

RNG = np.random.default_rng(11)


def floats(*shape: int) -> np.ndarray[Any, Any]:
    return RNG.normal(size=shape).astype(np.float32)


X = floats(2, 4, 7, 6)


FIVE = floats(2, 3, 4, 7, 6)  # sequence, batch, image


VOLUME = floats(1, 4, 5, 6, 4)


RANKS = [X[0], X, FIVE]


CONVOLUTION = {
    "outputChannels": 8, "kernelChannels": 4, "kernelSize": [3, 2], "hasBias": True,
    "weights": floats(8, 4, 3, 2), "bias": floats(8),
}  # fmt: skip


TRANSPOSED = {
    "outputChannels": 6, "kernelChannels": 4, "kernelSize": [3, 4], "hasBias": True, "nGroups": 2,
    "weights": floats(4, 3, 3, 4), "bias": floats(6), "isDeconvolution": True,
}  # fmt: skip


VOLUMES = {
    "outputChannels": 6, "inputChannels": 4, "nGroups": 2, **triple("kernel", (2, 3, 2)),
    **triple("stride", (2, 1, 2)), "hasBias": True, "bias": floats(6),
}  # fmt: skip


WINDOWS: list[Case] = [
    *(
        ("convolution", filling("convolution", **CONVOLUTION, **padding), [x], 1)
        for x in RANKS
        for padding in (
            {"valid": valid((1, 0), (2, 3)), "dilationFactor": [2, 1]},
            {"same": same(0), "stride": [2, 3]},
            {"same": same(1), "stride": [4, 3]},
            {"same": same(0), "dilationFactor": [2, 3]},
        )
    ),
    (
        "computed weights",
        filling("convolution", outputChannels=3, kernelChannels=4, kernelSize=[2, 2], valid=nothing),
        [X, floats(3, 4, 2, 2)],
        1,
    ),
    *(
        ("transposed", filling("convolution", **TRANSPOSED, **options), [x], 1)
        for x in (X, FIVE)
        for options in (
            {"valid": valid(), "stride": [2, 3], "dilationFactor": [2, 1]},
            {"valid": valid((1, 0), (1, 2)), "stride": [2, 3]},
            {"valid": valid((1, 0), (1, 2)), "stride": [2, 3], "outputShape": [14, 16]},
            {"valid": valid((1, 0), (1, 2)), "outputShape": [7, 20]},
            {"same": same(0), "stride": [2, 3]},
            {"same": same(1), "stride": [2, 3]},
            {"same": same(1), "outputShape": [6, 5]},
        )
    ),
    *(
        (
            "convolution3d",
            filling(
                "convolution3d", **VOLUMES, paddingType=kind, isDeconvolution=turned,
                weights=floats(*((4, 3) if turned else (6, 2)), 2, 3, 2), **sides(0, 1, 1, 0, 2, 1),
                outputShape=[9, 8, 9] if output else [],
            ),
            [VOLUME],
            1,
        )
        for kind, turned, output in itertools.product((0, 1, 2), (False, True), (False, True))
    ),
    *(
        (
            "pooling",
            filling(
                "pooling", type=kind, kernelSize=kernel, stride=[2, 2],
                avgPoolExcludePadding=exclude, **padding,
            ),
            [x],
            1,
        )
        for x in RANKS
        for kind, exclude in [(0, False), (1, False), (1, True), (2, False)]
        for kernel in [[3, 3], [2, 3]]
        for padding in (
            {"includeLastPixel": last_pixel(1, 1)},
            {"includeLastPixel": last_pixel()},
            {"valid": valid((1, 0), (1, 1))},
            {"same": same(0)},
            {"same": same(1)},
        )
    ),
    *(
        ("globally", filling("pooling", type=kind, globalPooling=True, valid=nothing), [x], 1)
        for kind in (0, 1, 2)
        for x in RANKS
    ),
    *(
        (
            "pooling3d",
            filling(
                "pooling3d", type=kind, countExcludePadding=exclude, paddingType=padding,
                **triple("kernel", (2, 3, 2)), **triple("stride", (1, 2, 2)),
                **sides(0, 1, 1, 1, 1, 0),
            ),
            [VOLUME],
            1,
        )
        for kind, exclude in [(0, False), (1, False), (1, True)]
        for padding in (0, 1, 2)
    ),
    *(("globalPooling3d", filling("globalPooling3d", type=kind), [VOLUME], 1) for kind in (0, 1)),
]  # fmt: skip


RESIZED: list[Case] = [
    *(("padding", filling("padding", **{kind: nothing}, paddingAmounts=borders((1, 2), (3, 0))), [x], 1)
      for kind in ("constant", "reflection", "replication") for x in RANKS),
    ("padding", filling("padding", constant__value=2.5, paddingAmounts=borders((1, 2), (3, 0))), [X], 1),
    ("constantPad", filling("constantPad", value=-1, padAmounts=[0, 1, 2, 0, 0, 0, 3, 4]), [X], 1),
    ("constantPad", filling("constantPad", padToGivenOutputSizeMode=True, padAmounts=[0, 5, 6, 0, 0, 3, 0, 0]), [X], 1),
    ("crop", filling("crop", cropAmounts=borders((1, 2), (3, 0))), [X], 1),
    ("crop", filling("crop"), [X], 1),
    ("crop", filling("crop", offset=[1, 2]), [X, floats(2, 4, 3, 4)], 1),
    *(("upsample", filling("upsample", scalingFactor=[2, 3], mode=m, linearUpsampleMode=u), [x], 1)
      for m, u in ((0, 0), (1, 0), (1, 1), (1, 2)) for x in RANKS),
    *(("upsample", filling("upsample", fractionalScalingFactor=[1.5, 2.4], mode=1, linearUpsampleMode=u), [X], 1)
      for u in (1, 2)),
    *(("resizeBilinear", filling("resizeBilinear", targetSize=t, mode__samplingMethod=m), [X], 1)
      for m in range(4) for t in ([1, 1], [3, 11], [10, 6])),
    *(("reorganizeData", filling("reorganizeData", mode=m, blockSize=2), [x], 1)
      for m, x in itertools.product((0, 1, 2), (X[:, :, :6], FIVE[:, :, :, :6], X[0, :, :6]))),
]  # fmt: skip


CASES = [*WINDOWS, *RESIZED]


@pytest.mark.parametrize(
    ("fill", "arrays", "outputs"),
    [case[1:] for case in CASES],
    ids=[f"{i}-{c[0]}" for i, c in enumerate(CASES)],
)
def test_layer(fill: Callable[[Any], None], arrays: list[Any], outputs: int) -> None:
    program, feeds = layer_program(fill, *arrays, outputs=outputs)
    agree(program, feeds)
