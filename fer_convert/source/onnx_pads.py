"""Write out what ``auto_pad`` of an ONNX file means: onnx2torch reads numbers alone.

CNTK (FER+) and TensorFlow write ``SAME_UPPER``; for one size of input it is a number on each side.
With dilations it follows the specification, which onnxruntime 1.32 does not: parity then fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx import ModelProto


def with_numbers(model: ModelProto) -> ModelProto:
    """Replace ``auto_pad`` by ``pads``, in place, and return the model.

    Args:
        model: its input has a fixed shape. An operation whose input's shape cannot be inferred
            stays as it is.
    """
    from onnx import helper, shape_inference

    inferred = shape_inference.infer_shapes(model).graph
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*inferred.input, *inferred.value_info)
    }
    shapes |= {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    for node in model.graph.node:
        said: dict[str, Any] = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        mode = said.get("auto_pad", b"NOTSET").decode()
        if mode == "NOTSET":
            continue
        kernel = said.get("kernel_shape") or shapes.get(node.input[-1], [])[2:]
        sides = shapes.get(node.input[0], [])[2:]
        if mode != "VALID" and (not sides or 0 in sides):
            continue
        for attribute in [a for a in node.attribute if a.name in ("auto_pad", "pads")]:
            node.attribute.remove(attribute)
        if mode != "VALID":
            pads = _same(sides, kernel, said, upper=mode == "SAME_UPPER")
            node.attribute.append(helper.make_attribute("pads", pads))
    return model


def _same(sides: list[int], kernel: list[int], said: dict[str, Any], *, upper: bool) -> list[int]:
    """Return what is added before each axis, then behind each (ONNX's order)."""
    strides = said.get("strides") or [1] * len(sides)
    dilations = said.get("dilations") or [1] * len(sides)
    before, behind = [], []
    for side, size, stride, dilation in zip(sides, kernel, strides, dilations, strict=True):
        reach = (-(-side // stride) - 1) * stride + (size - 1) * dilation + 1
        missing = max(reach - side, 0)
        less, more = missing // 2, missing - missing // 2
        before.append(less if upper else more)
        behind.append(more if upper else less)
    return before + behind
