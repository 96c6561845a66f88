"""In which form a network takes its image: channels, order of axes, a batch size baked in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fer_train.contract.errors import CheckpointError
from fer_train.contract.preprocess import PreprocessSpec

if TYPE_CHECKING:
    from torch import Tensor

Layout = Literal["NCHW", "NHWC"]

#: Sides that networks are usually made for, tried to tell which one this wants.
_USUAL_SIDES = (
    *(32, 40, 44, 48, 56, 60, 64, 80, 90, 96, 100, 112, 128, 160, 192, 197, 200),
    *(224, 227, 240, 256, 260, 288, 299, 300, 320, 380, 384, 448, 512),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How a network takes one image.

    Attributes:
        channels: 3, or 1 for a network of grey images.
        layout: order of its axes.
        batch: images it takes at once; above 1 the number is baked into it, and it is given the
            same image so often.
    """

    channels: int = 3
    layout: Layout = "NCHW"
    batch: int = 1

    def arrange(self, pixels: Tensor) -> Tensor:
        """Bring normalised pixels ``[N, 3, S, S]`` into this form; N is 1 if a batch is baked in.

        Of three equal grey channels the first is taken.
        """
        if self.channels == 1:
            pixels = pixels[:, :1]
        if self.layout == "NHWC":
            pixels = pixels.permute(0, 2, 3, 1)
        if self.batch > 1:
            pixels = pixels.repeat(self.batch, 1, 1, 1)
        return pixels

    def shape(self, side: int) -> list[int]:
        """Return the shape of its input."""
        image = [self.channels, side, side]
        return [self.batch, *(image if self.layout == "NCHW" else image[1:] + image[:1])]


def find_form(
    file: Path,
    run: Callable[[Tensor], object],
    *,
    spec: PreprocessSpec,
    batches: Sequence[int] = (),
) -> Form:
    """Find the form in which a network accepts an image of the size that is said.

    Args:
        run: the network; it raises what it likes when it does not accept its input.
        batches: sizes to try that may be baked in.

    Raises:
        CheckpointError: none; the message has the network's own words, and the size it accepts if
            that is a usual one. Or it takes one channel, and what is said of its pixels is colour.
    """
    first_error: Exception | None = None
    for form in _forms(batches):
        error = _refusal(run, form, spec.input_size)
        if error is None:
            _require_grey(file, form, spec)
            return form
        first_error = first_error or error
    side = spec.input_size
    sides = [s for s in _USUAL_SIDES if any(_refusal(run, f, s) is None for f in _forms(()))]
    if sides:
        hint = f"It accepts {', '.join(map(str, sides))} px: say that input_size in --preprocess."
    else:
        hint = f"It says: {_last_line(first_error)}"
    raise CheckpointError(
        f"{file} does not accept a [1, 3, {side}, {side}] float tensor, nor one of one channel.",
        hint=hint,
    ) from first_error


def _forms(batches: Sequence[int]) -> list[Form]:
    return [
        Form(channels=channels, layout=layout, batch=batch)
        for batch in (1, *batches)
        for layout in ("NCHW", "NHWC")
        for channels in (3, 1)
    ]


def _refusal(run: Callable[[Tensor], object], form: Form, side: int) -> Exception | None:
    import torch

    try:
        with torch.no_grad():
            run(torch.zeros(form.shape(side)))
    except Exception as error:  # every runtime has its own
        return error
    return None


def _require_grey(file: Path, form: Form, spec: PreprocessSpec) -> None:
    if form.channels == 3:
        return
    if spec.color != "gray":
        raise CheckpointError(
            f"{file} takes one channel, but --preprocess says color {spec.color}.",
            hint='Say "color": "gray".',
        )
    if len({*spec.mean}) > 1 or len({*spec.std}) > 1:
        raise CheckpointError(
            f"{file} takes one channel, but --preprocess has mean {list(spec.mean)} and std "
            f"{list(spec.std)}, one for each of three.",
            hint="Say the one number that was subtracted and the one it was divided by, or "
            '"scale": "0..1".',
        )


def _last_line(error: Exception | None) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__
