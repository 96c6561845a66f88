"""Networks: other channels, orders, ranges, ends, batches; and traces that are not what they seem.

Each is judged in five formats elsewhere (`tests/fer_convert/source`); a row builds one of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.inputs.case import Case
from tests.inputs.programs import SIDE, classifier, faces

_GREY = json.dumps({"input_size": SIDE, "color": "gray", "scale": "0..1", "crop_margin": 0})
_LABELS = "fer2013"
_CLASSES = 7


class Tail(nn.Module):
    """The small classifier with something done to its scores."""

    def __init__(self, tail: Callable[[Tensor], object], *, channels: int = 3) -> None:
        super().__init__()
        self.network = classifier(classes=_CLASSES, channels=channels)
        with torch.no_grad():
            self.network[5].weight.mul_(20)
        self.tail = tail

    def forward(self, pixels: Tensor) -> object:
        return self.tail(self.network(pixels))


class Flattened(nn.Module):
    """A network that writes the batch size of its trace into a view."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Tail(lambda scores: scores)

    def forward(self, pixels: Tensor) -> Tensor:
        count = int(pixels.shape[0])
        pooled = functional.avg_pool2d(pixels, 8).view(count, 3 * 16)
        scores: Tensor = self.network(pixels) + pooled[:, :_CLASSES]
        return scores


class ChannelsLast(nn.Module):
    """A network as Keras has it: ``[N, S, S, 3]``."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Tail(lambda scores: scores)

    def forward(self, pixels: Tensor) -> Tensor:
        scores: Tensor = self.network(pixels.permute(0, 3, 1, 2))
        return scores


def build(
    folder: Path,
    network: nn.Module,
    *options: object,
    preprocess: object = _GREY,
    shape: tuple[int, ...] = (1, 3, SIDE, SIDE),
) -> Sequence[object]:
    """Trace a network on an example of a shape, and return the command that builds it."""
    program = folder / "model.pt"
    example = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    script = torch.jit.trace(network, example, check_trace=False, strict=False)
    torch.jit.save(script, program)  # type: ignore[no-untyped-call]
    text = preprocess if isinstance(preprocess, str) else json.dumps(preprocess)
    return [
        *("ferconv", "build", "--checkpoint", program, "--labels", _LABELS, "--preprocess", text),
        *("--fixtures", faces(folder), "--out", folder / "build", "--only", "torchscript"),
        *options,
    ]


def _with_tail(tail: Callable[[Tensor], object], *options: object) -> Callable[[Path], object]:
    return lambda folder: build(folder, Tail(tail).eval(), *options)


def _pixels(**said: object) -> Callable[[Path], Sequence[object]]:
    record = {"input_size": SIDE, "color": "rgb", "crop_margin": 0, **said}
    unit = 255 if said.get("scale") == "0..255" else 1  # else the answers would all be certain
    return lambda folder: build(folder, Tail(lambda s: s / unit).eval(), preprocess=record)


def _grey(folder: Path) -> Sequence[object]:
    network = Tail(lambda scores: scores, channels=1).eval()
    return build(folder, network, shape=(1, 1, SIDE, SIDE))


def _grey_said_colour(folder: Path) -> Sequence[object]:
    network = Tail(lambda scores: scores, channels=1).eval()
    said = {"input_size": SIDE, "color": "rgb", "scale": "0..1"}
    return build(folder, network, preprocess=said, shape=(1, 1, SIDE, SIDE))


def _training_mode(folder: Path) -> Sequence[object]:
    return build(folder, Tail(lambda scores: scores).train(), shape=(4, 3, SIDE, SIDE))


def _functional_dropout(folder: Path) -> Sequence[object]:
    return build(folder, Tail(lambda scores: functional.dropout(scores, 0.5)).eval())


def _another_size(folder: Path) -> Sequence[object]:
    flat = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(3 * 12 * 12, _CLASSES)).eval()
    return build(folder, flat, shape=(1, 3, 48, 48))


def _case(
    name: str,
    what: str,
    outcome: str,
    command: Callable[[Path], object],
    *says: str,
    code: int = 0,
) -> Case:
    passed = ("verdict PASS",) if code == 0 else ()
    return Case(
        name=name,
        what=what,
        outcome=outcome,
        command=command,  # type: ignore[arg-type]
        code=code,
        says=(*passed, *says),
    )


CASES = (
    _case(
        *("one-grey-channel", "A network of one grey channel, pixels 0..1 (the usual FER2013 CNN)"),
        "built; the grey channel is made inside the model",
        *(_grey, "takes one grey channel"),
    ),
    _case(
        *("grey-network-colour-said", "The same, with `--preprocess` that says colour"),
        "refused: it takes one channel",
        *(_grey_said_colour, "takes one channel", '"color": "gray"'),
        code=15,
    ),
    _case(
        *("bgr", "A network of OpenCV's BGR pixels, 0..255, with VGGFace's means"),
        "built; the channels are reversed inside the model",
        _pixels(color="bgr", scale="0..255", mean=[91.5, 103.9, 131.1]),
    ),
    _case(
        *("pixels-0-255", "A network of RGB pixels from 0 to 255"),
        *("built", _pixels(scale="0..255")),
    ),
    _case(
        *("pixels-one-mean", "`Normalize((0.5,), (0.5,))`: one mean and one std"),
        *("built", _pixels(mean=[0.5], std=[0.5])),
    ),
    _case(
        *("mean-of-255", "A mean of 127.5 without saying that pixels go to 255"),
        'refused, with what is probably meant: `"scale": "0..255"`',
        _pixels(mean=127.5, std=127.5),
        '"scale": "0..255"',
        code=15,
    ),
    _case(
        *("pixels-unsaid", "`--preprocess` without mean, std or scale"),
        "refused: what was not said is named",
        _pixels(),
        "does not say mean and std, nor scale",
        code=15,
    ),
    _case(
        *("softmax-inside", "A network that ends in its softmax"),
        "built; the softmax is cut off, and ferconv adds its own",
        _with_tail(lambda scores: scores.softmax(1)),
        "ended in a softmax",
    ),
    _case(
        *("softmax-by-hand", "A softmax written as exp / sum"),
        "built; the logarithms are taken as logits",
        _with_tail(lambda scores: scores.exp() / scores.exp().sum(1, keepdim=True)),
        "logarithms are taken",
    ),
    _case(
        *("percentages-inside", "Scores in percent: 100 times a softmax"),
        "built; the softmax is cut off",
        _with_tail(lambda scores: 100 * scores.softmax(1)),
        "its scores sum to 100",
    ),
    _case(
        *("log-softmax-inside", "A network that ends in log-softmax"),
        "built as it is",
        _with_tail(lambda scores: scores.log_softmax(1)),
        "log-softmax stays",
    ),
    _case(
        *("sigmoid-head", "A network that ends in a sigmoid per class"),
        "refused: its scores are no distribution",
        *(_with_tail(lambda scores: scores.sigmoid()), "ends in a sigmoid"),
        code=15,
    ),
    _case(
        *("several-outputs", "A network that returns scores and features, with `--output 0`"),
        "built; what is left out is named",
        _with_tail(lambda scores: (scores, scores.repeat(1, 9)), "--output", "0"),
        "left out: 1 [1, 63]",
    ),
    _case(
        *("several-outputs-unsaid", "The same without `--output`"),
        "refused: the outputs are listed",
        _with_tail(lambda scores: (scores, scores.repeat(1, 9))),
        "returns 2 outputs: 0 [1, 7]; 1 [1, 63]",
        code=15,
    ),
    _case(
        *("output-by-name", "A network that returns a dictionary, with `--output logits`"),
        "built",
        _with_tail(lambda s: {"logits": s, "embedding": s.repeat(1, 9)}, "--output", "logits"),
    ),
    _case(
        *("batch-baked-in", "A trace with a batch of 4 written into its views"),
        "built; that each face is computed 4 times is said",
        lambda folder: build(folder, Flattened().eval(), shape=(4, 3, SIDE, SIDE)),
        "computed 4 times",
    ),
    _case(
        *("channels-last", "A network of channels-last pixels, as Keras has them"),
        "built; they are moved inside the model",
        lambda folder: build(folder, ChannelsLast().eval(), shape=(1, SIDE, SIDE, 3)),
        "channels last",
    ),
    _case(
        *("convolution-head", "A network that ends in `[N, 7, 1, 1]`"),
        "built",
        _with_tail(lambda scores: scores[:, :, None, None]),
    ),
    _case(
        *("traced-in-training", "A trace made without `model.eval()`"),
        "refused: BatchNorm works in it as in training",
        *(_training_mode, "traced in training mode: batch_norm", "model.eval()"),
        code=15,
    ),
    _case(
        *("functional-dropout", "`F.dropout` without `training=self.training`"),
        "refused: its answers depend on chance",
        *(_functional_dropout, "training mode: dropout"),
        code=15,
    ),
    _case(
        *("another-size", "A network of 48 px, and `input_size` says 32"),
        "refused, with the size that it accepts",
        *(_another_size, "It accepts 48 px"),
        code=15,
    ),
)
