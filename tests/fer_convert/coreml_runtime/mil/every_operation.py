"""Examples of every ML Program operation, on values at which engines tend to differ.

`EXAMPLES` has an entry for each operation of the table; a test fails where one is missing. An
example is a function from `Values` to the arguments of `one_operation.mil_program`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tests.fer_convert.coreml_runtime.one_operation import Array, constant

Example = tuple[dict[str, Any], tuple[str, ...]]
Maker = Callable[["Values"], Example]

_LEAST, _MOST = -(1 << 31), (1 << 31) - 1

# Halves for rounding, quotients that round up to a whole number, exponents at which exp and its
# kind saturate, the ends of fp16, of int32 and of fp32, subnormals, and what is no number.
ODD = np.float32([
    0.0, -0.0, 0.1, -0.1, 0.2, 0.5, -0.5, 1.0, -1.0, 1.5, -1.5, 2.0, 2.5, -2.5, 3.0, -3.0, 7.0,
    -7.3, 20.5, -20.5, 88.8, -88.8, 104.0, -104.0, 65504.0, 65520.0, -65536.0, 8388609.0,
    2147483648.0, -2147483904.0, 1e-40, -1e-45, 1.2e-38, 1e30, -1e30, 3.4e38, -3.4e38,
    np.inf, -np.inf, np.nan,
])  # fmt: skip

# Where the order of a sum, which is not specified, must not decide.
TAME = np.float32([
    0.0, -0.0, 0.1, -0.1, 0.2, 0.5, -0.5, 1.0, -1.0, 1.5, -1.5, 2.0, 2.5, -2.5, 3.0, -3.0, 7.0,
    -7.3, 1e-40, -1e-45, 1.2e-38,
])  # fmt: skip

# A trigonometric function of a huge number has digits that depend on how it is reduced.
ANGLES = ODD[(np.abs(ODD) < 1e4) | ~np.isfinite(ODD)]

# NaN is neither the greatest nor the least: the specification does not say which it is.
ORDERED = ODD[~np.isnan(ODD)]

INTEGERS = np.int32(
    [_LEAST, _LEAST + 1, -8, -7, -3, -2, -1, 0, 1, 2, 3, 7, 8, 46341, _MOST - 1, _MOST]
)


class Values:
    """Arrays of the pools above, from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def odd(self, *shape: int) -> Array:
        return self._random.choice(ODD, shape)

    def ordered(self, *shape: int) -> Array:
        return self._random.choice(ORDERED, shape)

    def tame(self, *shape: int) -> Array:
        return self._random.choice(TAME, shape)

    def halves(self, *shape: int) -> Array:
        """Places at elements and between them."""
        return self._random.integers(-3, 12, shape).astype(np.float32) / 2

    def positive(self, *shape: int) -> Array:
        return np.abs(self.tame(*shape)) + np.float32(0.25)

    def ints(self, *shape: int) -> Array:
        return self._random.choice(INTEGERS, shape)

    def below(self, bound: int, *shape: int) -> Array:
        """Indices, negative ones included."""
        return self._random.integers(-bound, bound, shape).astype(np.int32)

    def truth(self, *shape: int) -> Array:
        return self._random.integers(0, 2, shape).astype(bool)

    def one_infinite(self, *shape: int) -> Array:
        """Tame values, and one that is not finite."""
        array = self.tame(*shape)
        array.reshape(-1)[self._random.integers(array.size)] = self._random.choice(
            np.float32([np.inf, -np.inf, np.nan])
        )
        return array


FLOAT, INT, BOOL = ("fp32",), ("int32",), ("bool",)
IMAGE = (2, 4, 6, 5)


def unary(pool: Array, **options: Any) -> list[Maker]:
    """The whole pool at once, as a scalar, and as nothing."""
    return [
        lambda v: ({"x": pool, **options}, FLOAT),
        lambda v: ({"x": np.array(pool[5], np.float32), **options}, FLOAT),
        lambda v: ({"x": pool[:0].reshape(0, 3), **options}, FLOAT),
    ]


def per_channel(pool: Array, **options: Any) -> list[Maker]:
    return [
        lambda v: (
            {
                "x": np.tile(pool, (1, 3, 1)),
                **{name: constant(np.float32(values)) for name, values in options.items()},
            },
            FLOAT,
        )
    ]


def pairs(outputs: tuple[str, ...] = FLOAT) -> list[Maker]:
    """Each value of the pool with each."""
    return [
        lambda v: ({"x": ODD[:, None], "y": ODD[None]}, outputs),
        lambda v: ({"x": np.array(2.5, np.float32), "y": constant(v.odd(4, 1))}, outputs),
        lambda v: ({"x": v.odd(2, 0), "y": v.odd(1)}, outputs),
    ]


def integer_pairs(outputs: tuple[str, ...] = INT) -> list[Maker]:
    return [
        lambda v: ({"x": INTEGERS[:, None], "y": INTEGERS[None]}, outputs),
        lambda v: ({"x": INTEGERS, "y": constant(np.int32(7))}, outputs),
    ]


def divisors() -> list[Maker]:
    """Dividing by 0 is an error, and by -1 may be one."""
    return [
        lambda v: ({"x": INTEGERS[:, None], "y": constant(np.int32([[-8, -3, 2, 7, _MOST]]))}, INT),
        lambda v: ({"x": INTEGERS, "y": constant(np.int32(-1))}, INT),
        lambda v: ({"x": INTEGERS, "y": np.array(0, np.int32)}, INT),
    ]


def reduced(*pools: str, outputs: tuple[str, ...] = FLOAT) -> list[Maker]:
    def make(pool: str, **options: Any) -> Maker:
        return lambda v: ({"x": getattr(v, pool)(2, 3, 5), **options}, outputs)

    return [
        *(make(pool, axes=(-1, 0), keep_dims=True) for pool in pools),
        make(pools[0]),
        lambda v: ({"x": v.tame(), "keep_dims": False}, outputs),
        *((lambda v: ({"x": v.ints(3, 4), "axes": (1,)}, INT),) if pools == ("ordered",) else ()),
    ]


def moved(*, scalar: bool = False, **options: Any) -> list[Maker]:
    """Floats, integers and, where ``scalar``, a value of no dimensions."""
    made: list[Maker] = [
        lambda v: ({"x": v.odd(*IMAGE), **options}, FLOAT),
        lambda v: ({"x": v.ints(*IMAGE), **options}, INT),
    ]
    return made + ([lambda v: ({"x": v.odd(), **options}, FLOAT)] if scalar else [])


def image(pool: str, *shape: int, **options: Any) -> Maker:
    return lambda v: ({"x": getattr(v, pool)(*(shape or IMAGE)), **options}, FLOAT)


def scattered(**options: Any) -> list[Maker]:
    def make(mode: str, pool: str) -> Maker:
        return lambda v: (
            {
                "data": getattr(v, pool)(4, 3), "indices": np.int32([2, -1]),
                "updates": getattr(v, pool)(2, 3), "mode": mode,
            },
            INT if pool == "ints" else FLOAT,
        )  # fmt: skip

    return [
        *(make(mode, "odd") for mode in ("update", "add", "sub", "mul", "div")),
        *(make(mode, "ordered") for mode in ("max", "min")),
        *(make(mode, "ints") for mode in ("update", "add", "sub", "mul", "max", "min")),
    ]


def windows(pool: str, **more: Any) -> list[Maker]:
    """Windows over one and two dimensions."""
    return [
        image(pool, kernel_sizes=(3, 2), strides=(2, 1), pad_type="custom", pad=(1, 0, 1, 1),
              **more),
        image(pool, 1, 2, 9, kernel_sizes=(3,), pad_type="same", **more),
        image("tame", kernel_sizes=(2, 2), strides=(2, 2), pad_type="valid", pad=(0, 0, 0, 0),
              ceil_mode=True, **more),
    ]  # fmt: skip


def resized(**options: Any) -> list[Maker]:
    """Finite: whether a sample at an element reads its neighbour, times 0, is not specified."""
    return [image("tame", **options), image("tame", 1, 1, 3, 4, **options)]


EXAMPLES: Mapping[str, Sequence[Maker]] = {
    # activations
    "clamped_relu": unary(ODD, alpha=0.3, beta=2.0),
    "elu": unary(ODD, alpha=0.7),
    "gelu": [
        *unary(ODD), *unary(ODD, mode="TANH_APPROXIMATION"),
        *unary(ODD, mode="SIGMOID_APPROXIMATION"),
    ],
    "leaky_relu": unary(ODD, alpha=0.3),
    "linear_activation": unary(ODD, alpha=-1.5, beta=0.5),
    "prelu": per_channel(ODD, alpha=[0.5, -2, 0]),
    "relu": unary(ODD),
    "relu6": unary(ODD),
    "scaled_tanh": unary(ODD, alpha=1.5, beta=0.7),
    "sigmoid": unary(ODD),
    "sigmoid_hard": unary(ODD, alpha=0.3, beta=0.5),
    "silu": unary(ODD),
    "softmax": [
        lambda v: ({"x": v.tame(3, 4), "axis": 0}, FLOAT),
        lambda v: ({"x": 100 * v.tame(3, 4)}, FLOAT),
        lambda v: ({"x": v.one_infinite(2, 3)}, FLOAT),
        lambda v: ({"x": np.float32([[-np.inf, 1, 2], [-3e38, 3e38, 0]])}, FLOAT),
        lambda v: ({"x": v.tame(), "axis": 0}, FLOAT),
    ],
    "softplus": unary(ODD),
    "softplus_parametric": per_channel(ODD, alpha=[0.5, -2, 0], beta=[1, 3, -0.5]),
    "softsign": unary(ODD),
    "thresholded_relu": unary(ODD, alpha=0.5),
    # blocks
    "depth_to_space": [image("odd", block_size=2)],
    "space_to_depth": [image("odd", 1, 2, 4, 6, block_size=2)],
    "pixel_shuffle": [image("odd", upscale_factor=2)],
    "pixel_unshuffle": [image("odd", 1, 2, 4, 6, downscale_factor=2)],
    "space_to_batch": [
        image("odd", 1, 2, 4, 6, block_shape=(2, 3), paddings=constant(np.int32([[1, 1], [0, 0]])))
    ],
    "batch_to_space": [
        image("odd", 6, 2, 4, 3, block_shape=(2, 3), crops=constant(np.int32([[1, 0], [0, 2]])))
    ],
    # comparison
    **{
        name: [*pairs(BOOL), *integer_pairs(BOOL)]
        for name in ("equal", "not_equal", "greater", "greater_equal", "less", "less_equal")
    },
    **{
        f"logical_{name}": [
            lambda v: ({"x": v.truth(2, 3), "y": v.truth(3)}, BOOL),
            lambda v: ({"x": v.truth(), "y": v.truth(2, 1)}, BOOL),
        ]
        for name in ("and", "or", "xor")
    },
    "logical_not": [lambda v: ({"x": v.truth(2, 3)}, BOOL), lambda v: ({"x": v.truth()}, BOOL)],
    "select": [
        lambda v: ({"cond": v.truth(3, 1), "a": v.odd(3, 4), "b": v.odd(4)}, FLOAT),
        lambda v: ({"cond": v.truth(3), "a": v.ints(3), "b": v.ints(1)}, INT),
        lambda v: ({"cond": v.truth(), "a": v.odd(), "b": v.odd()}, FLOAT),
        lambda v: ({"cond": v.truth(3, 4)}, INT),
    ],
    # convolution
    "conv": [
        lambda v: (
            {
                "x": v.tame(*IMAGE), "weight": constant(v.tame(6, 2, 3, 2)), "groups": 2,
                "bias": constant(v.tame(6)), "strides": (2, 1), "dilations": (1, 2),
                "pad_type": "custom", "pad": (1, 0, 2, 1),
            },
            FLOAT,
        ),
        lambda v: ({"x": v.tame(1, 2, 7), "weight": constant(v.tame(3, 2, 2))}, FLOAT),
        lambda v: (
            {"x": v.tame(1, 2, 3, 4, 5), "weight": constant(v.tame(1, 2, 2, 2, 2)),
             "pad_type": "same"},
            FLOAT,
        ),
    ],
    "conv_quantized": [
        lambda v: (
            {
                "x": v.halves(*IMAGE), "weight": constant(np.uint8(np.abs(v.below(9, 3, 4, 2, 2)))),
                "quantization_type": "linear", "nbits": 8,
                "quant_scale": constant(np.float32([0.5, 1, 0.25])),
                "quant_bias": constant(np.float32([0.5, 7, -2.5])),
            },
            FLOAT,
        )
    ],
    "conv_transpose": [
        lambda v: (
            {"x": v.tame(1, 2, 3, 4), "weight": constant(v.tame(2, 3, 3, 2)), "strides": (2, 1),
             "bias": constant(v.tame(3)), "pad_type": "custom", "pad": (1, 0, 0, 1)},
            FLOAT,
        )
    ],
    # creation
    "fill": [
        lambda v: ({"shape": np.int32([2, 3]), "value": float(v.odd())}, FLOAT),
        lambda v: ({"shape": (2, 0), "value": 3}, INT),
        lambda v: ({"shape": constant(np.int32([])), "value": True}, BOOL),
    ],
    "fill_like": [
        lambda v: ({"ref_tensor": v.odd(2, 3), "value": float(v.odd())}, FLOAT),
        lambda v: ({"ref_tensor": v.odd(), "value": 3}, INT),
    ],
    "one_hot": [
        lambda v: (
            {"indices": v.below(4, 2, 3), "one_hot_vector_size": 3, "axis": 1}, INT,
        ),
        lambda v: (
            {"indices": np.array(5, np.int32), "one_hot_vector_size": 3, "on_value": 1.5,
             "off_value": -0.5},
            FLOAT,
        ),
    ],
    "range_1d": [
        lambda v: ({"start": 0.0, "end": np.array(1, np.float32), "step": 0.1}, FLOAT),
        lambda v: ({"start": 2.5, "end": -2.5, "step": np.array(-0.2, np.float32)}, FLOAT),
        lambda v: ({"start": 5, "end": np.array(-4, np.int32), "step": -3}, INT),
        lambda v: ({"start": 5, "end": np.array(4, np.int32), "step": 1}, INT),
        lambda v: ({"start": np.array(5, np.int32), "end": 4, "step": 0}, INT),
    ],
    "shape": [
        lambda v: ({"x": v.odd(2, 0, 3)}, INT),
        lambda v: ({"x": v.odd()}, INT),
    ],
    "non_zero": [
        lambda v: ({"x": v.odd(3, 4)}, INT),
        lambda v: ({"x": v.below(2, 3, 4)}, INT),
        lambda v: ({"x": v.odd()}, INT),
        lambda v: ({"x": np.zeros((2, 3), np.float32)}, INT),
    ],
    "identity": moved(scalar=True),
    "band_part": moved(lower=1, upper=-1),
    # elementwise
    **{
        name: [*pairs(), *integer_pairs()] for name in ("add", "sub", "mul", "maximum", "minimum")
    },
    "real_div": [*pairs(), *divisors()],
    "floor_div": [*pairs(), *divisors()],
    "mod": [*pairs(), *divisors()],
    "pow": [
        *pairs(), lambda v: ({"x": INTEGERS[2:13, None], "y": np.int32([[0, 1, 2, 3, 5]])}, INT)
    ],
    "cast": [
        *(
            (lambda v, to=to: ({"x": ODD, "dtype": to}, (to,)))
            for to in ("fp32", "int8", "uint8", "int16", "uint16", "int32", "bool")
        ),
        *(
            (lambda v, to=to: ({"x": INTEGERS, "dtype": to}, (to,)))
            for to in ("fp32", "int8", "uint8", "int16", "uint16", "int32", "bool")
        ),
        lambda v: ({"x": v.truth(3), "dtype": "int32"}, INT),
    ],
    "abs": [*unary(ODD), lambda v: ({"x": INTEGERS}, INT)],
    **{name: unary(ODD) for name in (
        "acos", "asin", "atan", "atanh", "ceil", "cosh", "erf", "exp", "exp2", "floor", "inverse",
        "log", "round", "rsqrt", "sign", "sinh", "sqrt", "square", "tanh",
    )},
    **{name: unary(ANGLES) for name in ("cos", "sin", "tan")},
    "clip": [*unary(ODD, alpha=-1.0, beta=2.5), *unary(ODD, alpha=-np.inf, beta=np.inf)],
    "threshold": [*unary(ODD, alpha=0.2)],
    # indexing
    "gather": [
        lambda v: ({"x": v.odd(3, 4), "indices": v.below(4, 2, 2), "axis": 1}, FLOAT),
        lambda v: ({"x": v.ints(3), "indices": np.array(-1, np.int32)}, INT),
        lambda v: ({"x": v.odd(2, 3), "indices": v.below(3, 2, 2), "axis": 1, "batch_dims": 1},
                   FLOAT),
        lambda v: ({"x": v.odd(3), "indices": np.int32([3])}, FLOAT),
        lambda v: ({"x": v.odd(3), "indices": np.int32([-4])}, FLOAT),
    ],
    "gather_along_axis": [
        lambda v: ({"x": v.odd(3, 4), "indices": v.below(3, 2, 4)}, FLOAT),
        lambda v: ({"x": v.odd(3), "indices": np.int32([3])}, FLOAT),
    ],
    "gather_nd": [
        lambda v: ({"x": v.odd(3, 3, 2), "indices": v.below(3, 4, 2)}, FLOAT),
        lambda v: ({"x": v.odd(2, 3), "indices": v.below(3, 2, 1), "batch_dims": 1}, FLOAT),
        lambda v: ({"x": v.odd(2, 3), "indices": np.int32([[2, 0]])}, FLOAT),
    ],
    "scatter": scattered(),
    "scatter_along_axis": [
        lambda v: (
            {"data": v.ordered(4, 3), "indices": np.int32([[0, -1, 2]]),
             "updates": v.ordered(1, 3), "mode": "max"},
            FLOAT,
        )
    ],
    "scatter_nd": [
        lambda v: (
            {"data": v.odd(4, 3), "indices": np.int32([[0], [-1]]), "updates": v.odd(2, 3),
             "mode": "update"},
            FLOAT,
        )
    ],
    "slice_by_index": [
        lambda v: (
            {"x": v.odd(*IMAGE), "begin": (-1, 9, 4, 0), "end": (0, 0, -9, 99),
             "stride": (1, -1, -2, 3), "squeeze_mask": (True, False, False, False)},
            FLOAT,
        ),
        lambda v: ({"x": v.ints(5), "begin": np.int32([3]), "end": np.int32([2])}, INT),
    ],
    "slice_by_size": [
        lambda v: ({"x": v.odd(3, 4), "begin": np.int32([-2, 1]), "size": (-1, 2)}, FLOAT),
        lambda v: ({"x": v.odd(3), "begin": (2,), "size": (2,)}, FLOAT),
    ],
    "slice_update": [
        lambda v: (
            {"x": v.odd(4, 3), "update": v.odd(2, 3), "begin": (3, 0), "end": (0, 3),
             "stride": (-2, 1)},
            FLOAT,
        )
    ],
    # linear
    "linear": [
        lambda v: ({"x": v.tame(2, 3), "weight": constant(v.tame(4, 3)),
                    "bias": constant(v.odd(4))}, FLOAT),
        lambda v: ({"x": v.tame(2, 2, 3), "weight": constant(v.below(9, 4, 3))}, FLOAT),
        lambda v: ({"x": v.tame(3), "weight": constant(v.tame(4, 3))}, FLOAT),
    ],
    "matmul": [
        lambda v: ({"x": v.tame(2, 1, 3, 4), "y": v.tame(3, 5, 4), "transpose_y": True}, FLOAT),
        lambda v: ({"x": v.tame(4), "y": v.tame(4)}, FLOAT),
        lambda v: ({"x": v.tame(0, 4), "y": v.tame(4, 2)}, FLOAT),
        lambda v: ({"x": v.below(99, 2, 3), "y": v.below(99, 3, 2)}, INT),
    ],
    "einsum": [
        lambda v: ({"values": [v.tame(2, 3), v.tame(3, 4)], "equation": "ij,jk->ki"}, FLOAT)
    ],
    "scaled_dot_product_attention": [
        lambda v: (
            {"query": v.tame(1, 2, 3, 4), "key": v.tame(1, 2, 5, 4), "value": v.tame(1, 2, 5, 2),
             "attn_mask": v.tame(3, 5)},
            FLOAT,
        ),
        lambda v: (
            {"query": v.tame(1, 3, 4), "key": v.tame(1, 2, 4), "value": v.tame(1, 2, 2),
             "attn_mask": np.array([[True, False], [False, False], [True, True]])},
            FLOAT,
        ),
    ],
    # normalization
    "batch_norm": [
        lambda v: (
            {"x": v.odd(*IMAGE), "mean": constant(v.tame(4)), "variance": constant(v.positive(4)),
             "gamma": constant(v.tame(4)), "beta": constant(v.tame(4)), "epsilon": 1e-3},
            FLOAT,
        )
    ],
    "layer_norm": [
        lambda v: ({"x": v.tame(2, 3, 4), "axes": (-1,), "gamma": constant(v.tame(4))}, FLOAT),
        lambda v: ({"x": np.full((2, 3), 2.5, np.float32)}, FLOAT),
    ],
    "instance_norm": [
        lambda v: ({"x": v.tame(*IMAGE), "beta": constant(v.tame(4)),
                    "gamma": constant(v.positive(4))}, FLOAT),
        lambda v: ({"x": v.tame(1, 2, 1)}, FLOAT),
    ],
    "l2_norm": [image("tame"), image("one_infinite"),
                lambda v: ({"x": v.tame(2, 3, 4) * 0}, FLOAT)],
    "local_response_norm": [image("tame", size=3), image("tame", 1, 2, 5, size=4, k=0.5)],
    # pooling
    "max_pool": windows("ordered"),
    "avg_pool": [*windows("one_infinite", exclude_padding_from_average=True),
                 *windows("one_infinite", exclude_padding_from_average=False)],
    "l2_pool": windows("one_infinite"),
    # quantization
    "quantize": [
        lambda v: ({"input": ODD, "scale": 0.5, "zero_point": constant(np.int8(-3)),
                    "output_dtype": "int8"}, ("int8",)),
        lambda v: ({"input": ODD, "scale": 0.1, "zero_point": constant(np.uint8(200)),
                    "output_dtype": "uint8"}, ("uint8",)),
        lambda v: ({"input": ODD, "scale": 2.0, "output_dtype": "int8"}, ("int8",)),
    ],
    "dequantize": [
        lambda v: ({"input": np.int8([-128, 127, 0, 5]), "zero_point": constant(np.int8(-128)),
                    "scale": 0.1}, FLOAT)
    ],
    # reductions
    **{name: reduced("tame", "one_infinite") for name in (
        "reduce_sum", "reduce_mean", "reduce_l1_norm", "reduce_l2_norm", "reduce_sum_square",
        "reduce_log_sum_exp",
    )},
    "reduce_prod": reduced("tame"),
    **{name: reduced("ordered") for name in ("reduce_max", "reduce_min")},
    "reduce_log_sum": reduced("positive", "one_infinite"),
    **{name: [
        lambda v: ({"x": v.ordered(3, 4), "axis": 1}, INT),
        lambda v: ({"x": v.below(2, 3, 4), "axis": 0, "keep_dims": False}, INT),
        lambda v: ({"x": v.tame(5) * 0, "axis": 0}, INT),
    ] for name in ("reduce_argmax", "reduce_argmin")},
    "cumsum": [
        lambda v: ({"x": v.tame(3, 4), "axis": 1, "exclusive": True}, FLOAT),
        lambda v: ({"x": v.tame(5), "reverse": True}, FLOAT),
        lambda v: ({"x": v.ints(4)}, INT),
    ],
    "topk": [
        lambda v: ({"x": v.odd(2, 7), "k": 3, "axis": 1}, ("fp32", "int32")),
        lambda v: ({"x": v.odd(5), "k": 5, "axis": 0, "ascending": True}, ("fp32", "int32")),
        lambda v: ({"x": v.ints(6), "k": 2, "axis": 0}, ("int32", "int32")),
    ],
    "argsort": [
        lambda v: ({"x": v.odd(2, 7), "axis": 1}, INT),
        lambda v: ({"x": v.odd(7), "ascending": True}, INT),
    ],
    # reshaping
    "concat": [
        lambda v: ({"values": [v.odd(2, 3), v.odd(2, 0), constant(v.odd(2, 1))], "axis": -1},
                   FLOAT),
        lambda v: ({"values": [v.odd(2, 3), v.odd(2, 3)], "axis": 1, "interleave": True}, FLOAT),
        lambda v: ({"values": [v.ints(), v.ints()], "axis": 0}, INT),
    ],
    "reshape": [*moved(shape=(0, -1, 3)), lambda v: ({"x": v.odd(), "shape": (1, -1)}, FLOAT),
                lambda v: ({"x": v.odd(2, 0), "shape": (0, 3, 0)}, FLOAT)],
    "reshape_like": [
        lambda v: (
            {"x": v.odd(6, 4), "ref_tensors": [v.odd(2, 3), v.odd(4, 1)], "begins": [0, 0],
             "ends": [2, 1], "end_masks": [False, False]},
            FLOAT,
        )
    ],
    "transpose": [*moved(perm=(0, 3, -3, 2)),
                  lambda v: ({"x": v.odd(), "perm": constant(np.int32([]))}, FLOAT)],
    "expand_dims": moved(scalar=True, axes=(0, -1)),
    "squeeze": [lambda v: ({"x": v.odd(1, 3, 1), "axes": (-1,)}, FLOAT),
                lambda v: ({"x": v.odd(1, 1)}, FLOAT), lambda v: ({"x": v.odd()}, FLOAT),
                lambda v: ({"x": v.odd(1, 3), "axes": (1,)}, FLOAT)],
    "reverse": [*moved(axes=(1, -1)), *moved(scalar=True)],
    "reverse_sequence": [
        lambda v: ({"x": v.odd(3, 4), "lengths": np.int32([0, 4, 2]), "seq_axis": 1}, FLOAT),
        lambda v: ({"x": v.odd(1, 4), "lengths": np.int32([5]), "seq_axis": 1}, FLOAT),
    ],
    "pad": [
        *(
            maker
            for mode in ("reflect", "replicate")
            for maker in moved(pad=(1, 2, 0, 3), mode=mode)
        ),
        lambda v: ({"x": v.odd(2, 3), "pad": (1, 0, 0, 2), "constant_val": -np.inf}, FLOAT),
        lambda v: ({"x": v.odd(3), "pad": np.int32([2, 1])}, FLOAT),
        lambda v: ({"x": v.ints(2, 3), "pad": (1, 0), "constant_val": 7}, INT),
        lambda v: ({"x": v.odd(3), "pad": (3, 0), "mode": "reflect"}, FLOAT),
    ],
    "sliding_windows": moved(axis=2, size=3, stride=2),
    "tile": [*moved(reps=(1, 2, 1, 3)),
             lambda v: ({"x": v.odd(), "reps": constant(np.int32([]))}, FLOAT),
             lambda v: ({"x": v.odd(2), "reps": np.int32([0])}, FLOAT),
             lambda v: ({"x": v.odd(2), "reps": (-1,)}, FLOAT)],
    "split": [
        lambda v: ({"x": v.odd(2, 7), "axis": -1, "split_sizes": (1, 6)}, ("fp32", "fp32")),
        lambda v: ({"x": v.ints(6), "axis": 0, "num_splits": 2}, ("int32", "int32")),
        lambda v: ({"x": v.odd(3), "axis": 0, "split_sizes": np.int32([3, 0])}, ("fp32", "fp32")),
    ],
    "stack": [lambda v: ({"values": [v.odd(2), v.odd(2)], "axis": -1}, FLOAT),
              lambda v: ({"values": [v.ints(), v.ints()], "axis": 0}, INT)],
    "flatten2d": [*moved(axis=2), *moved(axis=0), lambda v: ({"x": v.odd()}, FLOAT)],
    # resizing
    "upsample_nearest_neighbor": resized(scale_factor_height=1.5, scale_factor_width=2.0),
    "resize_nearest_neighbor": resized(target_size_height=4, target_size_width=7),
    "upsample_bilinear": [*resized(scale_factor_height=1.7),
                          *resized(scale_factor_width=2.0, align_corners=False)],
    "resize_bilinear": [
        maker
        for mode in ("DEFAULT", "STRICT_ALIGN_CORNERS", "ALIGN_CORNERS", "OFFSET_CORNERS",
                     "UNALIGN_CORNERS")
        for maker in resized(target_size_height=3, target_size_width=8, sampling_mode=mode)
    ],
    "resize": [
        maker
        for kind in ("LINEAR", "NEAREST_NEIGHBOR")
        for mode in ("DEFAULT", "ALIGN_CORNERS", "UNALIGN_CORNERS")
        for maker in resized(shape=(0, 3), resized_dims=2, sampling_mode=mode,
                             interpolation_mode=kind)
    ],
    "crop": [image("odd", crop_height=(1, 2), crop_width=(0, 3)),
             image("odd", crop_height=(3, 3), crop_width=(0, 0))],
    # sampling
    "resample": [
        lambda v, mode=mode, padding=padding: (
            {"x": v.tame(1, 2, 4, 5), "coordinates": v.halves(1, 3, 4, 2), "sampling_mode": mode,
             "padding_mode": padding, "padding_value": 1.5, "coordinates_mode": "unnormalized",
             "align_corners": True},
            FLOAT,
        )
        for mode in ("bilinear", "nearest")
        for padding in ("constant", "border", "reflection", "symmetric")
    ],
    "affine": [
        lambda v: (
            {"x": v.tame(2, 1, 4, 5), "transform_matrix": v.tame(1, 6), "output_height": 3,
             "output_width": 4, "sampling_mode": "bilinear", "padding_mode": "constant",
             "padding_value": 0.0, "coordinates_mode": "normalized_minus_one_to_one",
             "align_corners": True},
            FLOAT,
        )
    ],
    "crop_resize": [
        lambda v: (
            {"x": v.tame(2, 1, 4, 5), "boxes": v.halves(2, 4), "target_height": 2,
             "target_width": 3, "pad_value": 0.5},
            FLOAT,
        ),
        lambda v: (
            {"x": v.tame(2, 1, 4, 5), "roi": v.halves(3, 1, 4, 1, 1), "target_height": 2,
             "target_width": 1, "sampling_mode": "ALIGN_CORNERS", "normalized_coordinates": True},
            FLOAT,
        ),
    ],
}  # fmt: skip
