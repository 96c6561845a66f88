"""PreprocessSpec: everything that decides which pixels a network sees. Data only.

The spec is written by training, stored in the checkpoint, compiled into every exported network
and repeated in its metadata. `pixels` applies the part outside the network, `network` the part
inside.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, cast, get_args

from fer_train.contract.errors import CheckpointError

Color = Literal["gray", "rgb", "bgr"]
#: What fertrain trains in. BGR is for networks from elsewhere.
TrainingColor = Literal["gray", "rgb"]
Resize = Literal["bilinear-antialias"]

#: ITU-R BT.601 luma weights for R, G, B; what "grayscale" means everywhere in this project.
LUMA: tuple[float, float, float] = (0.299, 0.587, 0.114)

#: ImageNet's channel statistics on the 0..1 scale; what a pretrained torchvision backbone expects.
IMAGENET_MEAN: tuple[float, float, float] = (0.485, 0.456, 0.406)
IMAGENET_STD: tuple[float, float, float] = (0.229, 0.224, 0.225)

MIN_INPUT_SIZE = 32  # px: the six backbones divide the image by 32
MAX_INPUT_SIZE = 1024  # px


@dataclass(frozen=True, slots=True, kw_only=True)
class PreprocessSpec:
    """From a photo and a face box to the numbers the backbone receives.

    Attributes:
        crop_margin: the face box becomes a square of side ``(1 + crop_margin) * longer side``.
        input_size: side of the network's square input, in pixels.
        resize: filter from the square region to ``input_size``.
        color: ``gray`` replaces RGB by BT.601 luma on three equal channels, unrounded; ``bgr`` is
            the order of networks that were trained on OpenCV's images.
        mean, std: per channel, on the 0..1 scale, applied after the colour rule and in its order.

    Raises:
        CheckpointError: a value outside its range.
    """

    crop_margin: float = 0.3
    input_size: int = 48
    resize: Resize = "bilinear-antialias"
    color: Color = "gray"
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    def __post_init__(self) -> None:
        _check(
            MIN_INPUT_SIZE <= self.input_size <= MAX_INPUT_SIZE,
            "input_size",
            self.input_size,
            f"{MIN_INPUT_SIZE} to {MAX_INPUT_SIZE} pixels",
        )
        _check(0 <= self.crop_margin <= 2, "crop_margin", self.crop_margin, "0 to 2")
        _check(self.color in get_args(Color), "color", self.color, " or ".join(get_args(Color)))
        _check(
            self.resize in get_args(Resize), "resize", self.resize, " or ".join(get_args(Resize))
        )
        for name, values in (("mean", self.mean), ("std", self.std)):
            ok = len(values) == 3 and all(math.isfinite(v) and 0 <= v <= 1 for v in values)
            _check(ok, name, values, "three numbers from 0 to 1")
        _check(min(self.std) > 0, "std", self.std, "three numbers above 0")

    def to_dict(self) -> dict[str, Any]:
        """Return plain primitives, ready for JSON and for ``weights_only`` loading."""
        values = asdict(self)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PreprocessSpec:
        """Rebuild a spec from `to_dict`'s output.

        Raises:
            CheckpointError: a field is missing, unknown, of the wrong type or out of range.
        """
        expected = {field.name for field in fields(cls)}
        if set(values) != expected:
            raise CheckpointError(
                f"The preprocess record has the fields {sorted(values)}.",
                hint=f"Expected exactly {sorted(expected)}.",
            )
        try:
            return cls(
                crop_margin=float(values["crop_margin"]),
                input_size=int(values["input_size"]),
                resize=cast(Resize, values["resize"]),
                color=cast(Color, values["color"]),
                mean=_triple(values["mean"]),
                std=_triple(values["std"]),
            )
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"The preprocess record is not usable: {error}.") from error


def _triple(values: Any) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third


def _check(condition: bool, name: str, seen: object, allowed: str) -> None:
    if not condition:
        raise CheckpointError(f"preprocess.{name} is {seen!r}.", hint=f"Allowed: {allowed}.")
