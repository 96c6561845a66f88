"""Helpers shared by the training tests."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fer_train import cli

NUMERIC = tuple(str(index) for index in range(8))

#: The network of a training whose subject is not the network: two epochs in less than a second.
ARCH = "shufflenet_v2_x0_5"

#: Options of ``fertrain train`` with the smallest network and image.
SMALLEST = ("--arch", ARCH, "--weights", "none", "--input-size", 32)


class Ran(NamedTuple):
    """What one command did."""

    code: int
    out: str
    err: str


Fertrain = Callable[..., Ran]


def run_once(cache: Path, *arguments: object) -> Ran:
    """Run ``fertrain`` in this process for a fixture that many tests share."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setenv("FERTRAIN_CACHE", str(cache))
        patch.setattr(sys, "argv", ["fertrain", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    return Ran(int(ended.value.code or 0), out.getvalue(), err.getvalue())


def write_faces(
    root: Path, *, classes: Sequence[str] = NUMERIC, train: int = 3, val: int = 2, size: int = 40
) -> None:
    """Write ``root/{train,val}/<class>/<n>.png``: a seeded texture, brighter with the class."""
    random = np.random.default_rng(0)
    for split, count in (("train", train), ("val", val)):
        for index, name in enumerate(classes):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                save_image(folder / f"{number}.png", texture(random, size, base=20 * index))


def texture(random: np.random.Generator, size: int, *, base: int = 60) -> NDArray[np.uint8]:
    """Return smooth colour noise [size, size, 3]."""
    coarse = random.integers(base, base + 100, (6, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC))


def save_image(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write one image file."""
    Image.fromarray(pixels).save(path)
