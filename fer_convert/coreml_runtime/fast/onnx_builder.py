"""The ONNX nodes and constants of a model under construction, and the shapes they have.

Values keep their names; what a lowering adds in between gets a name of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from math import prod
from typing import Any

import numpy as np

from fer_convert.coreml_runtime.element_types import Array, ElementType
from fer_convert.coreml_runtime.graph import Constant, Value

#: Constants of at most so many bytes lie in the model itself, where onnxruntime folds them.
INLINE_BYTES = 1024


OPSET = 18


_MOST_FOLLOWED = 1 << 16  # elements of vectors, at some 100 bytes and 100 ns each


_MOST_RUNS = 16


Shape = tuple[int | None, ...]


class Unlowered(Exception):
    """One operation has no translation; the message says why."""


class UnknownShapes(Unlowered):
    """A shape is not known, nor perhaps any that follows from it."""


class Builder:
    def __init__(self, inputs: Iterable[Value], taken: Iterable[str]) -> None:
        self.nodes: list[Any] = []
        self.initialisers: dict[str, Array] = {}
        self._taken = set(taken)
        self._constants: dict[tuple[int, str], str] = {}
        self._held: list[Constant] = []  # so that no id in _constants is used again
        self._infos: dict[str, Any] = {v.name: value_info(v) for v in inputs}
        self._inferred = 0  # nodes whose results are in _infos

    def node(self, kind: str, inputs: Sequence[str], count: int = 1, **attributes: Any) -> Any:
        """Add a node; the name of its result, or a tuple of ``count`` names."""
        from onnx import helper

        names = tuple(self._name() for _ in range(count))
        self.nodes.append(helper.make_node(kind, list(inputs), list(names), **attributes))
        return names if count > 1 else names[0]

    def array(self, array: Array) -> str:
        """A constant made by a lowering, or a weight in the shape it needs."""
        name = self._name()
        self.initialisers[name] = np.asarray(array, order="C")
        return name

    def constant(self, constant: Constant, kind: str = "") -> str:
        """A constant of the file, kept once however many operations read it."""
        key = (id(constant), kind)
        if key not in self._constants:
            self._held.append(constant)
            array = constant_array(constant)
            self._constants[key] = self.array(array.astype(kind) if kind else array)
        return self._constants[key]

    def name_result(self, computed: str, name: str, since: int) -> None:
        """Call a result ``name``; ``since`` is the first node that may have computed it."""
        for node in self.nodes[since:]:
            if computed in node.output:
                break
        else:  # a value that exists already, or a constant
            from onnx import helper

            self.nodes.append(helper.make_node("Identity", [computed], [name]))
            return
        for node in self.nodes[since:]:
            for names in (node.input, node.output):
                for position, found in enumerate(names):
                    if found == computed:
                        names[position] = name
        if computed in self._infos:
            info = self._infos.pop(computed)
            info.name = name
            self._infos[name] = info

    def shape(self, name: str) -> Shape | None:
        """The shape as ONNX infers it; None if not even the rank is known.

        Raises:
            UnknownShapes: the nodes before do not fit together.
        """
        if name in self.initialisers:
            return self.initialisers[name].shape
        if self._inferred < len(self.nodes):
            self._infer()
        if name not in self._infos:
            return None
        return _dimensions(self._infos[name])

    def largest(self) -> int:
        """How many elements the greatest value has, of those whose shape ONNX can infer."""
        if self._inferred < len(self.nodes):
            self._infer()
        shapes = [self.shape(name) for name in self._infos]
        return max((prod(size or 1 for size in shape) for shape in shapes if shape), default=0)

    def _infer(self) -> None:
        """Shapes of the nodes since the last call.

        ONNX follows the values of vectors too, which shapes are computed with: one object for each
        element, gigabytes where a hostile graph makes long ones. So it follows them through as many
        nodes as are known to read short ones, and what is left is inferred without them.
        """
        nodes, count = self.nodes[self._inferred :], 0
        shapes = self._shapes(nodes, follow=False)
        for _ in range(_MOST_RUNS):
            further = self._followable(nodes, shapes)
            if further == count or _complete(nodes, shapes):
                break
            # Again from the first, whose values may be needed further on.
            count, shapes = further, self._shapes(nodes[:further], follow=True)
            self._infos |= shapes
            shapes |= self._shapes(nodes[count:], follow=False)
        self._infos |= shapes
        self._inferred = len(self.nodes)

    def _followable(self, nodes: Sequence[Any], shapes: Mapping[str, Any]) -> int:
        """How many of ``nodes``, from the first, read few enough elements of vectors.

        Args:
            shapes: what is known of the results of ``nodes``.
        """
        total = 0
        written = {name for node in nodes for name in node.output}
        for count, node in enumerate(nodes):
            for name in node.input if _follows(node.op_type) else ():
                if name in self.initialisers:
                    shape: Shape | None = self.initialisers[name].shape
                else:
                    shape = _dimensions(shapes.get(name, self._infos.get(name)))
                length = None if shape is None else shape[0] if len(shape) == 1 else 0
                if length is None and name in written:
                    return count  # the nodes before may tell
                total += length or 0  # ONNX does not follow what has no length
            if total > _MOST_FOLLOWED:
                return count
        return len(nodes)

    def _shapes(self, nodes: Sequence[Any], *, follow: bool) -> dict[str, Any]:
        """What ONNX infers of the results of ``nodes``.

        Args:
            follow: whether it computes the values of vectors, as far as it can.

        Raises:
            UnknownShapes: the nodes do not fit together.
        """
        from onnx import helper, shape_inference

        if not nodes:
            return {}
        read = {name for node in nodes for name in node.input}
        written = [name for node in nodes for name in node.output]
        constants = {n: self.initialisers[n] for n in read & self.initialisers.keys()}
        small = {n: a for n, a in constants.items() if a.nbytes <= INLINE_BYTES}
        graph = helper.make_graph(
            nodes,
            "part",
            [self._infos[n] for n in sorted((read & self._infos.keys()) - set(written))]
            + [_array_info(n, a) for n, a in constants.items() if n not in small],
            [helper.make_empty_tensor_value_info(n) for n in written],
            initializer=[tensor(n, a) for n, a in small.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        try:
            inferred = shape_inference.infer_shapes(model, data_prop=follow).graph
        # An InferenceError: a concat of nothing, for example.
        except (MemoryError, shape_inference.InferenceError) as error:
            raise UnknownShapes("shapes that ONNX refuses") from error
        return {
            info.name: info
            for info in (*inferred.value_info, *inferred.output)
            if info.type.HasField("tensor_type")
        }

    def _name(self) -> str:
        name = f"#{len(self._taken)}"
        while name in self._taken:
            name += "#"
        self._taken.add(name)
        return name


@cache
def _follows(kind: str) -> bool:
    """Whether ONNX follows the values of vectors through nodes of ``kind``."""
    from onnx import defs

    return bool(defs.get_schema(kind, OPSET).has_data_propagation_function)


def _complete(nodes: Sequence[Any], shapes: Mapping[str, Any]) -> bool:
    """Whether ``shapes`` has every size of the results of ``nodes``: no value can tell more."""
    found = (_dimensions(shapes.get(name)) for node in nodes for name in node.output)
    return all(shape is not None and None not in shape for shape in found)


def _dimensions(info: Any) -> Shape | None:
    if info is None or not info.type.tensor_type.HasField("shape"):
        return None
    dimensions = info.type.tensor_type.shape.dim
    return tuple(d.dim_value if d.HasField("dim_value") else None for d in dimensions)


def constant_array(constant: Constant) -> Array:
    """A constant in the type in which ONNX computes it; an fp32 weight is not copied.

    Raises:
        Unlowered: text, or 64 bits.
    """
    stored = constant.read().reshape(constant.shape)
    array = np.asarray(stored, dtype=_numpy_type(constant.element), order="C")
    if array is not stored:
        constant.release()
    return array


def value_info(value: Value) -> Any:
    """The declaration of a value, in the type in which ONNX computes it."""
    from onnx import helper

    kind = helper.np_dtype_to_tensor_dtype(_numpy_type(value.element))
    return helper.make_tensor_value_info(value.name, kind, value.shape)


def value_type(value: Value) -> np.dtype[Any]:
    """The type in which ONNX computes a value: float32, int32 or bool."""
    return _numpy_type(value.element)


def tensor(name: str, array: Array) -> Any:
    """An array as a message of the model."""
    from onnx import numpy_helper

    return numpy_helper.from_array(array, name)


def _numpy_type(element: ElementType) -> np.dtype[Any]:
    if element.is_float:
        return np.dtype(np.float32)
    if element.name == "bool":
        return np.dtype(np.bool_)
    if element.name in _WIDE:
        raise Unlowered(f"{element.name} values")
    return np.dtype(np.int32)


_WIDE: Mapping[str, None] = dict.fromkeys(("int64", "uint32", "uint64", "string"))


def _array_info(name: str, array: Array) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(
        name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
    )
