"""Compressed ML Programs, made and saved by coremltools' own tools, against the weights it says are
in them: every value of every weight, bit by bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from fer_convert.coreml_runtime import load
from tests.fer_convert.coreml_runtime.quiet import quiet

# Pairs of output channels take one of these four forms: few values, half of them zero, so that
# every recipe has something to find. k-means would need scikit-learn; the file would be the same.
KINDS = ("conv", "linear")


CODEBOOK = np.array([[0, 0], [0.5, -0.25], [0, 1], [-1.5, 0.75]], np.float32)


def palettes(**options: Any) -> Any:
    return "palettize_weights", "OpPalettizerConfig", options


def integers(dtype: str, mode: str = "linear_symmetric", **options: Any) -> Any:
    return (
        "linear_quantize_weights",
        "OpLinearQuantizerConfig",
        {"dtype": dtype, "mode": mode} | (options),
    )


SPARSE = (
    "prune_weights",
    "OpThresholdPrunerConfig",
    {"threshold": 1e-3, "minimum_sparsity_percentile": 0.1},
)


GROUPED: dict[str, Any] = {"granularity": "per_grouped_channel", "group_size": 4}


BLOCKS: dict[str, Any] = {"granularity": "per_block", "block_size": 2}


# Recipe: the tools one after another, and the operations that each weight must then be made of.
SINGLE: dict[str, tuple[list[Any], str]] = {
    "sparse": ([SPARSE], "sparse_to_dense"),
    "int8 symmetric": ([integers("int8")], "affine_dequantize"),
    "uint8 affine": ([integers("uint8", "linear")], "affine_dequantize"),
    "int8 per tensor": ([integers("int8", granularity="per_tensor")], "affine_dequantize"),
    "palette 1 bit": ([palettes(mode="uniform", nbits=1)], "lut_to_dense"),
    "palette 2 bits": ([palettes(mode="uniform", nbits=2)], "lut_to_dense"),
    "palette 4 bits": ([palettes(mode="uniform", nbits=4)], "lut_to_dense"),
    "palette 6 bits": ([palettes(mode="uniform", nbits=6)], "lut_to_dense"),
    "palette 8 bits": ([palettes(mode="uniform", nbits=8)], "lut_to_dense"),
}


IOS18: dict[str, tuple[list[Any], str]] = {
    "palette 3 bits": ([palettes(mode="uniform", nbits=3)], "lut_to_dense"),
    "grouped palettes": ([palettes(mode="uniform", nbits=3, **GROUPED)], "lut_to_dense"),
    "grouped by inputs": (
        [palettes(mode="uniform", nbits=2, channel_axis=1, **GROUPED)], "lut_to_dense",
    ),
    "palettes with scales": (
        [palettes(mode="uniform", nbits=4, enable_per_channel_scale=True)],
        "blockwise_shift_scale lut_to_dense",
    ),
    "vectors": ([palettes(mode="unique", cluster_dim=2)], "lut_to_dense"),
    "grouped vectors": ([palettes(mode="unique", cluster_dim=2, **GROUPED)], "lut_to_dense"),
    "int4 blocks": ([integers("int4", **BLOCKS)], "blockwise_shift_scale"),
    "uint4 blocks": ([integers("uint4", "linear", **BLOCKS)], "blockwise_shift_scale"),
    "int8 blocks on two axes": (
        [integers("int8", granularity="per_block", block_size=[2, 4])], "blockwise_shift_scale",
    ),
    "sparse, palette": (
        [SPARSE, palettes(mode="uniform", nbits=4)], "lut_to_sparse sparse_to_dense",
    ),
    "palette, sparse": (
        [palettes(mode="uniform", nbits=4), SPARSE], "lut_to_sparse sparse_to_dense",
    ),
    "sparse, int8": (
        [SPARSE, integers("int8")], "sparse_blockwise_shift_scale sparse_to_dense",
    ),
    "sparse, uint4 blocks": (
        [SPARSE, integers("uint4", "linear", **BLOCKS)],
        "sparse_blockwise_shift_scale sparse_to_dense",
    ),
    "int4 blocks, sparse": (
        [integers("int4", **BLOCKS), SPARSE], "sparse_blockwise_shift_scale sparse_to_dense",
    ),
    "palette of int8": (
        [palettes(mode="uniform", nbits=4), integers("int8", granularity="per_tensor")],
        "blockwise_shift_scale lut_to_dense",
    ),
    "int8, palette": (
        [integers("int8"), palettes(mode="uniform", nbits=4)],
        "blockwise_shift_scale lut_to_dense",
    ),
    "sparse, palette of int8": (
        [
            SPARSE, palettes(mode="uniform", nbits=4),
            integers("int8", granularity="per_tensor"),
        ],
        "blockwise_shift_scale lut_to_sparse sparse_to_dense",
    ),
}  # fmt: skip


CASES = [
    *(("iOS16", name) for name in SINGLE),
    *(("iOS18", name) for name in SINGLE | IOS18),
]


@pytest.fixture(scope="module")
def networks() -> dict[str, Any]:
    """A convolution and a linear layer, as an ML Program of each target."""
    conv, linear = nn.Conv2d(4, 16, 3), nn.Linear(16, 8)
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for part in (conv, linear):
            pairs = CODEBOOK[rng.integers(0, 4, (len(part.weight) // 2, *part.weight.shape[1:]))]
            part.weight.copy_(torch.tensor(np.moveaxis(pairs, -1, 1).reshape(part.weight.shape)))
    module = nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear).eval()
    with quiet():
        import coremltools as ct

        return {
            target: ct.convert(
                torch.jit.trace(module, torch.rand(1, 4, 6, 6)),
                inputs=[ct.TensorType(name="x", shape=(1, 4, 6, 6))],
                outputs=[ct.TensorType(name="y", dtype=np.float32)],
                minimum_deployment_target=getattr(ct.target, target),
            )
            for target in ("iOS16", "iOS18")
        }


@pytest.fixture
def compress(networks: dict[str, Any], tmp_path: Path) -> Callable[..., tuple[Path, Any]]:
    """``compress(target, recipe)``: the saved package, and coremltools' decompressed model."""

    def apply(target: str, recipe: str) -> tuple[Path, Any]:
        with quiet():
            import coremltools.optimize.coreml as optimize

            model, steps = networks[target], (SINGLE | IOS18)[recipe][0]
            for position, (tool, config, options) in enumerate(steps):
                kind = getattr(optimize, config)(weight_threshold=0, **options)
                # A list of block sizes fits one rank.
                ranks = ("linear",) if isinstance(options.get("block_size"), list) else KINDS
                model = getattr(optimize, tool)(
                    model,
                    optimize.OptimizationConfig(op_type_configs=dict.fromkeys(ranks, kind)),
                    joint_compression=position > 0,
                )
            path = tmp_path / "small.mlpackage"
            model.save(str(path))
            return path, optimize.decompress_weights(model)

    return apply


def stated_weights(decompressed: Any) -> dict[str, Any]:
    operations = decompressed._mil_program.functions["main"].operations
    return {op.op_type: op.weight.val for op in operations if op.op_type in KINDS}


@pytest.mark.parametrize(("target", "recipe"), CASES)
def test_every_weight_is_what_coremltools_says(
    compress: Callable[..., tuple[Path, Any]], target: str, recipe: str
) -> None:
    path, decompressed = compress(target, recipe)
    program = load(path)
    wanted = {f"constexpr_{name}" for name in (SINGLE | IOS18)[recipe][1].split()}
    if target == "iOS18":
        wanted = {name.replace("affine_dequantize", "blockwise_shift_scale") for name in wanted}
    found = {name for name in program.operation_counts if name.startswith("constexpr_")}
    assert found == wanted
    stated = stated_weights(decompressed)
    assert set(stated) == set(KINDS)
    for operation in program.graph.operations:
        if operation.type in stated:
            weight = operation.arguments["weight"][0].read()
            assert weight.dtype == np.float16 and np.ptp(weight) > 1
            np.testing.assert_array_equal(weight, stated[operation.type])


@pytest.mark.parametrize("recipe", ["sparse, palette of int8", "grouped vectors", "uint4 blocks"])
def test_both_engines_run_compressed_programs(
    compress: Callable[..., tuple[Path, Any]], recipe: str
) -> None:
    path, decompressed = compress("iOS18", recipe)
    weights = stated_weights(decompressed)
    biases = {
        op.op_type: op.bias.val
        for op in decompressed._mil_program.functions["main"].operations
        if op.op_type in KINDS
    }
    x = np.random.default_rng(1).integers(-8, 9, (1, 4, 6, 6)).astype(np.float32) / 8
    kernel, dense = (torch.tensor(weights[k].astype(np.float32)) for k in ("conv", "linear"))
    offset, shift = (torch.tensor(biases[k].astype(np.float32)) for k in ("conv", "linear"))
    hidden = torch.relu(torch.conv2d(torch.tensor(x), kernel, offset)).mean((2, 3))
    expected = (hidden @ dense.T + shift).numpy()
    program = load(path)
    for engine in ("reference", "fast"):
        answer = program.predict({"x": x}, engine=engine, precision="fp32")
        assert answer.engine == engine
        np.testing.assert_allclose(answer["y"], expected, rtol=1e-4, atol=1e-5)
