"""Programs whose weights are compressed in every form of iOS 16 and iOS 18, alone and in chains."""

from __future__ import annotations

from typing import Any

import numpy as np

from coreml_fuzzing.messages import FP16, Block, Case, immediate, tensor_type

_RNG = np.random.default_rng(1)
_MASK = _RNG.integers(0, 2, (4, 8))
_COUNT = int(_MASK.sum())


def _floats(*shape: int) -> Any:
    return _RNG.standard_normal(shape).astype(np.float32)


def _integers(high: int, *shape: int) -> Any:
    return _RNG.integers(0, high, shape)


def _start(name: str) -> Block:
    b = Block(name)
    b.declare("x", (1, 8), FP16)
    b.input("x", (1, 8), "fp16")
    return b


def _finish(b: Block, weights: list[str]) -> Case:
    """Multiply ``x`` by every weight ``[4, 8]``."""
    parts = [b.do("linear", f"by {w}", (1, 4), "fp16", x="x", weight=w) for w in weights]
    shape = (1, 4 * len(parts))
    b.output(b.do("concat", "y", shape, "fp16", values=parts, axis=1, interleave=False))
    return b.case()


def _ios18() -> Case:
    b = _start("program compressed")
    weights = []
    for bits in (1, 2, 3, 4, 6, 8):
        b.blob(f"keys{bits}", _integers(1 << bits, 4, 8), f"uint{bits}")
        b.blob(f"lut{bits}", _floats(2, 1, 1 << bits, 1))
        weights.append(
            b.do("constexpr_lut_to_dense", f"lut {bits}", (4, 8), "fp16", indices=f"keys{bits}",
                 lut=f"lut{bits}")
        )  # fmt: skip
    b.blob("pairs", _floats(1, 2, 4, 2))
    b.blob("pair keys", _integers(4, 2, 8), "uint2")
    weights.append(
        b.do("constexpr_lut_to_dense", "vectors", (4, 8), "fp16", indices="pair keys", lut="pairs",
             vector_axis=0)
    )  # fmt: skip
    for element, high in (("int4", 8), ("uint4", 16), ("int8", 128), ("uint8", 256)):
        b.blob(f"data {element}", _integers(high, 4, 8), element)
        b.blob(f"scale {element}", _floats(4, 2))
        b.blob(f"offset {element}", _integers(high, 4, 2), element)
        weights.append(
            b.do("constexpr_blockwise_shift_scale", f"blocks {element}", (4, 8), "fp16",
                 data=f"data {element}", scale=f"scale {element}", offset=f"offset {element}")
        )  # fmt: skip
    return _finish(b, weights)


def _joint() -> Case:
    """Sparse and palettised, sparse and quantised, and a palette of quantised entries."""
    b = _start("program jointly compressed")
    b.blob("mask", _MASK, "uint1")
    b.blob("nonzero", _floats(_COUNT))
    b.do("constexpr_sparse_to_dense", "sparse", (4, 8), "fp16", nonzero_data="nonzero", mask="mask")
    b.blob("entries", _integers(99, 1, 1, 4, 1), "int8")
    b.do("constexpr_blockwise_shift_scale", "lut", (1, 1, 4, 1), "fp16", data="entries",
         scale=b.blob("lut scale", _floats(1, 1, 1, 1)))  # fmt: skip
    _two(
        b,
        "constexpr_lut_to_sparse",
        "keyed",
        _COUNT,
        indices_mask="mask",
        indices_nonzero_data=b.blob("keys", _integers(4, _COUNT), "uint2"),
        lut="lut",
    )
    b.do("constexpr_sparse_to_dense", "sparse lut", (4, 8), "fp16", nonzero_data="keyed",
         mask="keyed mask")  # fmt: skip
    _two(
        b,
        "constexpr_sparse_blockwise_shift_scale",
        "scaled",
        _COUNT,
        data_mask="mask",
        nonzero_data=b.blob("small", _integers(8, _COUNT), "int4"),
        scale=b.blob("scales", _floats(4, 1)),
        offset=b.blob("zeros", _integers(8, 4, 1), "int4"),
    )
    b.do("constexpr_sparse_to_dense", "sparse scaled", (4, 8), "fp16", nonzero_data="scaled",
         mask="scaled mask")  # fmt: skip
    b.blob("halves", _MASK[::2], "uint1")
    count = int(_MASK[::2].sum())
    _two(
        b,
        "constexpr_lut_to_sparse",
        "vectors",
        2 * count,
        indices_mask="halves",
        indices_nonzero_data=b.blob("pair keys", _integers(2, count), "uint1"),
        lut=b.blob("pairs", _floats(1, 1, 2, 2)),
        vector_axis=0,
    )
    b.do("constexpr_sparse_to_dense", "sparse vectors", (4, 8), "fp16", nonzero_data="vectors",
         mask="vectors mask")  # fmt: skip
    return _finish(b, ["sparse", "sparse lut", "sparse scaled", "sparse vectors"])


def _two(b: Block, kind: str, name: str, count: int, **bound: str | int) -> None:
    """A sparse-to-sparse operation: its mask ``[4, 8]`` and its values ``[count]``."""
    message = b.operation(kind, f"{name} mask", (4, 8), "uint1")
    tensor_type(message.outputs.add(name=name).type.tensorType, "fp16", (count,))
    for key, value in bound.items():
        binding = message.inputs[key].arguments.add()
        if isinstance(value, str):
            binding.name = value
        else:
            immediate(binding.value, value)


def _ios16() -> Case:
    """The data lie in attributes, and the indices and masks are packed by hand."""
    b = _start("program of iOS 16")
    b.function.opset = "CoreML6"
    block = b.function.block_specializations["CoreML6"]
    block.CopyFrom(b.block)
    del b.function.block_specializations["CoreML8"]
    b.block = block
    affine = b.operation("constexpr_affine_dequantize", "affine", (4, 8), "fp16")
    b.store(affine.attributes["quantized_data"], _integers(256, 4, 8), "uint8")
    b.store(affine.attributes["scale"], _floats(4), "fp16")
    b.store(affine.attributes["zero_point"], _integers(256, 4), "uint8")
    immediate(affine.attributes["axis"], 0)
    table = b.operation("constexpr_lut_to_dense", "table", (4, 8), "fp16")
    b.store(table.attributes["indices"], _integers(256, 24), "uint8")
    b.store(table.attributes["lut"], _floats(64), "fp16")
    b.store(table.attributes["shape"], np.array([4, 8]), "uint32")
    sparse = b.operation("constexpr_sparse_to_dense", "sparse", (4, 8), "fp16")
    b.store(sparse.attributes["mask"], np.packbits(_MASK, bitorder="little"), "uint8")
    b.store(sparse.attributes["nonzero_data"], _floats(_COUNT), "fp16")
    b.store(sparse.attributes["shape"], np.array([4, 8]), "uint32")
    cast = b.operation("constexpr_cast", "cast", (4, 8), "fp32")
    b.store(cast.attributes["source_val"], _floats(4, 8), "fp16")
    immediate(cast.attributes["output_dtype"], "=fp32")
    b.blob("bf16", _integers(1 << 14, 4, 8), "bf16")
    b.blob("fp8e4m3fn", _integers(120, 4, 8), "fp8e4m3fn")
    b.blob("fp8e5m2", _integers(120, 4, 8), "fp8e5m2")
    return _finish(b, ["affine", "table", "sparse", "cast", "bf16", "fp8e4m3fn", "fp8e5m2"])


COMPRESSED = (_ios18, _joint, _ios16)
