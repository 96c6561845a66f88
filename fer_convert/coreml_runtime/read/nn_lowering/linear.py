"""Layers that multiply and look up: products of matrices, embeddings."""

from __future__ import annotations

from fer_convert.coreml_runtime.graph import Constant, Value
from fer_convert.coreml_runtime.read.nn_lowering.layer import Layer, Recipes

RECIPES = Recipes()


@RECIPES.operation("innerProduct")
def inner_product(layer: Layer) -> Value:
    """``x @ weights.T + bias``: input ``[*, inputChannels]``.

    An input of rank 4 or more is ``[*, C, H, W]`` with inputChannels = C * H * W, and the result
    ``[*, outputChannels, 1, 1]``.

    Fields: weights ``[outputChannels, inputChannels]``, bias ``[outputChannels]`` if hasBias,
    int8DynamicQuantize as in ``batchedMatmul``.
    """
    p = layer.params
    return _product(layer, "layer:linear", int(p.outputChannels), int(p.inputChannels))


@RECIPES.operation("batchedMatmul")
def batched_matmul(layer: Layer) -> Value:
    """Matrix product over the last two dimensions, leading ones broadcast.

    Inputs: A ``[*, M, K]`` and B ``[*, K, N]``, either stored transposed if transposeA or
    transposeB, a vector being one row of A or one column of B; or A alone ``[*, K]``, times weights
    ``[K, N]`` of weightMatrixFirstDimension and weightMatrixSecondDimension, which lie in the file
    column by column, plus bias ``[N]`` if hasBias (the transpose fields are then ignored).

    With int8DynamicQuantize the weights are 8-bit integers with one scale, and A becomes such while
    the model runs: the specification leaves open how, here with the one scale that makes its
    greatest magnitude 127.
    """
    p = layer.params
    a, *others = layer.inputs_between(1, 2)
    if others:
        turned = {"transpose_x": p.transposeA, "transpose_y": p.transposeB}
        return layer.add("layer:matmul", x=a, y=others[0], **turned)
    rows, columns = int(p.weightMatrixFirstDimension), int(p.weightMatrixSecondDimension)
    return _product(layer, "linear", columns, rows)


@RECIPES.operation("dot")
def dot(layer: Layer) -> Value:
    """Sum of products of two inputs ``[*, C, 1, 1]`` along their channels: ``[*, 1, 1, 1]``.

    Field ``cosineSimilarity`` divides each input by its length first.
    """
    a, b = layer.inputs_between(2, 2)
    if layer.params.cosineSimilarity:
        a, b = _normalized(layer, a), _normalized(layer, b)
    product = layer.add("mul", x=a, y=b)
    return layer.add("reduce_sum", x=product, axes=(-3,), keep_dims=True)


@RECIPES.operation("embedding")
def embedding(layer: Layer) -> Value:
    """Row of a table for every index: input ``[*, 1, 1, 1]``, result ``[*, outputChannels, 1, 1]``.

    Fields: weights ``[outputChannels, inputDim]`` (each index a column), bias ``[outputChannels]``
    if hasBias. An index outside the table is an error.
    """
    p = layer.params
    index = layer.add("squeeze", x=layer.x, axes=(-3, -2, -1))
    rows = _rows(layer, index, int(p.outputChannels), int(p.inputDim))
    return layer.add("expand_dims", x=rows, axes=(-2, -1))


@RECIPES.operation("embeddingND")
def embedding_nd(layer: Layer) -> Value:
    """Row of a table for every index: input ``[*, 1]``, result ``[*, embeddingSize]``.

    Fields: weights ``[embeddingSize, vocabSize]`` (each index a column), bias ``[embeddingSize]``
    if hasBias. An index outside the table is an error.
    """
    p = layer.params
    index = layer.add("squeeze", x=layer.x, axes=(-1,))
    return _rows(layer, index, int(p.embeddingSize), int(p.vocabSize))


def _product(layer: Layer, operation: str, outputs: int, inputs: int) -> Value:
    """``x @ weights.T + bias`` over the last axis of x."""
    x = layer.x
    if layer.params.int8DynamicQuantize:
        x = layer.add("layer:rounded_to_int8", x=x)
    weight, bias = layer.weight("weights", (outputs, inputs)), _bias(layer, outputs)
    return layer.add(operation, x=x, weight=weight, bias=bias)


def _bias(layer: Layer, width: int) -> Constant | None:
    return layer.weight("bias", (width,)) if layer.params.hasBias else None


def _normalized(layer: Layer, x: Value) -> Value:
    length = layer.add("reduce_l2_norm", x=x, axes=(-3,), keep_dims=True)
    return layer.add("real_div", x=x, y=layer.add("maximum", x=length, y=1e-12))


def _rows(layer: Layer, index: Value, width: int, count: int) -> Value:
    table, bias = layer.weight("weights", (width, count), transposed=True), _bias(layer, width)
    index = layer.cast(index, "int32")
    rows = layer.add("gather", x=table, indices=index, axis=0, validate_indices=True)
    return rows if bias is None else layer.add("add", x=rows, y=bias)
