"""Containers of weights: nested, wrapped, renamed, of other formats, or no weights at all."""

from __future__ import annotations

import argparse
import io
import pickle
import sys
import types
import zipfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fer_train.contract.architectures import build_model
from tests.inputs.case import Case
from tests.inputs.programs import PIXELS, faces

ARCH = "shufflenet_v2_x0_5"  # torchvision's smallest
FEATURES = 1024  # that its head receives

State = dict[str, Tensor]


@cache
def _weights(arch: str = ARCH) -> State:
    torch.manual_seed(0)
    return dict(build_model(arch, num_classes=7).state_dict())


def _ferconv(folder: Path, file: Path, *options: object, arch: str = ARCH) -> Sequence[object]:
    return [
        *("ferconv", "build", "--checkpoint", file, "--arch", arch, "--labels", "fer2013"),
        *("--preprocess", PIXELS, "--fixtures", faces(folder, count=1), "--out", folder / "build"),
        *("--only", "torchscript", *options),
    ]


def _saved(
    make: Callable[[], Any], *options: object, name: str = "weights.pt", arch: str = ARCH
) -> Callable[[Path], Sequence[object]]:
    """The command on what ``torch.save`` makes of a record."""

    def command(folder: Path) -> Sequence[object]:
        torch.save(make(), folder / name)
        return _ferconv(folder, folder / name, *options, arch=arch)

    return command


def _written(
    content: Callable[[], bytes], name: str, *, tool: str = "ferconv"
) -> Callable[[Path], Sequence[object]]:
    """The command on a file of these bytes."""

    def command(folder: Path) -> Sequence[object]:
        file = folder / name
        file.write_bytes(content())
        if tool == "predict":
            picture = next(faces(folder, count=1).iterdir())
            return ["ferconv", "predict", file, picture]
        return _ferconv(folder, file)

    return command


def _prefixed(prefix: str) -> State:
    return {prefix + key: value for key, value in _weights().items()}


def _with_head(old: str, **more: Tensor) -> State:
    kept = {key: value for key, value in _weights().items() if not key.startswith("fc.")}
    head = {f"{old}.{name}": _weights()[f"fc.{name}"] for name in ("weight", "bias")}
    return {**kept, **head, **more}


def _without_counters() -> State:
    return {k: v for k, v in _weights().items() if not k.endswith("num_batches_tracked")}


def _lightning() -> dict[str, Any]:
    state = {**_prefixed("model."), "criterion.weight": torch.ones(7)}
    return {"epoch": 3, "global_step": 900, "state_dict": state, "optimizer_states": []}


def _averaged() -> dict[str, Any]:
    return {"model": _weights(), "model_ema": _prefixed("module."), "epoch": 3}


def _beside() -> dict[str, Any]:
    arguments = argparse.Namespace(lr=np.float64(1e-3), out=Path("runs"))
    return {"model": _weights(), "args": arguments, "best": np.float32(0.7), "seen": np.arange(3)}


def _config() -> object:
    """An object of a class that is gone when the file is read."""
    module = types.ModuleType("their_project")
    config = type("Config", (), {"__module__": "their_project"})
    module.Config = config  # type: ignore[attr-defined]
    sys.modules["their_project"] = module
    return config()


def _with_config(*options: object) -> Callable[[Path], Sequence[object]]:
    def command(folder: Path) -> Sequence[object]:
        file = folder / "weights.pt"
        record = {"model": _weights(), "config": _config()}
        torch.save(record, file)
        del sys.modules["their_project"]
        return _ferconv(folder, file, *options)

    return command


def _quantised() -> State:
    weight = torch.quantize_per_tensor(_weights()["fc.weight"], 0.01, 0, torch.qint8)
    return {**_weights(), "fc.weight": weight}


def _googlenet() -> State:
    state = dict(_weights("googlenet"))
    return {**state, "aux1.fc2.weight": torch.ones(7, 1024), "aux1.fc2.bias": torch.ones(7)}


def _safetensors(folder: Path) -> Sequence[object]:
    from safetensors.torch import save_file

    save_file(_weights(), folder / "model.safetensors")
    return _ferconv(folder, folder / "model.safetensors")


def _zip(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, "{}")
    return content.getvalue()


def _pointer() -> bytes:
    return b"version https://git-lfs.example/spec/v1\noid sha256:00\nsize 9\n"


def _page() -> bytes:
    return b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>\n"


def _nested_package(folder: Path) -> Sequence[object]:
    inside = folder / "download" / "EmotionNet.mlpackage"
    inside.mkdir(parents=True)
    (inside / "Manifest.json").write_text("{}")
    return ["ferconv", "predict", folder / "download", next(faces(folder, count=1).iterdir())]


def _page_as_weights(folder: Path) -> Sequence[object]:
    (folder / "weights.pth").write_bytes(_page())
    for split in ("train", "val"):
        for label in range(8):
            (folder / f"data/{split}/{label}").mkdir(parents=True)
    return [
        *("fertrain", "train", "--data", folder / "data", "--arch", ARCH),
        *("--label-order", "affectnet-ids", "--weights", folder / "weights.pth"),
        *("--out", folder / "run"),
    ]


_BUILT = "verdict PASS"

CASES = (
    Case(
        name="nested-state-dict",
        what="A training checkpoint with the weights under `model_state_dict`",
        outcome="built; the key that was taken and those that were left are named",
        command=_saved(lambda: {"epoch": 3, "model_state_dict": _weights(), "optimizer": {}}),
        code=0,
        says=(_BUILT, "weights taken from 'model_state_dict'", "left: epoch, optimizer"),
    ),
    Case(
        name="data-parallel",
        what="Weights of a compiled model in DataParallel (`module._orig_mod.` before every name)",
        outcome="built; the prefix is left out, and that is said",
        command=_saved(lambda: _prefixed("module._orig_mod.")),
        code=0,
        says=(_BUILT, "every name began with 'module._orig_mod.'"),
    ),
    Case(
        name="lightning",
        what="A Lightning checkpoint: `model.` before the names, the loss's weights beside them",
        outcome="built; what belongs to the loss is left, by name",
        command=_saved(_lightning, name="last.ckpt"),
        code=0,
        says=(_BUILT, "the network is what is under 'model.'", "left: criterion.weight"),
    ),
    Case(
        name="averaged-weights",
        what="Weights and their running average (EMA) in one file",
        outcome="built from the weights; the average is named, and how to take it",
        command=_saved(_averaged),
        code=0,
        says=(_BUILT, "weights taken from 'model'", "averaged weights are there, too: model_ema"),
    ),
    Case(
        name="two-networks",
        what="Two networks in one file, under names that say nothing",
        outcome="refused; both are named, and how to save one",
        command=_saved(lambda: {"student_a": _weights(), "student_b": _weights()}),
        code=15,
        says=("several networks", "student_a", "student_b", "torch.save("),
    ),
    Case(
        name="numpy-and-namespace",
        what="NumPy numbers and an argparse Namespace beside the weights",
        outcome="built; they are read without running code",
        command=_saved(_beside),
        code=0,
        says=(_BUILT,),
    ),
    Case(
        name="class-beside",
        what="An object of a class of your own beside the weights",
        outcome="refused; the class and the option that allows it are named",
        command=_with_config(),
        code=11,
        says=("objects of their_project.Config", "--allow-class their_project.Config"),
    ),
    Case(
        name="class-allowed",
        what="The same with `--allow-class their_project.Config`, which need not be installed",
        outcome="built; an empty object stands in its place, and no code of it runs",
        command=_with_config("--allow-class", "their_project.Config"),
        code=0,
        says=(_BUILT, "in place of their_project.Config are empty objects"),
    ),
    Case(
        name="pickled-module",
        what="A network saved whole, as `torch.save(model)` does",
        outcome="refused; its classes are named, and how to save the weights",
        command=_saved(lambda: nn.Sequential(nn.Linear(2, 2))),
        code=11,
        says=("pickled Python object", "torch.nn.modules.linear.Linear", "model.state_dict()"),
    ),
    Case(
        name="sequential-head",
        what="A head in a Sequential after Dropout (`fc.1` where the network has `fc`)",
        outcome="built; the renaming is said, and what a file cannot tell of such a head",
        command=_saved(lambda: _with_head("fc.1")),
        code=0,
        says=(_BUILT, "the head 'fc.1' is taken as 'fc'"),
    ),
    Case(
        name="head-of-two-layers",
        what="A head of two Linears",
        outcome="refused; the way by TorchScript is shown",
        command=_saved(lambda: _with_head("fc.3", **{"fc.0.weight": torch.ones(512, FEATURES)})),
        code=12,
        says=("a head of several layers", "torch.jit.trace"),
    ),
    Case(
        name="old-batch-norm",
        what="Weights from before PyTorch 0.4.1, without `num_batches_tracked`",
        outcome="built; the counters are filled in",
        command=_saved(_without_counters),
        code=0,
        says=(_BUILT, "counters of BatchNorm filled in"),
    ),
    Case(
        name="auxiliary-heads",
        what="GoogLeNet's weights with its auxiliary heads",
        outcome="built; they serve training alone and are left",
        command=_saved(_googlenet, arch="googlenet"),
        code=0,
        says=(_BUILT, "auxiliary heads are left: aux1.fc2.weight"),
    ),
    Case(
        name="safetensors",
        what="A safetensors file of a torchvision network",
        outcome="built",
        command=_safetensors,
        code=0,
        says=(_BUILT,),
    ),
    Case(
        name="quantised-weights",
        what="A state dict with quantised weights",
        outcome="refused; the tensor and its type are named, and those that are allowed",
        command=_saved(_quantised),
        code=15,
        says=("holds fc.weight as qint8", "float16, bfloat16, float32 or float64", "dequantize()"),
    ),
    Case(
        name="plain-pickle",
        what="Weights saved with Python's pickle instead of torch.save",
        outcome="refused; pickles run code, and the way out is shown",
        command=_written(lambda: pickle.dumps({"fc.weight": [1.0]}), "weights.pkl"),
        code=11,
        says=("a plain Python pickle", "torch.save(pickle.load("),
    ),
    Case(
        name="web-page",
        what="A web page saved in place of the weights",
        outcome="refused; it says so",
        command=_written(_page, "weights.pt"),
        code=15,
        says=("is a web page", "download the raw file again"),
    ),
    Case(
        name="lfs-pointer",
        what="A Git LFS pointer in place of the weights",
        outcome="refused, with the command that fetches them",
        command=_written(_pointer, "weights.pt"),
        code=15,
        says=("is a Git LFS pointer", "git lfs pull"),
    ),
    Case(
        name="zip-around",
        what="A zip archive with the weights inside",
        outcome="refused: it has to be unpacked",
        command=_written(lambda: _zip("run/weights.pt", "run/log.txt"), "weights.zip"),
        code=15,
        says=("is a zip archive of other files", "Unpack it"),
    ),
    Case(
        name="half-a-download",
        what="The first half of a checkpoint",
        outcome="refused: the archive's end is missing",
        command=_written(lambda: _zip("a/data.pkl", "a/data/0")[:90], "weights.pt"),
        code=10,
        says=("damaged or truncated",),
    ),
    Case(
        name="page-as-weights",
        what="A web page as `fertrain train --weights`",
        outcome="refused before any image is read",
        command=_page_as_weights,
        code=15,
        says=("is a web page", "--weights takes a state dict"),
    ),
    Case(
        name="zipped-package",
        what="A zipped `.mlpackage` given to `ferconv predict`",
        outcome="refused: a package is a folder",
        command=_written(
            lambda: _zip("EmotionNet.mlpackage/Manifest.json"), "net.zip", tool="predict"
        ),
        code=50,
        says=("is a zipped Core ML package", "unzip"),
    ),
    Case(
        name="nested-package",
        what="A folder with a `.mlpackage` in it given to `ferconv predict`",
        outcome="refused; the package inside is named",
        command=_nested_package,
        code=50,
        says=("is a folder around a Core ML package", "EmotionNet.mlpackage"),
    ),
    Case(
        name="weights-to-predict",
        what="PyTorch weights given to `ferconv predict`",
        outcome="refused; `ferconv build` makes a model of them",
        command=_written(lambda: _zip("a/data.pkl", "a/version"), "best.pt", tool="predict"),
        code=50,
        says=("is a file of PyTorch weights", "ferconv build --checkpoint"),
    ),
)
