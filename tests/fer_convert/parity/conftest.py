"""Predictions, fixtures and a runner made by hand, so that every expected figure can be checked."""

from __future__ import annotations

import pytest

from fer_convert.parity.fixtures import Fixture
from fer_convert.parity.result import Prediction
from tests.fer_convert.parity.answers import picture, predict


@pytest.fixture
def images() -> list[Fixture]:
    return [picture("easy.png", 0), picture("tie.png", 1)]


@pytest.fixture
def reference() -> list[Prediction]:
    return [predict(4, 0, 0), predict(0, 1.001, 1.0)]
