"""Slices, gathers and scatters of ML Programs, element by element."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime import ArtefactError, ExecutionFailed
from fer_convert.coreml_runtime.fast import FastEngine, NotLowered, lower
from tests.fer_convert.coreml_runtime.both_engines import check_mil
from tests.fer_convert.coreml_runtime.one_operation import Array, constant, mil_program, run_mil

RNG = np.random.default_rng(31)


X = RNG.standard_normal((2, 3, 4, 5)).astype(np.float32)


def ints(*values: Any) -> Array:
    return np.array(values, np.int32)


def gathered(x: Array, indices: Array, axis: int, batch: int) -> Array:
    """tf.gather with batch_dims: every batch by itself."""
    if batch == 0:
        return np.take(x, indices, axis)
    return np.stack([gathered(a, b, axis - 1, batch - 1) for a, b in zip(x, indices, strict=True)])


@pytest.mark.parametrize(
    ("shape", "axis", "batch"),
    [
        ((), 2, 0), ((3,), -1, 0), ((2, 2), 1, 0), ((2,), 1, 1), ((2, 6), 1, 1), ((2, 6), 3, 1),
        ((2, 3), 2, 2), ((2, 3, 4), -1, 2), ((2, 3, 2, 2), 3, 2), ((2, 3, 4, 7), 3, 3),
        ((2, 0), 1, 1), ((0,), 2, 0),
    ],
)  # fmt: skip
def test_gather(shape: tuple[int, ...], axis: int, batch: int) -> None:
    indices = RNG.integers(-X.shape[axis], X.shape[axis], shape).astype(np.int32)
    wanted = gathered(X, indices, axis % 4, batch)
    check_mil("gather", {"x": X, "indices": indices, "axis": axis, "batch_dims": batch}, wanted)
    stored = {"x": X, "indices": constant(indices), "axis": axis, "batch_dims": batch}
    check_mil("gather", stored, wanted)


@pytest.mark.parametrize(
    ("shape", "batch"),
    [((4,), 0), ((3, 2), 0), ((2, 1), 1), ((2, 6, 3), 1), ((2, 3, 2), 2), ((2, 3, 4, 1), 2),
     ((0, 2), 0)],
)  # fmt: skip
def test_gather_nd(shape: tuple[int, ...], batch: int) -> None:
    limits = X.shape[batch : batch + shape[-1]]
    indices = np.stack([RNG.integers(-n, n, shape[:-1]) for n in limits], -1).astype(np.int32)
    wanted = np.zeros((*shape[:-1], *X.shape[batch + shape[-1] :]), np.float32)
    for at in itertools.product(*map(range, shape[:-1])):
        wanted[at] = X[(*at[:batch], *indices[at])]
    check_mil("gather_nd", {"x": X, "indices": indices, "batch_dims": batch}, wanted)


@pytest.mark.parametrize("axis", [0, 2, -1])
def test_along_an_axis(axis: int) -> None:
    shape = [*X.shape]
    shape[axis] = 6
    indices = RNG.integers(-X.shape[axis], X.shape[axis], shape).astype(np.int32)
    wanted = np.take_along_axis(X, indices, axis)
    check_mil("gather_along_axis", {"x": X, "indices": indices, "axis": axis}, wanted)
    updates = RNG.standard_normal(shape).astype(np.float32)
    wanted = X.astype(np.float64)
    for at in np.ndindex(*shape):
        place = list(at)
        place[axis] = indices[at]
        wanted[tuple(place)] += updates[at]
    inputs = {"data": X, "indices": indices, "updates": updates, "axis": axis}
    check_mil("scatter_along_axis", inputs, wanted, atol=1e-5)


CHECKED: list[tuple[str, str, dict[str, Any]]] = [
    ("gather", "x", {"indices": ints(0, -1), "axis": 1}),
    ("gather", "x", {"indices": ints([0, 3], [1, 1]), "axis": 1, "batch_dims": 1}),
    ("gather_along_axis", "x", {"indices": np.full((1, 3, 4, 5), 2, np.int32)}),
    ("gather_nd", "x", {"indices": ints([0, 3], [1, 0])}),
    ("scatter", "data", {"indices": ints(0, -1), "updates": X}),
    ("scatter_along_axis", "data", {"indices": -np.ones(X.shape, np.int32), "updates": X}),
    ("scatter_nd", "data", {"indices": ints([2], [0]), "updates": X}),
]


@pytest.mark.parametrize(("operation", "name", "inputs"), CHECKED)
def test_validated_indices(operation: str, name: str, inputs: dict[str, Any]) -> None:
    given = {name: X, **inputs, "validate_indices": True}
    program, feeds = mil_program(operation, given)
    with pytest.raises(ArtefactError, match="elements"):
        program.run(feeds)
    with pytest.raises(ExecutionFailed, match="onnxruntime"):
        FastEngine(program.graph, threads=1).run(feeds)
    feeds["indices"] = np.clip(inputs["indices"], 0, 1)
    wanted = program.run(feeds)["out0"]
    assert np.isfinite(wanted).all()
    check_mil(operation, given | {"indices": feeds["indices"]}, wanted)
    check_mil(operation, given | {"indices": constant(feeds["indices"])}, wanted)
    stored, _ = mil_program(operation, given | {"indices": constant(inputs["indices"])})
    with pytest.raises(NotLowered, match="out of range"):
        lower(stored.graph)


SLICES: list[tuple[Any, dict[str, Any]]] = [
    (np.s_[:, 1:3, ::2, -1], {"begin": (0, 1, 0, -1), "end": (2, 3, 4, 0), "stride": (1, 1, 2, 1),
                              "squeeze_mask": (False, False, False, True)}),
    (np.s_[::-1, 2:0:-1, :, 4:1:-2], {
        "begin": (1, 2, 0, 4), "end": (0, 0, 9, 1), "stride": (-1, -1, 1, -2),
        "begin_mask": (True, False, True, False), "end_mask": (True, False, False, False)}),
    (np.s_[1, -1, -2, 0], {"begin": (1, -1, -2, 0), "end": (0, 0, 0, 0),
                           "squeeze_mask": (True,) * 4}),
    (np.s_[0:0, :, 5:9, :], {"begin": (0, 0, 5, 0), "end": (0, 3, 9, 5)}),
    (np.s_[-1:, -2:-1, :-1, -9:9], {"begin": (-1, -2, 0, -9), "end": (2, -1, -1, 9)}),
    # Back from before the first: nothing.
    (np.s_[:, 1:3, -59::-2, 0:5:2], {
        "begin": (0, 1, -59, 0), "end": (2, 3, 0, 5), "stride": (1, 1, -2, 2),
        "end_mask": (False, False, True, False)}),
]  # fmt: skip


@pytest.mark.parametrize("computed", [False, True], ids=["constant", "computed"])
@pytest.mark.parametrize(("index", "options"), SLICES)
def test_slice_by_index(index: Any, options: dict[str, Any], computed: bool) -> None:
    inputs = dict(options)
    if computed:
        inputs |= {name: ints(*options[name]) for name in ("begin", "end")}
    check_mil("slice_by_index", {"x": X, **inputs}, X[index])


@pytest.mark.parametrize("operation", ["gather", "gather_nd"])
@pytest.mark.parametrize("batch", [-8, -1, 3])
def test_batch_dims_that_are_none(operation: str, batch: int) -> None:
    """onnxruntime does not look at them: -8 ended the process."""
    given = {"x": np.zeros((2, 3), np.float32), "indices": ints([0], [1]), "batch_dims": batch}
    program, feeds = mil_program(operation, given)
    with pytest.raises(ArtefactError, match="batch_dims"):
        program.run(feeds)
    with pytest.raises(NotLowered, match="batch_dims"):
        lower(program.graph)


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_a_slice_has_a_begin_for_each_axis(rank: int) -> None:
    x = np.zeros((2,) * rank, np.float32)
    with pytest.raises(ExecutionFailed, match="begin"):
        run_mil("slice_by_index", {"x": x, "begin": (0,) * (rank + 1), "end": (1,) * (rank + 1)})


@pytest.mark.parametrize(("index", "options"), SLICES)
def test_slice_update(index: Any, options: dict[str, Any]) -> None:
    wanted = X.copy()
    update = RNG.standard_normal(X[index].shape).astype(np.float32)
    wanted[index] = update
    check_mil("slice_update", {"x": X, "update": update, **options}, wanted)


@pytest.mark.parametrize("computed", [(), ("begin",), ("size",), ("begin", "size")])
@pytest.mark.parametrize(
    ("begin", "size", "index"),
    [
        ((0, 1, 2, 3), (2, 1, 2, 2), np.s_[:, 1:2, 2:4, 3:]),
        ((0, -2, -1, 0), (-1, 1, -1, -1), np.s_[:, 1:2, 3:, :]),
        ((1, 0, 0, 2), (1, 0, 4, -1), np.s_[1:, :0, :, 2:]),
    ],
)
def test_slice_by_size(begin: Any, size: Any, index: Any, computed: tuple[str, ...]) -> None:
    given = {"begin": begin, "size": size}
    inputs = {name: ints(*v) if name in computed else v for name, v in given.items()}
    check_mil("slice_by_size", {"x": X, **inputs}, X[index])


@pytest.mark.parametrize("axis", [0, 2, -1])
@pytest.mark.parametrize("mode", ["update", "add", "sub", "mul", "div", "max", "min"])
def test_scatter(mode: str, axis: int) -> None:
    shape = [*X.shape]
    shape[axis] = 2
    updates = RNG.uniform(0.5, 2, shape).astype(np.float32)
    apply: dict[str, Any] = {
        "update": lambda old, new: new, "add": np.add, "sub": np.subtract, "mul": np.multiply,
        "div": np.divide, "max": np.maximum, "min": np.minimum,
    }  # fmt: skip
    wanted = X.astype(np.float64)
    for position, index in enumerate((1, -2)):
        at: list[Any] = [slice(None)] * 4
        source = list(at)
        at[axis], source[axis] = index, position
        wanted[tuple(at)] = apply[mode](wanted[tuple(at)], updates[tuple(source)])
    inputs = {"data": X, "indices": ints(1, -2), "updates": updates, "axis": axis, "mode": mode}
    check_mil("scatter", inputs, wanted, rtol=1e-5, atol=1e-5)


def test_repeated_indices_add_up_and_integers_stay() -> None:
    data, updates = ints(1, 2, 3), ints(10, 20, 30)
    inputs = {"data": data, "indices": ints(0, 0, 2), "updates": updates}
    check_mil("scatter", inputs, ints(31, 2, 33), outputs=("int32",))
    inputs["indices"] = ints([0], [0], [2])
    check_mil("scatter_nd", inputs, ints(31, 2, 33), outputs=("int32",))
    check_mil("scatter", inputs | {"indices": ints(2, 1, 0), "mode": "max"}, ints(30, 20, 10),
              outputs=("int32",))  # fmt: skip


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("gather", {"x": X, "indices": ints([0], [0]), "batch_dims": 2, "axis": 1}, "2 batch_dims"),
    ("gather", {"x": X, "indices": ints(0, 1, 1), "batch_dims": 1, "axis": 1}, "1 batch_dims"),
    ("gather", {"x": X, "indices": ints(3), "axis": 1}, "failed"),
    ("gather_nd", {"x": X, "indices": ints([0], [0], [0]), "batch_dims": 1}, "1 batch_dims"),
    ("gather_nd", {"x": X, "indices": ints(0), "batch_dims": 1}, "1 batch_dims"),
    ("gather_nd", {"x": X, "indices": ints([0] * 5)}, "failed"),
    ("scatter", {"data": X, "indices": ints(0), "updates": X}, "updates"),
    ("scatter", {"data": X, "indices": ints(0), "updates": X, "mode": "xor"}, "xor"),
    ("scatter_nd", {"data": X, "indices": ints([9]), "updates": X[:1]}, "failed"),
]


@pytest.mark.parametrize(("operation", "inputs", "message"), REFUSED)
def test_refused(operation: str, inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(ArtefactError, match=message):
        run_mil(operation, inputs)


def test_a_gather_may_not_ask_for_terabytes() -> None:
    many = np.zeros(1 << 15, np.int32)
    with pytest.raises(ArtefactError, match="too large"):
        run_mil("gather", {"x": np.zeros((1, 1 << 15), np.float32), "indices": many})
    with pytest.raises(ArtefactError, match="too large"):
        x = np.zeros((1, 1 << 15), np.float32)
        run_mil("gather_nd", {"x": x, "indices": many.reshape(-1, 1)})
