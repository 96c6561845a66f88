"""What the specification does not allow, although some arithmetic could be made of it: refused by
both engines. Found by benchmarks/fuzz_coreml.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime import ArtefactError
from fer_convert.coreml_runtime.fast import NotLowered, lower
from tests.coreml_runtime.one_operation import mil_program

RNG = np.random.default_rng(5)
X = RNG.normal(size=(2, 4, 7, 6)).astype(np.float32)


def refused(program: Any, feeds: Mapping[str, Any], message: str) -> None:
    """By the reference engine with ``message``, and by the fast engine before anything runs."""
    with pytest.raises(NotLowered):
        lower(program.graph)
    with pytest.raises(ArtefactError, match=message):
        program.predict(feeds)


def test_an_equation_that_is_no_text() -> None:
    computed = mil_program("einsum", {"values": [X, X], "equation": X})
    refused(*computed, "not one constant")
    refused(*mil_program("einsum", {"values": [X, X], "equation": 3}), "not one str")
