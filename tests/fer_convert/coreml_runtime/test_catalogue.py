"""The registries against the specifications' own lists, and the page made from them."""

from __future__ import annotations

from typing import Any

import pytest

from fer_convert.coreml_runtime.catalogue import catalogue
from fer_convert.coreml_runtime.read.compressed import EXPANSIONS
from fer_convert.coreml_runtime.read.nn_lowering import RECIPES
from fer_convert.coreml_runtime.read.proto import proto_module
from fer_convert.coreml_runtime.reference.mil import MIL
from fer_convert.coreml_runtime.registry import Registry
from tests.paths import REPOSITORY

PAGE = REPOSITORY / "docs" / "coreml-operations.md"


READ_ELSEWHERE = {"const", "classify", *EXPANSIONS}  # constants and labels are the readers' work


def refused(table: Registry[Any]) -> set[str]:
    return {name for refusal in table.refusals for name in refusal.types}


def mil_operations() -> set[str]:
    from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry

    return {name for name in SSAOpRegistry.core_ops if not name.startswith("_")}


def layer_types() -> set[str]:
    messages = proto_module("NeuralNetwork_pb2")
    layers = messages.NeuralNetworkLayer.DESCRIPTOR.oneofs_by_name["layer"].fields
    nonlinearities = messages.ActivationParams.DESCRIPTOR.oneofs_by_name["NonlinearityType"].fields
    return {f.name for f in layers if f.name != "activation"} | {
        f"activation.{f.name}" for f in nonlinearities
    }


@pytest.mark.parametrize(
    ("table", "specified", "elsewhere"),
    [
        (MIL, mil_operations(), READ_ELSEWHERE),
        (RECIPES, layer_types(), {"scaler", "meanImage"}),
    ],
    ids=["mil", "nn"],
)
def test_every_specified_type_is_supported_or_left_out_with_a_reason(
    table: Registry[Any], specified: set[str], elsewhere: set[str]
) -> None:
    supported = set(table.public)
    assert not specified - supported - refused(table) - elsewhere, "neither supported nor refused"
    assert not supported & refused(table), "both supported and refused"
    assert not supported - specified - elsewhere, "not a type of the specification"


@pytest.mark.parametrize("table", [MIL, RECIPES], ids=["mil", "nn"])
def test_every_function_says_what_it_computes(table: Registry[Any]) -> None:
    silent = [name for name, function in table.functions.items() if not function.__doc__]
    assert not silent


def test_the_page_is_what_the_registry_says() -> None:
    assert PAGE.read_text() == catalogue(), (
        "python -m fer_convert.coreml_runtime.catalogue > docs/coreml-operations.md"
    )
