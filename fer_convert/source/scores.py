"""From a program of any form to pixels -> logits: what its scores mean, told by graph and values.

A sum of 1 on one image proves little, and a softmax baked in is easily overlooked. So the graph is
asked how the network ends, and where that says nothing, its answers to several pictures are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fer_convert.source.form import Form, find_form
from fer_convert.source.graph import batch_sizes, before_softmax, end_of, training_operations
from fer_convert.source.outputs import Output, Way, at, choose_output, outputs_of, rows
from fer_train.contract.errors import CheckpointError, LabelMismatch, NonFiniteWeights
from fer_train.contract.labels import describe_order
from fer_train.contract.preprocess import PreprocessSpec

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

ScoreKind = Literal["logits", "log-probabilities", "probabilities"]

#: Ends that make logits whatever their values happen to be.
_LINEAR_ENDS = frozenset(
    f"aten::{name}"
    for name in (
        *("linear", "addmm", "matmul", "mm", "_convolution", "conv2d", "conv1d", "batch_norm"),
        *("mean", "adaptive_avg_pool2d", "avg_pool2d", "layer_norm"),
    )
)

#: How far a sum of probabilities may be from its mean, and two ways to compute them from each
#: other: a hundred roundings of float32.
_SLACK = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapted:
    """A network as `Source` has it, and what was done to have it so.

    Attributes:
        network: normalised ``[N, 3, S, S]`` -> logits ``[N, K]``; N is 1 if a batch is baked in.
        form, way, kind: how the program takes an image, where its scores are, and what they are.
        notes: sentences for the user.
    """

    network: nn.Module
    form: Form
    way: Way
    kind: ScoreKind
    notes: tuple[str, ...]


def adapt(
    program: torch.jit.ScriptModule,
    *,
    spec: PreprocessSpec,
    labels: tuple[str, ...],
    output: str | None,
    file: Path,
    form: Form | None = None,
) -> Adapted:
    """Make a program a network from normalised pixels to logits.

    Args:
        program: in evaluation mode, float32; it is not changed.
        labels: names of its classes, in order.
        output: which of its outputs, see `outputs.Output.name`.
        file: for messages.
        form: how it takes an image, where that is known.

    Raises:
        CheckpointError: traced in training mode, or no classifier of one image of that size.
        LabelMismatch: another number of classes.
        NonFiniteWeights: it answers NaN.
    """
    _refuse_training(file, training_operations(program))
    if form is None:
        form = find_form(file, program, spec=spec, batches=batch_sizes(program))
    pictures = [form.arrange(picture[None]) for picture in _pictures(spec)]
    answers = [_run(program, picture) for picture in pictures]
    chosen = choose_output(file, answers[0], wanted=output, batch=form.batch)
    scores = _scores(answers, chosen, form)
    if scores.shape[1] != len(labels):
        raise LabelMismatch(
            f"{file} has {scores.shape[1]} outputs but --labels names {len(labels)} classes.",
            hint=f"--labels says {describe_order(labels)}.",
        )
    kind, total = _kind(file, program, chosen, scores)
    notes = [*_about_form(file, form), *_about_output(answers[0], chosen)]
    network: nn.Module = program
    if kind == "log-probabilities":
        notes.append("Its log-softmax stays inside: the softmax of it is the same.")
    elif kind == "probabilities":
        assert total is not None
        cut = _cut(program, chosen, form, pictures, scores / total)
        unit = "" if math.isclose(total, 1, rel_tol=1e-3) else f" (its scores sum to {total:g})"
        if cut is not None:
            network, total = cut, None
            notes.append(f"It ended in a softmax{unit}, which was cut off: ferconv adds its own.")
        else:
            notes.append(
                f"It returns probabilities{unit}: their logarithms are taken as logits. Export it "
                "without its softmax for more precise small probabilities."
            )
    if form != Form() or chosen.way or chosen.tensor.dim() != 2 or total is not None:
        from fer_convert.source.adapter import Adapter

        network = Adapter(network, form=form, output=chosen.way, total=total)
    return Adapted(network=network, form=form, way=chosen.way, kind=kind, notes=tuple(notes))


def _refuse_training(file: Path, operations: list[str]) -> None:
    if not operations:
        return
    raise CheckpointError(
        f"{file} was traced in training mode: {', '.join(operations)} work in it as in training, "
        "so that its answers depend on chance or on the other images of a batch.",
        hint="Call model.eval() before torch.jit.trace (or torch.export.export), and save again. A "
        "functional dropout needs training=self.training, and a BatchNorm with "
        "track_running_stats=False has nothing to normalise one image with.",
    )


def _pictures(spec: PreprocessSpec) -> Tensor:
    """Return normalised pictures ``[8, 3, S, S]``: flat ones, ramps, and noise of three kinds."""
    import torch

    from fer_train.contract.network import PixelNormalizer

    side = spec.input_size
    generator = torch.Generator().manual_seed(0)
    ramp = torch.linspace(0, 255, side).expand(3, side, side)
    noise = [
        torch.nn.functional.interpolate(
            255 * torch.rand(1, 3, cells, cells, generator=generator), size=(side, side)
        )[0]
        for cells in (3, 8, side)
    ]
    flat = [torch.full((3, side, side), value) for value in (0.0, 110.0, 255.0)]
    rgb = torch.stack([*flat, ramp, ramp.transpose(1, 2), *noise])
    with torch.no_grad():
        pictures: Tensor = PixelNormalizer(spec)(rgb)
    return pictures


def _run(program: nn.Module, picture: Tensor) -> object:
    import torch

    with torch.no_grad():
        return program(picture)


def _scores(answers: list[object], chosen: Output, form: Form) -> Tensor:
    """Return ``[pictures, K]``: the first row of each answer."""
    import torch

    return torch.stack([rows(at(answer, chosen.way), form.batch)[0] for answer in answers])


def _kind(
    file: Path, program: torch.jit.ScriptModule, chosen: Output, scores: Tensor
) -> tuple[ScoreKind, float | None]:
    """Tell what scores are; if probabilities, what they sum to."""
    if not bool(scores.isfinite().all()):
        raise NonFiniteWeights(
            f"{file} answers NaN or infinity to a picture of the size and colour that are said.",
            hint="Look at its weights, and whether --preprocess says how its pixels were prepared.",
        )
    end = end_of(program, chosen.way)
    if end == "aten::sigmoid":
        raise _independent(file, "it ends in a sigmoid")
    if end == "aten::log_softmax":
        return "log-probabilities", None
    if end in _LINEAR_ENDS:
        return "logits", None
    low, high = float(scores.min()), float(scores.max())
    sums = scores.sum(dim=1)
    total = float(sums.mean())
    if low >= 0 and total > 0 and float((sums / total - 1).abs().max()) < _SLACK:
        return "probabilities", total
    if high <= 0 and float((scores.exp().sum(dim=1) - 1).abs().max()) < _SLACK:
        return "log-probabilities", None
    if low >= 0 and high <= 1:
        raise _independent(file, "all of its scores lie between 0 and 1 and their sums differ")
    return "logits", None


def _independent(file: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{file} scores each class on its own: {reason}. EmotionKit shows one distribution, whose "
        "probabilities sum to 1.",
        hint="Train with a softmax (cross-entropy) over the classes. If it was so trained, and the "
        "sigmoid was only added for showing, export the network without it.",
    )


def _cut(
    program: torch.jit.ScriptModule,
    chosen: Output,
    form: Form,
    pictures: list[Tensor],
    probabilities: Tensor,
) -> torch.jit.ScriptModule | None:
    """Cut a softmax off the end; None where the graph has none, or it was no plain one."""
    cut = before_softmax(program, chosen.way)
    if cut is None:
        return None
    logits = _scores([_run(cut, picture) for picture in pictures], chosen, form)
    difference = (logits.softmax(dim=1) - probabilities).abs().max()
    return cut if float(difference) < _SLACK else None


def _about_form(file: Path, form: Form) -> list[str]:
    notes = []
    if form.channels == 1:
        notes.append("It takes one grey channel, which is made inside the model.")
    if form.layout == "NHWC":
        notes.append("It takes its channels last; they are moved there inside the model.")
    if form.batch > 1:
        notes.append(
            f"{form.batch} images at once are baked into {file.name}: every face is computed "
            f"{form.batch} times. Export it with a batch of 1 to be so much faster."
        )
    return notes


def _about_output(answer: object, chosen: Output) -> list[str]:
    others = [o.text for o in outputs_of(answer) if o.way != chosen.way]
    if not others:
        return []
    return [f"Of its outputs, {chosen.text} is taken; left out: {'; '.join(others)}."]
