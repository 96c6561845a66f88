"""Compressed ML Programs, made by coremltools' own tools, against their decompressed twins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from fer_convert.coreml_runtime import ArtefactError, load
from fer_convert.coreml_runtime.element_types import TYPES, decode, unpack_bits
from fer_convert.coreml_runtime.graph import Constant, Operation, Value
from fer_convert.coreml_runtime.mil_constexpr import EXPANSIONS

RECIPES = ["sparse", "int8 symmetric", "uint8 affine", "palette 6 bits", "palette 4 bits"]
OPERATIONS = {
    "iOS16": {"s": "sparse_to_dense", "i": "affine_dequantize", "p": "lut_to_dense"},
    "iOS18": {"s": "sparse_to_dense", "i": "blockwise_shift_scale", "p": "lut_to_dense"},
}


def compress(model: Any, recipe: str) -> Any:
    import coremltools.optimize.coreml as optimize

    config: Any
    if recipe == "sparse":
        config = optimize.OpThresholdPrunerConfig(
            threshold=1e-3, minimum_sparsity_percentile=0.1, weight_threshold=10
        )
        tool: Any = optimize.prune_weights
    elif "int8" in recipe:
        kind, mode = recipe.split()
        config = optimize.OpLinearQuantizerConfig(
            mode="linear" if mode == "affine" else "linear_symmetric",
            dtype=kind,
            weight_threshold=10,
        )
        tool = optimize.linear_quantize_weights
    else:
        bits = int(recipe.split()[1])
        config = optimize.OpPalettizerConfig(mode="uniform", nbits=bits, weight_threshold=10)
        tool = optimize.palettize_weights
    return tool(model, optimize.OptimizationConfig(global_config=config))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], tuple[Path, Path]]:
    """(target, recipe) -> the compressed package, and the same one decompressed by coremltools."""
    import logging

    logging.disable(logging.CRITICAL)
    import coremltools as ct
    import coremltools.optimize.coreml as optimize

    torch.manual_seed(0)
    conv, linear = nn.Conv2d(3, 24, 3), nn.Linear(24, 8)
    with torch.no_grad():
        for part in (conv, linear):
            part.weight[part.weight.abs() < part.weight.abs().median()] = 0
    module = nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear).eval()
    traced = torch.jit.trace(module, torch.rand(1, 3, 12, 12))
    folder, made = tmp_path_factory.mktemp("compressed"), {}
    for target in OPERATIONS:
        model = ct.convert(
            traced,
            inputs=[ct.ImageType(name="image", shape=(1, 3, 12, 12))],
            outputs=[ct.TensorType(name="y")],
            minimum_deployment_target=getattr(ct.target, target),
        )
        for recipe in RECIPES:
            small = compress(model, recipe)
            paths = tuple(folder / f"{target} {recipe} {x}.mlpackage" for x in ("small", "plain"))
            small.save(str(paths[0]))
            optimize.decompress_weights(small).save(str(paths[1]))
            made[target, recipe] = paths
    logging.disable(logging.NOTSET)
    return made  # type: ignore[return-value]


@pytest.mark.parametrize("target", list(OPERATIONS))
@pytest.mark.parametrize("recipe", RECIPES)
def test_compressed_equals_decompressed(
    saved: dict[tuple[str, str], tuple[Path, Path]], target: str, recipe: str
) -> None:
    compressed, plain = (load(path) for path in saved[target, recipe])
    operation = f"constexpr_{OPERATIONS[target][recipe.lstrip('u')[0]]}"
    assert compressed.operation_counts[operation] == 2
    assert operation not in plain.operation_counts
    image = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    for precision in ("declared", "fp32"):
        results = [p.run({"image": image}, precision=precision)["y"] for p in (compressed, plain)]  # type: ignore[arg-type]
        np.testing.assert_allclose(*results, rtol=2e-3, atol=2e-2 if "int8" in recipe else 0)
        assert np.ptp(results[1]) > 1


def test_unpacking_straddles_bytes() -> None:
    values = [5, 0, 7, 1, 6, 3, 2]
    stream = sum(v << (3 * i) for i, v in enumerate(values))
    raw = np.frombuffer(stream.to_bytes(3, "little"), np.uint8)
    assert unpack_bits(raw, bits=3, count=7).tolist() == values


def test_signed_nibbles() -> None:
    raw = np.array([0x8F, 0x07], np.uint8)
    assert decode(raw, TYPES["int4"], (3,)).tolist() == [-1, -8, 7]


def constant(name: str, array: Any, element: str) -> tuple[Constant]:
    return (Constant(name=name, element=TYPES[element], shape=array.shape, read=lambda: array),)


def expand(kind: str, result_shape: tuple[int, ...], **arguments: Any) -> Any:
    operation = Operation(type=kind, name="w", arguments=arguments, outputs=())
    result = Value(name="w", element=TYPES["fp32"], shape=result_shape)
    return EXPANSIONS[kind](operation, result).read()


def test_quantisation_along_the_last_axis() -> None:
    data = np.arange(6, dtype=np.int8).reshape(2, 3)
    result = expand(
        "constexpr_affine_dequantize",
        (2, 3),
        quantized_data=constant("q", data, "int8"),
        scale=constant("s", np.array([1, 2, 4], np.float32), "fp32"),
        zero_point=constant("z", np.array(1, np.int8), "int8"),
        axis=constant("a", np.array(-1), "int32"),
    )
    assert result.tolist() == [[-1, 0, 4], [2, 6, 16]]


def test_blocks_of_scales_and_groups_of_palettes() -> None:
    scaled = expand(
        "constexpr_blockwise_shift_scale",
        (2, 4),
        data=constant("d", np.ones((2, 4), np.int8), "int4"),
        scale=constant("s", np.array([[1, 2], [3, 4]], np.float32), "fp32"),
        offset=constant("o", np.array([[0, 2], [0, 0]], np.int8), "int4"),
    )
    assert scaled.tolist() == [[1, 1, -2, -2], [3, 3, 4, 4]]
    palettes = np.array([[1, 2], [10, 20]], np.float32).reshape(2, 1, 2, 1)
    looked_up = expand(
        "constexpr_lut_to_dense",
        (4, 2),
        indices=constant("i", np.array([[0, 1]] * 4, np.uint8), "uint1"),
        lut=constant("l", palettes, "fp32"),
    )
    assert looked_up.tolist() == [[1, 2], [1, 2], [10, 20], [10, 20]]


@pytest.mark.parametrize(
    ("mask", "nonzero", "shape"),
    [
        ([0b111], 2, (5,)),  # three bits set, two values
        ([0b11, 0], 2, (5,)),  # a byte too many
        ([0b11], 2, (1 << 40,)),  # a terabyte from one byte
    ],
)
def test_sparse_weights_that_do_not_add_up(mask: Any, nonzero: int, shape: Any) -> None:
    with pytest.raises(ArtefactError, match="does not fit together"):
        expand(
            "constexpr_sparse_to_dense",
            shape,
            nonzero_data=constant("n", np.ones(nonzero, np.float32), "fp32"),
            mask=constant("m", np.array(mask, np.uint8), "uint8"),
            shape=constant("s", np.array(shape), "uint32"),
        )


def test_a_cast_constant() -> None:
    half = np.array([0.1, 2], np.float16)
    result = expand("constexpr_cast", (2,), source_val=constant("s", half, "fp16"))
    assert result.dtype == np.float32
    assert result.tolist() == half.astype(np.float32).tolist()


@pytest.mark.parametrize(
    ("axis", "scale", "message"),
    [
        (constant("a", np.array([0, 1]), "int32"), None, r"'axis' is int32 \[2\]"),
        (constant("a", np.array("x", object), "string"), None, "'axis' is text"),
        (None, constant("s", np.array("x", object), "string"), "'scale' is text"),
    ],
)
def test_arguments_of_another_kind_are_refused(axis: Any, scale: Any, message: str) -> None:
    with pytest.raises(ArtefactError, match=message):
        expand(
            "constexpr_affine_dequantize",
            (2, 3),
            quantized_data=constant("q", np.zeros((2, 3), np.int8), "int8"),
            scale=scale or constant("s", np.array(1, np.float32), "fp32"),
            zero_point=constant("z", np.array(1, np.int8), "int8"),
            axis=axis or constant("a", np.array(-1), "int32"),
        )
