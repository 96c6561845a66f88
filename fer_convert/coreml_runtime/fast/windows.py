"""Convolution and pooling in ONNX.

Padding is ``[(before, after), …]`` per spatial dimension, or ``same`` / ``same_lower``, which ONNX
has as well: an odd row goes after, or before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from fer_convert.coreml_runtime.fast.batches import last_sizes
from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.translation import Source
from fer_convert.coreml_runtime.limits import check_size

Padding = Sequence[tuple[int, int]] | Literal["same", "same_lower"]


def flat(pads: Sequence[tuple[int, int]]) -> list[int]:
    """ONNX's order: every start, then every end."""
    return [before for before, _ in pads] + [after for _, after in pads]


def declared_padding(op: Source, rank: int) -> Padding:
    """The padding that an ML Program's operation declares, over ``rank`` dimensions."""
    kind = op.option("pad_type", str, "valid").lower()
    if kind == "same":
        return "same"
    if kind == "same_lower":
        return "same_lower"
    if kind not in {"valid", "custom"}:
        raise Unlowered(f"pad_type '{kind}'")
    amounts = op.integers("pad", (0,) * 2 * rank) if kind == "custom" else (0,) * 2 * rank
    return list(zip(amounts[::2], amounts[1::2], strict=True))


def pad_attributes(padding: Padding) -> dict[str, Any]:
    if padding == "same":
        return {"auto_pad": "SAME_UPPER"}
    if padding == "same_lower":
        return {"auto_pad": "SAME_LOWER"}
    assert not isinstance(padding, str)
    return {"pads": flat(padding)}


def convolution_pads(
    op: Source,
    x: str,
    padding: Padding,
    *,
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
) -> dict[str, Any]:
    """As `pad_attributes`; onnxruntime computes no padding of a dilated window itself, and another
    where the strides skip pixels."""
    if isinstance(padding, str):
        sizes = op.shape(x)[-len(kernel) :]
        window = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
        skips = any(s > k for k, s in zip(kernel, strides, strict=True))
        if None not in sizes or skips or window != list(kernel):
            padding = _same(sizes, window, strides, padding)
    return pad_attributes(padding)


def convolve_transposed(
    op: Source,
    x: str,
    weight: str,
    bias: str,
    *,
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int,
    padding: Padding,
    output: Sequence[int],
    sizes_decide: bool,
) -> str:
    """Transposed convolution, cut by ``padding``, which may be to size times stride.

    ``output`` is another spatial size: what it lacks is cut off, or filled with zeros, at the end.
    Where ``sizes_decide``, padding that leads to another is ignored: half is cut off at the start.
    """
    cuts = list(padding) if not isinstance(padding, str) else []
    if not cuts or output:
        sizes = last_sizes(op, x, len(kernel))
        whole = [
            (n - 1) * s + (k - 1) * d + 1
            for n, k, s, d in zip(sizes, kernel, strides, dilations, strict=True)
        ]
        wanted = list(output) or [n * s for n, s in zip(sizes, strides, strict=True)]
        surplus = [n - m for n, m in zip(whole, wanted, strict=True)]
        starts = [before for before, _ in cuts]
        if not cuts or (sizes_decide and surplus != [sum(pair) for pair in cuts]):
            starts = [max(0, n + (padding == "same_lower")) // 2 for n in surplus]
        cuts = [(start, n - start) for start, n in zip(starts, surplus, strict=True)]
    attributes: dict[str, Any] = {
        "kernel_shape": list(kernel), "strides": list(strides), "dilations": list(dilations),
        "group": groups, "pads": flat([(a, max(0, b)) for a, b in cuts]),
    }  # fmt: skip
    missing = [max(0, -after) for _, after in cuts]
    if not any(missing):
        inputs = (x, weight, bias) if bias else (x, weight)
        result: str = op.node("ConvTranspose", *inputs, **attributes)
        return result
    part = op.node("ConvTranspose", x, weight, **attributes)
    result = _zeros_around(op, part, [(0, more) for more in missing])
    if not bias:
        return result
    wide = op.node("Unsqueeze", bias, op.ints(*range(1, 1 + len(kernel))))
    return str(op.node("Add", result, wide))


def pool(
    op: Source,
    x: str,
    *,
    kind: Literal["max", "average", "l2"],
    kernel: Sequence[int],
    strides: Sequence[int],
    padding: Padding,
    ceil_mode: bool,
    exclude_padding: bool,
) -> str:
    """Pool ``x``; with ``ceil_mode`` the last window may hang over the padded edge.

    What hangs over is written as padding: so Core ML counts it, and the rule where the last window
    may start has changed between versions of ONNX.
    """
    sizes = op.shape(x)[-len(kernel) :]
    if isinstance(padding, str):
        pads = _same(sizes, kernel, strides, padding)
        over = [0] * len(pads)
    else:
        pads = list(padding)
        over = _overhang(sizes, kernel, strides, pads) if ceil_mode else [0] * len(pads)
    edge = [(before, after + extra) for (before, after), extra in zip(pads, over, strict=True)]
    refuse_large_windows(sizes, edge, kernel)
    if any(p >= k for pair, k in zip(edge, kernel, strict=True) for p in pair):
        raise Unlowered("padding as wide as its window")  # onnxruntime refuses it
    attributes: dict[str, Any] = {
        "kernel_shape": list(kernel), "strides": list(strides), "pads": flat(edge)
    }  # fmt: skip
    if kind != "average":
        result: str = op.node("MaxPool" if kind == "max" else "LpPool", x, **attributes)
        return result
    result = op.node("AveragePool", x, count_include_pad=int(not exclude_padding), **attributes)
    return result


def refuse_large_windows(
    sizes: Sequence[int | None], edge: Sequence[tuple[int, int]], kernel: Sequence[int]
) -> None:
    """onnxruntime would refuse them, too, but only as it runs.

    Raises:
        Unlowered: a window is larger than the padded image, where that has a known size.
    """
    for size, pair, k in zip(sizes, edge, kernel, strict=True):
        if size is not None and k > size + sum(pair):
            raise Unlowered("a window larger than its input")


def _zeros_around(op: Source, x: str, pads: Sequence[tuple[int, int]]) -> str:
    axes = range(-len(pads), 0)
    result: str = op.node("Pad", x, op.ints(*flat(pads)), op.scalar(0.0), op.ints(*axes))
    return result


def _same(
    sizes: Sequence[int | None],
    kernel: Sequence[int],
    strides: Sequence[int],
    padding: Literal["same", "same_lower"],
) -> list[tuple[int, int]]:
    """Padding in figures.

    Raises:
        Unlowered: a size is only known at run time.
        ValueError: more padding than can be allocated.
    """
    pads = []
    for size, k, s in zip(sizes, kernel, strides, strict=True):
        if size is None:
            raise Unlowered("padding by an unknown size")
        last = (size - 1) // s * s  # where the last window starts in the unpadded image
        total = max(0, last + k - size)
        check_size([size + total])
        less, more = total // 2, (total + 1) // 2
        pads.append((less, more) if padding == "same" else (more, less))
    return pads


def _overhang(
    sizes: Sequence[int | None],
    kernel: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[tuple[int, int]],
) -> list[int]:
    over = []
    for size, k, s, (before, after) in zip(sizes, kernel, strides, pads, strict=True):
        if size is None:
            raise Unlowered("ceil mode on an unknown size")
        last = -((k - before - after - size) // s) * s  # where the last window would start
        if last >= size + before:
            last -= s
        over.append(max(0, last + k - size - before - after))
    return over
