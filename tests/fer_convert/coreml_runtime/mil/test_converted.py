"""The less common operations as coremltools itself writes them, in every opset that has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime import load_program
from fer_convert.coreml_runtime.fast import FastEngine
from tests.fer_convert.coreml_runtime.one_operation import Array
from tests.fer_convert.coreml_runtime.quiet import quiet

RNG = np.random.default_rng(43)


X = RNG.standard_normal((2, 4, 6, 6)).astype(np.float32)


BOXES = np.array([[0, 0, 3, 4], [1, 1, 2, 2]], np.float32)


CORNERS = {"target_height": 3, "target_width": 2, "sampling_mode": "ALIGN_CORNERS"}


PICTURE = {"sampling_mode": "bilinear", "align_corners": True}


def floats(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def ints(*values: Any) -> Array:
    return np.array(values, np.int32)


def of_every_opset(mb: Any, x: Any) -> list[Any]:
    kernel = mb.relu(x=mb.slice_by_size(x=x, begin=[0, 0, 0, 0], size=[2, 4, 2, 2]))
    return [
        mb.conv(x=x, weight=kernel),
        mb.conv_transpose(
            x=x, weight=floats(4, 3, 3, 2), bias=floats(6), strides=[2, 1], groups=2,
            pad_type="custom", pad=[1, 0, 0, 1],
        ),
        mb.conv_transpose(x=x, weight=floats(4, 3, 3, 2), strides=[2, 2], pad_type="same"),
        mb.conv_transpose(
            x=x, weight=floats(4, 3, 3, 3), strides=[2, 2], pad_type="same",
            output_shape=[2, 3, 11, 12],
        ),
        mb.l2_pool(x=x, kernel_sizes=[2, 3], strides=[2, 1], pad_type="same"),
        mb.upsample_nearest_neighbor(
            x=x, scale_factor_height=1.7, scale_factor_width=np.float32(0.7)
        ),
        mb.resize_nearest_neighbor(x=x, target_size_height=7, target_size_width=13),
        mb.upsample_bilinear(
            x=x, scale_factor_height=1.7, scale_factor_width=2.3, align_corners=False
        ),
        mb.resize_bilinear(
            x=x, target_size_height=7, target_size_width=4, sampling_mode="OFFSET_CORNERS"
        ),
        mb.affine(
            x=x, transform_matrix=floats(1, 6), output_height=3, output_width=5,
            padding_mode="constant", padding_value=0.0,
            coordinates_mode="normalized_minus_one_to_one", **PICTURE,
        ),
        mb.resample(
            x=x, coordinates=floats(2, 3, 5, 2), padding_mode="symmetric", padding_value=1.0,
            coordinates_mode="unnormalized", **PICTURE,
        ),
        mb.space_to_batch(x=x, block_shape=[2, 3], paddings=[[1, 1], [0, 3]]),
        mb.batch_to_space(x=x, block_shape=[2, 1], crops=[[1, 1], [0, 3]]),
        mb.reverse_sequence(x=x, lengths=[1, 2, 3, 4], seq_axis=2, batch_axis=1),
        mb.one_hot(
            indices=mb.cast(x=mb.reshape(x=x, shape=[-1]), dtype="int32"), one_hot_vector_size=3,
            on_value=np.float32(2), off_value=np.float32(0),
        ),
    ]  # fmt: skip


def before_ios_17(mb: Any, x: Any) -> list[Any]:
    return [mb.crop_resize(x=x, roi=BOXES.reshape(2, 1, 4, 1, 1), **CORNERS)]


def from_ios_16(mb: Any, x: Any) -> list[Any]:
    return [
        mb.reshape_like(
            x=x, ref_tensors=(x, x), begins=(0, 2), ends=(2, 0), end_masks=(False, True)
        ),
        mb.gather(x=x, indices=ints([0, 1], [2, 3]), axis=2, batch_dims=1),
        mb.gather_nd(x=x, indices=ints([[0, 1]], [[2, 3]]), batch_dims=1),
        mb.pixel_unshuffle(x=x, downscale_factor=np.uint32(2)),
        mb.upsample_bilinear(
            x=x, scale_factor_height=2, scale_factor_width=2, align_corners=False,
            half_pixel_centers=False,
        ),
        mb.topk(x=x, k=2, axis=1, sort=False, return_indices=False),
    ]  # fmt: skip


def from_ios_17(mb: Any, x: Any) -> list[Any]:
    steps = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    shifted = {"zero_point": np.int8(3), "scale": np.float32(0.1)}
    whole = mb.quantize(input=x, output_dtype="int8", **shifted)
    channels = mb.quantize(input=x, scale=steps, axis=1, output_dtype="uint8")
    two = np.uint32(2)
    return [
        mb.crop_resize(x=x, boxes=BOXES, box_indices=ints(0, 1), pad_value=2.0, **CORNERS),
        mb.resize(x=x, shape=[1, 9, 0], resized_dims=two, sampling_mode="UNALIGN_CORNERS"),
        mb.resize(x=x, shape=[9, 5], resized_dims=two, interpolation_mode="NEAREST_NEIGHBOR"),
        mb.dequantize(input=whole, **shifted),
        mb.dequantize(input=channels, scale=steps, axis=1),
        mb.reshape(x=x, shape=[1, 0, 0, -1, 0]),
        mb.scatter(
            data=x, indices=ints(1, 0), updates=floats(2, 2, 6, 6), axis=1, mode="add",
            validate_indices=True,
        ),
    ]  # fmt: skip


def from_ios_18(mb: Any, x: Any) -> list[Any]:
    end, stride = [1, 4, 6, 6], [1, 1, 1, 2]
    return [
        mb.slice_update(x=x, update=floats(1, 4, 6, 3), begin=[0] * 4, end=end, stride=stride),
        mb.scaled_dot_product_attention(query=x, key=x, value=x),
    ]


@pytest.mark.parametrize("half", [False, True], ids=["fp32", "fp16"])
@pytest.mark.parametrize("version", [15, 16, 17, 18])
def test_files_of_coremltools(version: int, half: bool, tmp_path: Path) -> None:
    """The shapes that coremltools infers are declared in the file, and the plan checks each."""
    groups: list[Callable[[Any, Any], list[Any]]] = [of_every_opset]
    groups += [before_ios_17] if version < 17 else [from_ios_17]
    groups += [from_ios_16] if version >= 16 else []
    groups += [from_ios_18] if version >= 18 else []
    with quiet():
        import coremltools as ct
        from coremltools.converters.mil import Builder as mb

        target = getattr(ct.target, f"iOS{version}")
        program = mb.program(input_specs=[mb.TensorSpec(shape=X.shape)], opset_version=target)(
            lambda x: tuple(result for group in groups for result in group(mb, x))
        )
        model = ct.convert(
            program,
            minimum_deployment_target=target,
            compute_precision=ct.precision.FLOAT16 if half else ct.precision.FLOAT32,
            pass_pipeline=ct.PassPipeline.DEFAULT if half else ct.PassPipeline.EMPTY,
        )
        model.save(str(tmp_path / "model.mlpackage"))
    saved = load_program(tmp_path / "model.mlpackage")
    feeds = {saved.graph.inputs[0].name: X}
    expected = saved.run(feeds, precision="fp32")
    computed = FastEngine(saved.graph, threads=1).run(feeds)
    for name, array in expected.items():
        np.testing.assert_allclose(computed[name], array, rtol=1e-4, atol=1e-4, err_msg=name)
    if half:
        for name, array in saved.run(feeds).items():
            np.testing.assert_allclose(array, expected[name], rtol=0.05, atol=0.1, err_msg=name)
