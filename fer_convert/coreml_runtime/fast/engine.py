"""onnxruntime on a lowered graph."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_convert.coreml_runtime.element_types import Array
from fer_convert.coreml_runtime.errors import ExecutionFailed
from fer_convert.coreml_runtime.fast.lower import Lowered, NotLowered, lower
from fer_convert.coreml_runtime.fast.onnx_builder import (
    INLINE_BYTES,
    OPSET,
    tensor,
    value_info,
    value_type,
)
from fer_convert.coreml_runtime.graph import Graph, Value
from fer_convert.coreml_runtime.limits import MOST_BYTES

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


_IR_VERSION = 10


class FastEngine:
    """A graph in onnxruntime's CPU provider, in fp32."""

    def __init__(self, graph: Graph, threads: int | None = None) -> None:
        """Lower ``graph`` and load it.

        Args:
            threads: of one operation; None means as many as PyTorch would take.

        Raises:
            NotLowered: something has no translation, or onnxruntime refuses the result.
        """
        lowered = lower(graph)
        self._graph = graph
        self._threads = threads or _default_threads()
        self._inputs, self._outputs, self._values = lowered.inputs, lowered.outputs, lowered.values
        # Not the lowered graph: onnxruntime has its own copy of most weights, in another layout.
        self._sessions: dict[tuple[str, ...], InferenceSession] = {
            (): _session(lowered, (), self._threads)
        }

    def run(self, feeds: Mapping[str, Array], *, capture: Collection[str] = ()) -> dict[str, Array]:
        """Compute the graph's outputs, a classifier's scores, and the values in ``capture``.

        Another set of captured values makes, and keeps, another session.

        Raises:
            KeyError: ``capture`` names an unknown value.
            ExecutionFailed: an operation failed, or an output has another shape than declared.
        """
        extra = tuple(sorted(set(capture) - set(self._outputs)))
        if extra not in self._sessions:
            self._sessions[extra] = _session(lower(self._graph), extra, self._threads)
        names = [*self._outputs, *extra]
        typed = {value.name: _entered(value, feeds[value.name]) for value in self._inputs}
        try:
            arrays = self._sessions[extra].run(names, typed)
        except Exception as error:  # onnxruntime's errors have no common class
            raise ExecutionFailed(f"onnxruntime failed: {_first_line(error)}") from error
        result = dict(zip(names, arrays, strict=True))
        for name, array in result.items():
            self._check_shape(name, array)
        return result

    def _check_shape(self, name: str, array: Array) -> None:
        declared = self._values[name].shape
        if declared is None:
            return
        if len(declared) != array.ndim or any(
            d not in (None, s) for d, s in zip(declared, array.shape, strict=True)
        ):
            raise ExecutionFailed(
                f"'{name}' was computed as {list(array.shape)}, but the file declares "
                f"{list(declared)}."
            )


def _entered(value: Value, feed: Any) -> Array:
    """A feed as ONNX computes it; an integer too large for the declared type wraps around."""
    array = np.asarray(feed)
    if array.dtype.kind in "iu" and value.element.numpy.kind in "iu":
        array = array.astype(value.element.numpy)
    return np.asarray(array, dtype=value_type(value), order="C")


def _session(lowered: Lowered, extra: tuple[str, ...], threads: int) -> InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 4  # a failure is an exception; nothing to print as well
    # Spinning workers starve PyTorch's pool, which shares the cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    _limit_memory()
    options.add_session_config_entry("session.use_env_allocators", "1")
    weights = {n: a for n, a in lowered.initialisers.items() if a.nbytes > INLINE_BYTES}
    options.add_external_initializers(
        list(weights),
        [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in weights.values()],
    )
    model = _model(lowered, extra)
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common class
        raise NotLowered([f"a graph that onnxruntime takes ({_first_line(error)})"]) from error


@cache
def _limit_memory() -> None:
    """Let all sessions of the process allocate `MOST_BYTES` together; beyond, an operation fails.

    Nothing of a hostile file is run before onnxruntime has it, and only it knows how large what it
    computes will be.
    """
    import onnxruntime

    kind = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR
    memory = onnxruntime.OrtMemoryInfo("Cpu", kind, 0, onnxruntime.OrtMemType.DEFAULT)
    as_requested = 1  # the default doubles what it takes each time
    limits = {"max_mem": MOST_BYTES, "arena_extend_strategy": as_requested}
    onnxruntime.create_and_register_allocator(memory, onnxruntime.OrtArenaCfg(limits))


def _model(lowered: Lowered, extra: tuple[str, ...]) -> bytes:
    from onnx import helper

    inputs = {value.name for value in lowered.inputs}
    outputs = (*lowered.outputs, *extra)
    if any(name in inputs for name in outputs):
        raise NotLowered(["an input that is an output"])
    graph = helper.make_graph(
        list(lowered.nodes),
        "graph",
        [value_info(value) for value in lowered.inputs],
        [_output(lowered, name) for name in outputs],
        initializer=[
            _external(name, array) if array.nbytes > INLINE_BYTES else tensor(name, array)
            for name, array in lowered.initialisers.items()
        ],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION
    )
    serialised: bytes = model.SerializeToString()
    return serialised


def _output(lowered: Lowered, name: str) -> Any:
    from onnx import helper

    kind = helper.np_dtype_to_tensor_dtype(value_type(lowered.values[name]))
    return helper.make_tensor_value_info(name, kind, None)


def _external(name: str, array: Array) -> Any:
    """A tensor whose data the session is given beside the model."""
    from onnx import TensorProto, helper

    message = TensorProto(name=name, dims=array.shape)
    message.data_type = helper.np_dtype_to_tensor_dtype(array.dtype)
    message.data_location = TensorProto.EXTERNAL
    message.external_data.add(key="location", value="in memory")
    return message


def _default_threads() -> int:
    import torch

    return torch.get_num_threads()


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
