"""Shapes changed, axes padded, sequences turned round, windows slid: against NumPy and loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime import ArtefactError
from fer_convert.coreml_runtime.fast import FastEngine, NotLowered, lower
from tests.fer_convert.coreml_runtime.both_engines import check_mil
from tests.fer_convert.coreml_runtime.one_operation import Array, constant, mil_program, run_mil

RNG = np.random.default_rng(37)


X = RNG.standard_normal((2, 3, 4, 5)).astype(np.float32)


PAIR = X[0, 0, :2]  # [2, 5]


def ints(*values: Any) -> Array:
    return np.array(values, np.int32)


@pytest.mark.parametrize("computed", [False, True], ids=["constant", "computed"])
@pytest.mark.parametrize(
    ("x", "shape", "wanted"),
    [
        (X, (6, 20), (6, 20)),
        (X, (-1,), (120,)),
        (X, (0, 0, -1), (3, 4, 10)),
        (X, (0, -1, 0, 0), (2, 3, 4, 5)),
        (X, (2, 3, 0, -1), (2, 3, 4, 5)),
        (PAIR, (1, 0, -1, 0), (1, 1, 2, 5)),  # the specification's example, of iOS 17
        (PAIR, (0, 0, 2, 5), (1, 1, 2, 5)),
        (PAIR[0, :1], (1, 1), (1, 1)),
        (X[:0], (0, 3, 0, 5), (0, 3, 4, 5)),
    ],
)
def test_reshape(x: Array, shape: tuple[int, ...], wanted: tuple[int, ...], computed: bool) -> None:
    given = ints(*shape) if computed else shape
    check_mil("reshape", {"x": x, "shape": given}, x.reshape(wanted))


@pytest.mark.parametrize(
    ("begins", "ends", "masks", "shape"),
    [
        ([0, 1], [2, 0], [False, True], (2, 3, 5, 4)),
        ([1, 0], [-1, 1], [False, False], (3, 40)),
        ([0, 5], [3, 9], [False, False], (2, 3, 20)),
    ],
)
def test_reshape_like(
    begins: list[int], ends: list[int], masks: list[bool], shape: tuple[int, ...]
) -> None:
    """The shapes of the references, cut as the file says and joined."""
    first, second = np.zeros((2, 3, 20), np.float32), np.zeros((1, 5, 4), np.int32)
    if shape == (3, 40):
        second = np.zeros((40,), np.int32)
    bounds = {
        "begins": [np.int32(begin) for begin in begins],
        "ends": [np.int32(end) for end in ends],
        "end_masks": [np.bool_(mask) for mask in masks],
    }
    check_mil("reshape_like", {"x": X, "ref_tensors": [first, second], **bounds}, X.reshape(shape))


@pytest.mark.parametrize(("along", "batch"), [(1, 0), (0, 1), (3, 1), (-2, -1), (2, 0)])
def test_reverse_sequence(along: int, batch: int) -> None:
    lengths = RNG.integers(0, X.shape[along] + 1, X.shape[batch]).astype(np.int32)
    lengths[0] = X.shape[along]
    moved = np.moveaxis(X, (batch, along), (0, 1)).copy()
    for row, length in zip(moved, lengths, strict=True):
        row[:length] = row[:length][::-1].copy()
    wanted = np.moveaxis(moved, (0, 1), (batch, along))
    inputs = {"x": X, "lengths": lengths, "seq_axis": along, "batch_axis": batch}
    check_mil("reverse_sequence", inputs, wanted)
    with pytest.raises(ArtefactError, match="lengths"):
        run_mil("reverse_sequence", inputs | {"lengths": lengths + 1})


def test_a_sequence_needs_an_axis_of_its_own() -> None:
    program, feeds = mil_program("reverse_sequence", {"x": X, "lengths": ints(1, 2)})
    with pytest.raises(ArtefactError, match="both axis 0"):
        program.run(feeds)
    with pytest.raises(NotLowered, match="one axis"):
        lower(program.graph)


# Beyond the last two axes Core ML pads with constants alone: test_published_differences.
IMAGE_PADS = [(1, 2), (0, 0, 3, 1), (0, 0, 0, 0, 3, 1, 0, 4)]


@pytest.mark.parametrize(
    ("mode", "amounts"),
    [
        *(("constant", amounts) for amounts in [*IMAGE_PADS, (2, 1, 0, 3, 1, 1), (1, 0) * 4]),
        *(("reflect", amounts) for amounts in IMAGE_PADS),
        *(("replicate", amounts) for amounts in IMAGE_PADS),
    ],
)
def test_pad(mode: str, amounts: tuple[int, ...]) -> None:
    pairs = [(0, 0)] * (4 - len(amounts) // 2) + list(zip(amounts[::2], amounts[1::2], strict=True))
    options: dict[str, Any] = {"constant_values": -1.5} if mode == "constant" else {}
    names = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}
    wanted = np.pad(X, pairs, names[mode], **options)  # type: ignore[call-overload]
    inputs = {"x": X, "mode": mode, "constant_val": -1.5}
    check_mil("pad", {**inputs, "pad": amounts}, wanted)
    if len(amounts) == 8:
        fast = mode == "constant"
        check_mil("pad", {**inputs, "pad": ints(*amounts)}, wanted, fast=fast)


def test_replicated_beyond_its_size_and_a_truth_value() -> None:
    check_mil("pad", {"x": PAIR, "pad": (4, 3, 0, 9), "mode": "replicate"},
              np.pad(PAIR, [(4, 3), (0, 9)], "edge"))  # fmt: skip
    whole = ints([1, 2], [3, 4])
    padded = run_mil("pad", {"x": whole, "pad": (1, 0)}, outputs=("int32",))
    assert padded.tolist() == [[0, 1, 2], [0, 3, 4]]


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
@pytest.mark.parametrize(("size", "stride"), [(1, 1), (2, 1), (2, 2), (2, 3)])
def test_sliding_windows(axis: int, size: int, stride: int) -> None:
    starts = range(0, X.shape[axis] - size + 1, stride)
    windows = [np.moveaxis(X, axis, 0)[start : start + size] for start in starts]
    place = axis % 4
    wanted = np.moveaxis(np.stack(windows), (0, 1), (place, place + 1))
    check_mil("sliding_windows", {"x": X, "axis": axis, "size": size, "stride": stride}, wanted)


@pytest.mark.parametrize(
    ("operation", "inputs", "wanted"),
    [
        ("transpose", {"perm": (-1, 0, -2, 1)}, X.transpose(3, 0, 2, 1)),
        ("expand_dims", {"axes": (-1, 1, 0)}, X[None, None, ..., None]),
        ("reverse", {"axes": (-1, 0)}, X[::-1, :, :, ::-1]),
        ("reverse", {}, X[::-1, ::-1, ::-1, ::-1]),
        ("tile", {"reps": (1, 2, 1, 3)}, np.tile(X, (1, 2, 1, 3))),
        ("tile", {"reps": ints(2, 1, 1, 1)}, np.tile(X, (2, 1, 1, 1))),
        # As often as a mask is true, which may be nowhere.
        ("tile", {"reps": ints(1, 0, 1, 1)}, X[:, :0]),
        ("flatten2d", {"axis": -3}, X.reshape(2, 60)),
        ("flatten2d", {}, X.reshape(2, 60)),
        ("flatten2d", {"axis": 0}, X.reshape(1, 120)),
        ("band_part", {"lower": 0, "upper": -1}, np.triu(X)),
        ("band_part", {"lower": 2, "upper": 1}, np.tril(np.triu(X, -2), 1)),
        ("identity", {}, X),
    ],
)
def test_moves(operation: str, inputs: dict[str, Any], wanted: Array) -> None:
    check_mil(operation, {"x": X, **inputs}, wanted)


@pytest.mark.parametrize("axis", [0, -1, 2])
def test_joins(axis: int) -> None:
    check_mil("concat", {"values": [X, X[:, :, :, :]], "axis": axis}, np.concatenate([X, X], axis))
    check_mil("concat", {"values": [X], "axis": axis}, X)
    check_mil("stack", {"values": [X, -X, X], "axis": axis}, np.stack([X, -X, X], axis))
    empty = np.zeros([0 if i == axis % 4 else n for i, n in enumerate(X.shape)], np.float32)
    check_mil("concat", {"values": [empty, X, constant(empty)], "axis": axis}, X)


@pytest.mark.parametrize("interleave", [False, True])
@pytest.mark.parametrize("axis", [0, -1])
def test_scalars_join_to_a_vector(axis: int, interleave: bool) -> None:
    """As the sizes of ``x.view(x.size(0), -1)`` do."""
    first, second = np.array(3, np.int32), np.array(-1, np.int32)
    for values in ([first, second], [first, constant(second)], [constant(second), first]):
        inputs = {"values": values, "axis": axis, "interleave": interleave}
        check_mil("concat", inputs, [int(v) for v in values], outputs=("int32",))


@pytest.mark.parametrize("operation", ["reduce_sum", "reduce_max", "reduce_mean"])
def test_a_scalar_reduced_over_all_its_axes(operation: str) -> None:
    check_mil(operation, {"x": np.array(2.5, np.float32)}, np.float32(2.5))


@pytest.mark.parametrize(
    ("operation", "options", "message"),
    [
        ("pad", {"pad": (1, 1), "mode": "wrap"}, "wrap"),
        ("pad", {"pad": (1, 1) * 5}, "padding"),
        ("pad", {"pad": (5, 0), "mode": "reflect"}, "cannot be continued"),
        ("pad", {"pad": (1 << 30, 0), "mode": "replicate"}, "too large"),
        ("reshape", {"shape": (7, -1)}, "failed"),
        ("reshape_like", {"ref_tensors": [X], "begins": [np.int32(1)], "ends": [np.int32(3)],
                          "end_masks": [np.bool_(False)]}, "failed"),
        ("tile", {"reps": (1, 1)}, "reps"),
        ("tile", {"reps": (1, 1, -1, 1)}, "reps"),
        ("sliding_windows", {"axis": 0, "size": 3}, "failed"),
        ("squeeze", {"axes": (0,)}, "not all 1"),
    ],
)  # fmt: skip
def test_refused(operation: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArtefactError, match=message):
        run_mil(operation, {"x": X, **options})


@pytest.mark.parametrize(
    ("operation", "inputs", "message"),
    [
        ("pad", {"pad": (1, 1), "mode": "wrap"}, "wrap"),
        ("pad", {"x": ints(1, 2), "pad": (1, 1)}, "integers"),
        ("split", {"axis": 1, "num_splits": 2}, "may not be equal"),
        ("sliding_windows", {"axis": 0, "size": 3}, "smaller than its windows"),
        ("reshape_like", {"ref_tensors": [X], "begins": [ints(0)], "ends": [np.int32(4)],
                          "end_masks": [np.bool_(False)]}, "computed 'begins'"),
        ("space_to_batch", {"x": X[0], "block_shape": (1, 1), "paddings": (0, 0, 0, 0)}, "space"),
        ("concat", {"values": [X, X], "axis": 9}, "onnxruntime"),
    ],
)  # fmt: skip
def test_what_the_fast_engine_leaves_to_the_reference_engine(
    operation: str, inputs: dict[str, Any], message: str
) -> None:
    given = inputs if "values" in inputs else {"x": X, **inputs}
    outputs = ("fp32",) * inputs.get("num_splits", 1)
    program, _ = mil_program(operation, given, outputs=outputs)
    with pytest.raises(NotLowered, match=message):
        FastEngine(program.graph)
