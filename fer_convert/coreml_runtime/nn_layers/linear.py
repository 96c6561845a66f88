"""Layers that multiply, look up or add constants: products, embeddings, scale and bias."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from fer_convert.coreml_runtime.nn_layers.table import LAYERS
from fer_convert.coreml_runtime.reference.operations import Call, View


@LAYERS.operation("innerProduct")
def inner_product(op: View) -> Call:
    """``x @ weights.T + bias``: input ``[*, inputChannels]``.

    An input of rank 4 or more is ``[*, C, H, W]`` with inputChannels = C * H * W, and the result
    ``[*, outputChannels, 1, 1]``.

    Fields: weights ``[outputChannels, inputChannels]``, bias ``[outputChannels]`` if hasBias,
    int8DynamicQuantize as in ``batchedMatmul``.
    """
    params = op.params
    product = _product(op, int(params.outputChannels), int(params.inputChannels))

    def kernel(x: Tensor) -> Tensor:
        if x.dim() < 4:
            return product(x)
        y = product(x.flatten(-3))
        return y.reshape(*y.shape, 1, 1)

    return op.call(kernel, "input")


@LAYERS.operation("batchedMatmul")
def batched_matmul(op: View) -> Call:
    """Matrix product over the last two dimensions, leading ones broadcast.

    Inputs: A ``[*, M, K]`` and B ``[*, K, N]``, either stored transposed if transposeA or
    transposeB, a vector being one row of A or one column of B; or A alone ``[*, K]``, times weights
    ``[K, N]`` of weightMatrixFirstDimension and weightMatrixSecondDimension, which lie in the file
    column by column, plus bias ``[N]`` if hasBias (the transpose fields are then ignored).

    With int8DynamicQuantize the weights are 8-bit integers with one scale, and A becomes such while
    the model runs: the specification leaves open how, here with the one scale that makes its
    greatest magnitude 127.
    """
    params = op.params
    if len(op.operation.arguments["input"]) > 1:

        def multiply(a: Tensor, b: Tensor) -> Tensor:
            a = a.unsqueeze(0) if a.dim() == 1 else a
            b = b.unsqueeze(1) if b.dim() == 1 else b
            return torch.matmul(a.mT if params.transposeA else a, b.mT if params.transposeB else b)

        return op.call(multiply, "input")
    rows, columns = int(params.weightMatrixFirstDimension), int(params.weightMatrixSecondDimension)
    return op.call(_product(op, columns, rows), "input")


@LAYERS.operation("dot")
def dot(op: View) -> Call:
    """Sum of products of two inputs ``[*, C, 1, 1]`` along their channels: ``[*, 1, 1, 1]``.

    Field ``cosineSimilarity`` divides each input by its length first.
    """
    cosine = op.params.cosineSimilarity

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        if cosine:
            a, b = F.normalize(a, dim=-3), F.normalize(b, dim=-3)
        return (a * b).sum(-3, keepdim=True)

    return op.call(kernel, "input")


@LAYERS.operation("embedding")
def embedding(op: View) -> Call:
    """Row of a table for every index: input ``[*, 1, 1, 1]``, result ``[*, outputChannels, 1, 1]``.

    Fields: weights ``[outputChannels, inputDim]`` (each index a column), bias ``[outputChannels]``
    if hasBias. An index outside the table is an error.
    """
    params = op.params
    table = _table(op, int(params.outputChannels), int(params.inputDim))

    def kernel(x: Tensor) -> Tensor:
        return F.embedding(x[..., 0, 0, 0].long(), table)[..., None, None]

    return op.call(kernel, "input")


@LAYERS.operation("embeddingND")
def embedding_nd(op: View) -> Call:
    """Row of a table for every index: input ``[*, 1]``, result ``[*, embeddingSize]``.

    Fields: weights ``[embeddingSize, vocabSize]`` (each index a column), bias ``[embeddingSize]``
    if hasBias. An index outside the table is an error.
    """
    params = op.params
    table = _table(op, int(params.embeddingSize), int(params.vocabSize))
    return op.call(lambda x: F.embedding(x[..., 0].long(), table), "input")


@LAYERS.operation("bias")
def bias(op: View) -> Call:
    """``x + bias`` with x ``[*, C, H, W]``.

    Fields: bias, and its shape: ``[1]``, ``[C]``, ``[1, H, W]`` or ``[C, H, W]``.
    """
    added = op.weight("bias", _channels_first(op.params.shape))
    return op.call(lambda x: x + added, "input")


@LAYERS.operation("scale")
def scale(op: View) -> Call:
    """``scale * x + bias`` with x ``[*, C, H, W]``.

    Fields: scale and bias (if hasBias), their shapes shapeScale and shapeBias: ``[1]``, ``[C]``,
    ``[1, H, W]`` or ``[C, H, W]``.
    """
    params = op.params
    factor = op.weight("scale", _channels_first(params.shapeScale))
    if not params.hasBias:
        return op.call(lambda x: factor * x, "input")
    added = op.weight("bias", _channels_first(params.shapeBias))
    return op.call(lambda x: factor * x + added, "input")


def _product(op: View, outputs: int, inputs: int) -> Callable[[Tensor], Tensor]:
    """``x @ weights.T + bias`` over the last axis of x."""
    weight = op.weight("weights", (outputs, inputs))
    bias = op.weight("bias", (outputs,)) if op.params.hasBias else None
    if not op.params.int8DynamicQuantize:
        return lambda x: F.linear(x, weight, bias)

    def quantised(x: Tensor) -> Tensor:
        scale = x.abs().max() / 127
        if scale == 0:
            return F.linear(x, weight, bias)
        return F.linear((x / scale).round() * scale, weight, bias)

    return quantised


def _table(op: View, width: int, rows: int) -> Tensor:
    table = op.weight("weights", (width, rows)).T.contiguous()
    return table + op.weight("bias", (width,)) if op.params.hasBias else table


def _channels_first(shape: Iterable[int]) -> tuple[int, ...]:
    sizes = tuple(int(size) for size in shape)
    if sizes in {(), (1,)}:
        return ()
    return (*sizes, 1, 1) if len(sizes) == 1 else sizes
