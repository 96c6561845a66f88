"""The ``constexpr_*`` operations against loops over the specification's formulas, also where
coremltools writes no such file; and what contradicts itself."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_convert.coreml_runtime import ArtefactError
from fer_convert.coreml_runtime.element_types import TYPES
from fer_convert.coreml_runtime.graph import Constant, Operation, Value
from fer_convert.coreml_runtime.read.compressed import EXPANSIONS

Array = np.ndarray[Any, Any]


def constant(array: Any, element: str = "fp32") -> Constant:
    array = np.asarray(array)
    if array.dtype.kind in "iuf":
        array = array.astype(TYPES[element].numpy)
    return Constant(name="c", element=TYPES[element], shape=array.shape, read=lambda: array)


def expand(kind: str, *results: Any, **arguments: Constant) -> Any:
    """Expand one operation; a result is its shape (fp32), or element type and shape."""
    outputs = tuple(
        Value(name=f"w{i}", element=TYPES[element], shape=tuple(shape))
        for i, (element, shape) in enumerate(
            result if result and isinstance(result[0], str) else ("fp32", result)
            for result in results
        )
    )
    bound = {name: (value,) for name, value in arguments.items()}
    operation = Operation(type=f"constexpr_{kind}", name="w", arguments=bound, outputs=outputs)
    return EXPANSIONS[f"constexpr_{kind}"](operation)


def read(kind: str, *results: Any, **arguments: Constant) -> Any:
    arrays = [made.read() for made in expand(kind, *results, **arguments)]
    return arrays[0] if len(arrays) == 1 else tuple(arrays)


# A shape, and for each dimension how many blocks it is divided into.
BLOCKED = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=3).map(
    lambda pairs: ([blocks * size for blocks, size in pairs], [blocks for blocks, _ in pairs])
)


def block_of(index: tuple[int, ...], shape: list[int], blocks: list[int]) -> tuple[int, ...]:
    return tuple(i // (s // b) for i, s, b in zip(index, shape, blocks, strict=True))


@given(BLOCKED, st.sampled_from(["int4", "uint4", "int8", "uint8"]), st.booleans(), st.data())
def test_scales_and_offsets_of_blocks(
    blocked: Any, element: str, shifted: bool, data: st.DataObject
) -> None:
    (shape, blocks), rng = blocked, np.random.default_rng(data.draw(st.integers(0, 99)))
    low, high = (0, 15) if element == "uint4" else (-8, 7)
    low, high = {"int8": (-128, 127), "uint8": (0, 255)}.get(element, (low, high))
    values, offsets = rng.integers(low, high + 1, shape), rng.integers(low, high + 1, blocks)
    scales = rng.uniform(-2, 2, blocks).astype(np.float32)
    extra = {"offset": constant(offsets, element)} if shifted else {}
    result = read(
        "blockwise_shift_scale", shape, data=constant(values, element), scale=constant(scales),
        **extra,
    )  # fmt: skip
    mask = rng.integers(0, 2, shape)
    kept, sparse = read(
        "sparse_blockwise_shift_scale", ("uint1", shape), (int(mask.sum()),),
        data_mask=constant(mask, "uint1"), nonzero_data=constant(values[mask == 1], element),
        scale=constant(scales), **extra,
    )  # fmt: skip
    assert kept.tolist() == mask.tolist()
    left = iter(sparse.tolist())
    for index in np.ndindex(*shape):
        block = block_of(index, shape, blocks)
        shift = int(offsets[block]) if shifted else 0
        wanted = np.float32(int(values[index]) - shift) * scales[block]
        assert result[index] == wanted
        if mask[index]:
            assert next(left) == wanted
    assert next(left, None) is None


@given(BLOCKED, st.integers(1, 3), st.sampled_from([1, 2, 3, 4, 6]), st.data())
def test_tables_of_groups_and_vectors(
    blocked: Any, vector: int, bits: int, data: st.DataObject
) -> None:
    (shape, groups), rng = blocked, np.random.default_rng(data.draw(st.integers(0, 99)))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    indices = rng.integers(0, 1 << bits, shape)
    table = rng.standard_normal((*groups, 1 << bits, vector)).astype(np.float32)
    wide = [s * vector if i == axis % len(shape) else s for i, s in enumerate(shape)]
    lut, along = constant(table), constant(np.array(axis), "int32")
    dense = read(
        "lut_to_dense", wide, indices=constant(indices, f"uint{bits}"), lut=lut, vector_axis=along
    )
    mask = rng.integers(0, 2, shape)
    count = int(mask.sum())
    wide_mask, sparse = read(
        "lut_to_sparse", ("uint1", wide), (vector * count,),
        indices_mask=constant(mask, "uint1"), lut=lut, vector_axis=along,
        indices_nonzero_data=constant(indices[mask == 1], f"uint{bits}"),
    )  # fmt: skip
    kept = []
    for place in itertools.product(*map(range, wide)):
        source = list(place)
        source[axis], lane = divmod(place[axis], vector)
        index = tuple(source)
        wanted = table[(*block_of(index, shape, groups), indices[index], lane)]
        assert dense[place] == wanted
        assert wide_mask[place] == mask[index]
        if mask[index]:
            kept.append(float(wanted))
    assert sparse.tolist() == kept


@given(st.lists(st.integers(0, 4), max_size=3), st.booleans(), st.integers(0, 99))
def test_sparse_weights_in_both_forms(shape: list[int], old: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.integers(0, 2, shape)
    values = rng.integers(-9, 9, int(mask.sum()))
    if old:
        packed = np.packbits(mask.reshape(-1).astype(np.uint8), bitorder="little")
        stored = {"mask": constant(packed, "uint8"), "shape": constant(np.array(shape), "uint32")}
    else:
        stored = {"mask": constant(mask, "uint1")}
    result = read(
        "sparse_to_dense", ("int8", shape), nonzero_data=constant(values, "int8"), **stored
    )
    assert result.shape == tuple(shape)
    left = iter(values.tolist())
    for index in np.ndindex(*shape):
        assert result[index] == (next(left) if mask[index] else 0)


@given(st.sampled_from([1, 2, 4, 6, 8]), st.lists(st.integers(0, 5), max_size=3), st.data())
def test_packed_indices_of_ios16(bits: int, shape: list[int], data: st.DataObject) -> None:
    count = math.prod(shape)
    keys = data.draw(st.lists(st.integers(0, (1 << bits) - 1), min_size=count, max_size=count))
    stream = sum(key << (i * bits) for i, key in enumerate(keys))
    packed = np.frombuffer(stream.to_bytes((count * bits + 7) // 8, "little"), np.uint8)
    table = np.arange(1 << bits, dtype=np.float32) * 3 - 7
    result = read(
        "lut_to_dense", shape, indices=constant(packed, "uint8"), lut=constant(table),
        shape=constant(np.array(shape), "uint32"),
    )  # fmt: skip
    assert result.shape == tuple(shape)
    assert result.reshape(-1).tolist() == [3 * key - 7 for key in keys]


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("zero_point", [np.array(3), None])
def test_affine_quantisation(axis: int, zero_point: Any) -> None:
    data = np.arange(-6, 6).reshape(3, 4)
    scale = np.arange(1, data.shape[axis] + 1) / 4
    zeros = np.arange(data.shape[axis]) - 1 if zero_point is None else zero_point
    result = read(
        "affine_dequantize", (3, 4), quantized_data=constant(data, "int8"),
        scale=constant(scale), zero_point=constant(zeros, "int8"),
        axis=constant(np.array(axis), "int32"),
    )  # fmt: skip
    for i, j in np.ndindex(3, 4):
        channel = (i, j)[axis]
        zero = int(zeros.reshape(-1)[0 if zeros.size == 1 else channel])
        assert result[i, j] == (int(data[i, j]) - zero) * scale[channel]


def test_a_cast_constant() -> None:
    half = np.array([0.1, 2], np.float16)
    result = read("cast", (2,), source_val=constant(half, "fp16"))
    assert result.dtype == np.float32
    assert result.tolist() == half.astype(np.float32).tolist()


def test_a_chain_of_three() -> None:
    """Non-zeros from a table whose entries are themselves quantised, then made dense."""
    (table,) = expand(
        "blockwise_shift_scale", (1, 1, 4, 1),
        data=constant(np.array([-2, -1, 1, 2]).reshape(1, 1, 4, 1), "int8"),
        scale=constant(np.full((1, 1, 1, 1), 0.5)),
    )  # fmt: skip
    mask = np.array([[1, 0, 1], [0, 1, 1]])
    kept, values = expand(
        "lut_to_sparse", ("uint1", (2, 3)), (4,), indices_mask=constant(mask, "uint1"),
        indices_nonzero_data=constant(np.array([3, 0, 1, 2]), "uint2"), lut=table,
    )  # fmt: skip
    (dense,) = expand("sparse_to_dense", (2, 3), nonzero_data=values, mask=kept)
    assert dense.read().tolist() == [[1, 0, -1], [0, -0.5, 0.5]]
    assert dense.expansions == 4


def test_a_result_beyond_fp16_is_infinite() -> None:
    result = read(
        "blockwise_shift_scale", ("fp16", (2,)), data=constant(np.array([1, 100]), "int8"),
        scale=constant(np.array([1000.0]), "fp16"),
    )  # fmt: skip
    assert result.tolist() == [1000, math.inf]


def test_constants_cannot_be_made_of_each_other_without_end() -> None:
    """Each operation reads the one before it three times: 3 to the 40th expansions, unless."""
    value = constant(np.ones(2))
    with pytest.raises(ArtefactError, match="expansions, 64 are allowed"):
        for _ in range(40):
            (value,) = expand("blockwise_shift_scale", (2,), data=value, scale=value, offset=value)
    assert value.expansions == 40  # 1, 4, 13, 40


MASK, KEYS = constant(np.array([[1, 0], [1, 1]]), "uint1"), constant(np.zeros(3, int), "uint2")


LUT = constant(np.zeros((1, 1, 4, 1)))


DATA, ONES = constant(np.zeros((2, 4), int), "int8"), constant(np.ones((2, 2)))


TEXT = constant(np.array("x", object), "string")


@pytest.mark.parametrize(
    ("kind", "results", "arguments", "message"),
    [
        ("sparse_to_dense", [(2, 2)], {"mask": MASK}, "no constant argument 'nonzero_data'"),
        ("sparse_to_dense", [(2, 2)], {"nonzero_data": TEXT}, "'nonzero_data' is text"),
        (
            "sparse_to_dense", [(2, 3)], {"mask": MASK, "nonzero_data": ONES},
            r"a mask \[2, 2\] for \[2, 3\]",
        ),
        (
            "sparse_to_dense", [(2, 2)], {"mask": MASK, "nonzero_data": constant(np.ones(2))},
            "3 bits set in the mask and 2 values",
        ),
        ("sparse_to_dense", [(2, 2)], {"mask": KEYS, "nonzero_data": ONES}, "uint2, not uint1"),
        (
            "sparse_to_dense", [("fp16", (2, 2))], {"mask": MASK, "nonzero_data": ONES},
            "declared fp16 and made of fp32",
        ),
        (
            "sparse_to_dense", [(1 << 40,)],
            {
                "mask": constant(np.array([3]), "uint8"), "nonzero_data": ONES,
                "shape": constant(np.array([1 << 20, 1 << 20]), "uint32"),
            },
            "is too large",
        ),
        (
            "sparse_to_dense", [(5,)],
            {
                "mask": constant(np.array([0b100001]), "uint8"),
                "nonzero_data": constant(np.ones(1)), "shape": constant(np.array([5]), "uint32"),
            },
            "bits set behind the 5 of the mask",
        ),
        (
            "sparse_to_dense", [(5,)],
            {
                "mask": constant(np.array([1, 0]), "uint8"),
                "nonzero_data": constant(np.ones(1)), "shape": constant(np.array([5]), "uint32"),
            },
            r"a mask uint8 \[2\] for \[5\] elements",
        ),
        (
            "lut_to_dense", [(2, 2)], {"indices": DATA, "lut": LUT},
            "int8 indices into a table of 4 entries",
        ),
        (
            "lut_to_dense", [(2, 2)], {"indices": MASK, "lut": LUT},
            "uint1 indices into a table of 4 entries",
        ),
        ("lut_to_dense", [(3,)], {"indices": KEYS, "lut": LUT}, r"indices \[3\] and lut"),
        (
            "lut_to_dense", [(2, 2)],
            {"indices": MASK, "lut": constant(np.zeros((1, 1, 2, 3)))},
            "entries of 3 values and no vector_axis",
        ),
        (
            "lut_to_dense", [(2, 2)],
            {
                "indices": MASK, "lut": constant(np.zeros((1, 1, 2, 3))),
                "vector_axis": constant(np.array(2), "int32"),
            },
            "'vector_axis' is 2 of 2 dimensions",
        ),
        (
            "lut_to_dense", [(2, 2)],
            {
                "indices": MASK, "lut": constant(np.zeros((1, 1, 2, 3))),
                "vector_axis": constant(np.array(0), "int32"),
            },
            r"indices \[2, 2\] give \[6, 2\], not \[2, 2\]",
        ),
        (
            "lut_to_dense", [(2, 2)],
            {"indices": MASK, "lut": constant(np.zeros((2, 4, 2, 1)))},
            r"blocks \[2, 4\] that do not divide \[2, 2\]",
        ),
        (
            "lut_to_dense", [(2,)],
            {
                "indices": constant(np.array([1]), "uint8"), "lut": constant(np.zeros(3)),
                "shape": constant(np.array([2]), "uint32"),
            },
            "a table of 3 entries",
        ),
        (
            "lut_to_dense", [(9,)],
            {
                "indices": constant(np.array([1]), "uint8"), "lut": constant(np.zeros(2)),
                "shape": constant(np.array([9]), "uint32"),
            },
            r"1 x uint8 of 1-bit indices for \[9\]",
        ),
        (
            "lut_to_sparse", [("uint1", (2, 2)), (4,)],
            {"indices_mask": MASK, "indices_nonzero_data": KEYS, "lut": LUT},
            r"3 entries of 1 for \[4\]",
        ),
        (
            "lut_to_sparse", [(3,)],
            {"indices_mask": MASK, "indices_nonzero_data": KEYS, "lut": LUT},
            "1 outputs instead of 2",
        ),
        (
            "blockwise_shift_scale", [(2, 5)], {"data": DATA, "scale": ONES},
            r"blocks \[2, 2\] that do not divide \[2, 5\]",
        ),
        (
            "blockwise_shift_scale", [(2, 2)], {"data": DATA, "scale": ONES},
            r"data \[2, 4\] for \[2, 2\]",
        ),
        (
            "blockwise_shift_scale", [("int8", (2, 4))], {"data": DATA, "scale": DATA},
            "'scale' is int8",
        ),
        (
            "blockwise_shift_scale", [(2, 4)],
            {"data": DATA, "scale": ONES, "offset": constant(np.ones((1, 2)))},
            r"scale \[2, 2\] and offset \[1, 2\]",
        ),
        (
            "sparse_blockwise_shift_scale", [("uint1", (2, 2)), (2,)],
            {"data_mask": MASK, "nonzero_data": constant(np.ones(3, int), "int8"), "scale": ONES},
            r"a mask \[2, 2\] and data \[3\]",
        ),
        ("cast", [(2, 2)], {"source_val": KEYS}, r"a value \[3\] for \[2, 2\]"),
        ("cast", [(3,)], {"source_val": KEYS}, "uint2 cast to fp32"),
        (
            "affine_dequantize", [(2, 4)],
            {
                "quantized_data": DATA, "scale": ONES, "zero_point": DATA,
                "axis": constant(np.array(0), "int32"),
            },
            r"'c' \[2, 2\] along axis 0",
        ),
        (
            "affine_dequantize", [(2, 3)],
            {"quantized_data": DATA, "scale": ONES, "zero_point": DATA},
            r"data \[2, 4\] for \[2, 3\]",
        ),
        (
            "affine_dequantize", [(2, 4)],
            {
                "quantized_data": DATA, "scale": ONES, "zero_point": DATA,
                "axis": constant(np.array([0, 1]), "int32"),
            },
            r"'axis' is int32 \[2\]",
        ),
        (
            "affine_dequantize", [(2, 4)],
            {"quantized_data": DATA, "scale": ONES, "zero_point": DATA, "axis": TEXT},
            "'axis' is text",
        ),
        ("cast", [(None, 2)], {"source_val": ONES}, "the result 'w0' has no fixed shape"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together(
    kind: str, results: Any, arguments: dict[str, Constant], message: str
) -> None:
    with pytest.raises(ArtefactError, match=f"constexpr_{kind} 'w' .*{message}"):
        read(kind, *results, **arguments)
