"""Networks that bare weights belong to: by a name of timm, or by a Python function of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from fer_train.contract.architectures import build_model
from fer_train.contract.checkpoint import Checkpoint, write_checkpoint
from fer_train.contract.labels import EMOTIONS
from fer_train.contract.preprocess import PreprocessSpec
from tests.inputs.case import Case
from tests.inputs.programs import PIXELS, SIDE, classifier, faces

TIMM = "timm/mobilenetv3_small_050"

State = Mapping[str, Tensor]


def build(num_classes: int) -> nn.Module:
    """What a user's own module has."""
    return classifier(classes=num_classes)


def failing() -> nn.Module:
    raise ValueError("no such backbone")


def no_network() -> object:
    return {"layers": 3}


class Doubtful(nn.Module):
    """Which way it goes depends on the picture."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.network = classifier(classes=num_classes)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.network(x)
        return scores * 2 if float(x.mean()) > 0 else scores


def _own() -> State:
    return build(7).state_dict()


def _timm() -> State:
    torch.manual_seed(0)
    return build_model(TIMM, num_classes=7).state_dict()


def _built(arch: str, state: Callable[[], State] = _own) -> Callable[[Path], Sequence[object]]:
    def command(folder: Path) -> Sequence[object]:
        torch.save(dict(state()), folder / "weights.pt")
        return [
            *("ferconv", "build", "--checkpoint", folder / "weights.pt", "--arch", arch),
            *("--labels", "fer2013", "--preprocess", PIXELS, "--only", "torchscript"),
            *("--fixtures", faces(folder, count=1), "--out", folder / "build"),
        ]

    return command


def _mine(name: str) -> str:
    return f"{__name__}:{name}"


def _checkpoint_that_names(arch: str) -> Callable[[Path], Sequence[object]]:
    def command(folder: Path) -> Sequence[object]:
        checkpoint = Checkpoint(
            arch=arch,
            labels=EMOTIONS,
            preprocess=PreprocessSpec(input_size=SIDE),
            model=build(8).state_dict(),
        )
        write_checkpoint(folder / "best.pt", checkpoint)
        return [
            *("ferconv", "build", "--checkpoint", folder / "best.pt", "--only", "torchscript"),
            *("--fixtures", faces(folder, count=1), "--out", folder / "build"),
        ]

    return command


_PASS = "verdict PASS"

CASES = (
    Case(
        name="timm-by-name",
        what="Weights of a network of timm, with `--arch timm/NAME`",
        outcome="built",
        command=_built(TIMM, _timm),
        code=0,
        says=(_PASS, TIMM),
    ),
    Case(
        name="timm-without-prefix",
        what="timm's name without `timm/`, where torchvision has no such network",
        outcome="refused; the name to give is said",
        command=_built("mobilenetv3_small_050", _timm),
        code=12,
        says=("timm has it: --arch timm/mobilenetv3_small_050",),
    ),
    Case(
        name="timm-misspelt",
        what="A name that timm does not have",
        outcome="refused; near names are suggested",
        command=_built("timm/mobilenet_v3_small_050", _timm),
        code=12,
        says=("is not a network of timm", "Did you mean 'timm/mobilenetv3_small_050'"),
    ),
    Case(
        name="timm-without-linear",
        what="A network of timm that classifies with a convolution",
        outcome="refused; the reason, and TorchScript as the way out",
        command=_built("timm/dpn68"),
        code=12,
        says=("is a Conv2d without a Linear", "torch.jit.trace"),
    ),
    Case(
        name="hub-address",
        what="An address at a hub in place of a name (`timm/hf-hub:…`)",
        outcome="refused; nothing is fetched",
        command=_built("timm/hf-hub:somebody/network"),
        code=12,
        says=("is an address, not a name", "Allowed: timm/NAME"),
    ),
    Case(
        name="factory",
        what="A Python function of yours that builds the network: `--arch package.module:function`",
        outcome="built",
        command=_built(_mine("build")),
        code=0,
        says=(_PASS, "tests.inputs.architectures:build"),
    ),
    Case(
        name="factory-wrapped",
        what="The same, and weights that were saved from DataParallel",
        outcome="built; the prefix is left out, and that is said",
        command=_built(_mine("build"), lambda: {f"module.{k}": v for k, v in _own().items()}),
        code=0,
        says=(_PASS, "every name began with 'module.'"),
    ),
    Case(
        name="factory-other-weights",
        what="A function that builds another network than the weights are of",
        outcome="refused; what is missing and what is too much is named",
        command=_built(
            _mine("build"), lambda: {k.replace("5.", "head."): v for k, v in _own().items()}
        ),
        code=12,
        says=(
            "Missing in the file: 5.weight, 5.bias",
            "Not in the network: head.weight, head.bias",
        ),
    ),
    Case(
        name="factory-without-module",
        what="A module that is not there",
        outcome="refused; where it was looked for is said",
        command=_built("their_networks:build"),
        code=12,
        says=("there is no Python module 'their_networks' in", "run the command in the folder"),
    ),
    Case(
        name="factory-without-function",
        what="A module without that function",
        outcome="refused; what it has is listed",
        command=_built(_mine("make")),
        code=12,
        says=("has no 'make'", "build, failing, no_network, Doubtful"),
    ),
    Case(
        name="factory-raises",
        what="A function that raises an error",
        outcome="refused with that error, in one sentence",
        command=_built(_mine("failing")),
        code=12,
        says=("raises ValueError: no such backbone", "FER_DEBUG=1"),
    ),
    Case(
        name="factory-no-network",
        what="A function that returns no network",
        outcome="refused; what it returned is said",
        command=_built(_mine("no_network")),
        code=12,
        says=("returns a dict, not a network",),
    ),
    Case(
        name="factory-branches",
        what="A network that takes another way for some pictures",
        outcome="refused: a converted model has one way",
        command=_built(_mine("Doubtful"), lambda: Doubtful(7).state_dict()),
        code=42,
        says=("answers otherwise than its trace", "torch.where"),
    ),
    Case(
        name="checkpoint-names-code",
        what="A `best.pt` that names a Python function as its architecture",
        outcome="refused: only the command line may name code",
        command=_checkpoint_that_names(_mine("build")),
        code=12,
        says=("a checkpoint cannot name one",),
    ),
    Case(
        name="checkpoint-names-hub",
        what="A `best.pt` that names an address at a hub as its architecture",
        outcome="refused; nothing is fetched",
        command=_checkpoint_that_names("timm/hf-hub:somebody/network"),
        code=12,
        says=("is an address, not a name",),
    ),
)
