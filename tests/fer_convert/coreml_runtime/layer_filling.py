"""Filling the message of a NeuralNetwork layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def filling(kind: str, **fields: Any) -> Callable[[Any], None]:
    """Fill the layer ``kind``; a list extends a repeated field, an array is a weight, a function
    fills a message, and ``a__b`` is field b of message a."""

    def fill(layer: Any) -> None:
        message = getattr(layer, kind)
        message.SetInParent()
        for path, value in fields.items():
            *parents, name = path.split("__")
            holder = message
            for parent in parents:
                holder = getattr(holder, parent)
                holder.SetInParent()
            if isinstance(value, np.ndarray):
                getattr(holder, name).floatValue.extend(value.ravel().tolist())
            elif isinstance(value, list):
                getattr(holder, name).extend(value)
            elif callable(value):
                getattr(holder, name).SetInParent()
                value(getattr(holder, name))
            else:
                setattr(holder, name, value)

    return fill


def borders(*pairs: tuple[int, int]) -> Callable[[Any], None]:
    def fill(amounts: Any) -> None:
        for start, end in pairs:
            amounts.borderAmounts.add(startEdgeSize=start, endEdgeSize=end)

    return fill


def valid(*pairs: tuple[int, int]) -> Callable[[Any], None]:
    return lambda padding: borders(*pairs)(padding.paddingAmounts)


def same(mode: int) -> Callable[[Any], None]:
    return lambda padding: setattr(padding, "asymmetryMode", mode)


def last_pixel(*amounts: int) -> Callable[[Any], None]:
    return lambda padding: padding.paddingAmounts.extend(amounts)


def nothing(_message: Any) -> None:
    pass


def triple(name: str, values: tuple[int, ...]) -> dict[str, int]:
    return {f"{name}{a}": v for a, v in zip(("Depth", "Height", "Width"), values, strict=True)}


def sides(*amounts: int) -> dict[str, int]:
    names = ("Front", "Back", "Top", "Bottom", "Left", "Right")
    return {f"customPadding{s}": a for s, a in zip(names, amounts, strict=True)}


def fields(kind: str, **values: Any) -> Any:
    """Fill the message of layer ``kind``: lists extend repeated fields."""

    def fill(layer: Any) -> None:
        params = getattr(layer, kind)
        params.SetInParent()
        for name, value in values.items():
            if isinstance(value, (list, tuple)):
                getattr(params, name).extend(value)
            else:
                setattr(params, name, value)

    return fill
