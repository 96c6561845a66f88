"""Which files ``ferconv`` starts from, and what it says about the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from fer_convert.source import load_source
from fer_train.contract.architectures import build_model
from fer_train.contract.checkpoint import read_checkpoint, write_checkpoint
from fer_train.contract.errors import LabelMismatch
from fer_train.contract.labels import EMOTIONS
from tests.fer_convert.nets import ARCH, SPEC, Ferconv, save_script, tiny_network

INLINE = json.dumps(SPEC.to_dict())


FOREIGN = {"arch": ARCH, "labels": "affectnet-folders", "preprocess": INLINE}


@pytest.fixture(scope="module")
def state_dict(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("state") / "weights.pt"
    torch.save(dict(read_checkpoint(checkpoint).model), path)
    return path


def test_a_checkpoint_and_its_bare_state_dict_are_the_same_network(
    checkpoint: Path, state_dict: Path
) -> None:
    best = load_source(checkpoint)
    bare = load_source(state_dict, **FOREIGN)
    assert (best.kind, bare.kind) == ("best", "state dict")
    assert (best.labels, best.preprocess) == (bare.labels, bare.preprocess) == (EMOTIONS, SPEC)
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(best.network(pixels), bare.network(pixels))
    assert not best.network.training
    assert best.metrics and not bare.metrics


def test_last_pt_is_accepted_with_a_note(checkpoint: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    last = tmp_path / "last.pt"
    write_checkpoint(last, replace(read_checkpoint(checkpoint), train_state={"epoch": 3}))
    source = load_source(last)
    assert source.kind == "last"
    assert len(source.notes) == 1 and "best.pt" in source.notes[0]
    assert load_source(checkpoint).notes == ()


def test_a_class_allowed_for_nothing_is_said(checkpoint: Path, script: Path) -> None:
    words = f"{checkpoint}: --allow-class a.B: the file names no such class."
    assert load_source(checkpoint, allow_class="a.B").notes == (words,)
    traced = load_source(script, labels="affectnet-folders", preprocess=INLINE, allow_class="a.B")
    assert "names no such class" in traced.notes[0]


def test_what_was_taken_is_in_the_source(checkpoint: Path, tmp_path: Path) -> None:
    state = {f"module.{key}": v for key, v in read_checkpoint(checkpoint).model.items()}
    torch.save({"net": state, "acc": 0.7}, tmp_path / "theirs.pt")
    source = load_source(tmp_path / "theirs.pt", **FOREIGN)
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(source.network(pixels), load_source(checkpoint).network(pixels))
    assert source.notes == (
        f"{source.path}: weights taken from 'net' ({len(state)} tensors); left: acc.",
        f"{source.path}: every name began with 'module.', which is left out.",
    )


def test_torchscript_needs_labels_and_preprocess(script: Path) -> None:
    source = load_source(script, labels="affectnet-folders", preprocess=INLINE)
    assert (source.kind, source.architecture) == ("torchscript", "torchscript")
    assert source.network(torch.zeros(1, 3, 32, 32)).shape == (1, 8)


def test_custom_labels_are_taken_only_on_purpose(tmp_path: Path) -> None:
    save_script(tiny_network(classes=3), tmp_path / "three.pt")
    options = {"labels": "pain,happy,engaged", "preprocess": INLINE}
    with pytest.raises(LabelMismatch, match="'pain' is not one of the eight emotions"):
        load_source(tmp_path / "three.pt", **options)
    source = load_source(tmp_path / "three.pt", **options, custom_labels="engaged,pain")
    assert source.labels == ("pain", "happiness", "engaged")
    with pytest.raises(LabelMismatch, match="'pain'"):
        load_source(tmp_path / "three.pt", **options, custom_labels="engaged,pian")


def test_labels_may_be_names_in_another_order(script: Path) -> None:
    names = "Neutral,happy,sad,surprise,fear,disgust,anger,contempt"
    source = load_source(script, labels=names, preprocess=INLINE)
    assert source.labels == load_source(script, labels="affectnet-ids", preprocess=INLINE).labels


def test_preprocess_may_be_a_file(script: Path, tmp_path: Path) -> None:
    file = tmp_path / "spec.json"
    file.write_text(INLINE)
    source = load_source(script, labels="affectnet-folders", preprocess=str(file))
    assert source.preprocess == SPEC


def test_zeros_are_counted_in_weights_alone(tmp_path: Path) -> None:
    path = tmp_path / "sparse.pt"
    save_script(tiny_network(zeros=0.5), path)
    source = load_source(path, labels="affectnet-folders", preprocess=INLINE)
    weights = [p for p in source.network.state_dict().values() if p.dim() >= 2]
    zeros = sum(int((w == 0).sum()) for w in weights) / sum(w.numel() for w in weights)
    assert 0.4 < source.zero_share == zeros < 0.5


class Pickled(nn.Module):
    """Saved whole, as tutorials do."""


def _truncated(path: Path, checkpoint: Path) -> None:
    path.write_bytes(checkpoint.read_bytes()[:100_000])


def _state(path: Path, change: Callable[[dict[str, Any]], object], *, arch: str = ARCH) -> None:
    torch.manual_seed(0)
    state = dict(build_model(arch, num_classes=8).state_dict())
    change(state)
    torch.save(state, path)


def _nan(state: dict[str, Any]) -> None:
    state["classifier.1.bias"][3] = float("nan")


BAD_FILES: dict[str, tuple[Callable[[Path, Path], object], dict[str, str], int, str]] = {
    "absent": (lambda path, _: None, {}, 4, "no checkpoint file"),
    "empty": (lambda path, _: path.write_bytes(b""), {}, 10, "(0 bytes) is empty"),
    "truncated": (_truncated, {}, 10, "damaged or truncated"),
    "pickled module": (
        lambda path, _: torch.save(Pickled(), path),
        {},
        11,
        "torch.save(model.state_dict(), 'weights.pt'), then give --arch, --labels, --preprocess.",
    ),
    "other architecture": (
        lambda path, _: _state(path, lambda s: None, arch="densenet121"),
        FOREIGN,
        12,
        "not those of efficientnet_b0",
    ),
    "unknown architecture": (
        lambda path, _: _state(path, lambda s: None),
        {**FOREIGN, "arch": "efficientnet_b9"},
        12,
        "Did you mean",
    ),
    "a network of one's own": (
        lambda path, _: _state(path, lambda s: None),
        {**FOREIGN, "arch": "my_transformer"},
        12,
        "TorchScript file that torch.jit.trace makes",
    ),
    "NaN weights": (lambda path, _: _state(path, _nan), FOREIGN, 13, "classifier.1.bias"),
    "seven labels": (
        lambda path, _: _state(path, lambda s: None),
        {**FOREIGN, "labels": "fer2013"},
        14,
        "8 outputs but --labels names 7",
    ),
    "unknown label": (
        lambda path, _: _state(path, lambda s: None),
        {**FOREIGN, "labels": "anger,hapiness"},
        14,
        "happiness",
    ),
    "bare without options": (
        lambda path, _: _state(path, lambda s: None),
        {},
        15,
        "Give --arch, --labels",
    ),
    "nested state dict": (
        lambda path, _: torch.save({"state_dict": {}}, path),
        FOREIGN,
        15,
        "torch.save(model.state_dict()",
    ),
    "preprocess not JSON": (
        lambda path, _: _state(path, lambda s: None),
        {**FOREIGN, "preprocess": "{size: 3}"},
        15,
        "not JSON",
    ),
    "preprocess file absent": (
        lambda path, _: _state(path, lambda s: None),
        {**FOREIGN, "preprocess": "nowhere.json"},
        4,
        "nowhere.json",
    ),
    "script without labels": (
        lambda path, _: save_script(tiny_network(), path),
        {},
        15,
        "Give --labels and --preprocess",
    ),
    "script of other classes": (
        lambda path, _: save_script(tiny_network(classes=7), path),
        FOREIGN,
        14,
        "7 outputs",
    ),
}


@pytest.mark.parametrize(
    ("make", "options", "code", "message"), BAD_FILES.values(), ids=BAD_FILES.keys()
)
def test_a_bad_file_has_its_own_exit_code_and_leaves_nothing(
    ferconv: Ferconv,
    checkpoint: Path,
    faces: Path,
    emotionkit: Path,
    tmp_path: Path,
    make: Callable[[Path, Path], object],
    options: dict[str, str],
    code: int,
    message: str,
) -> None:
    file = tmp_path / "bad.pt"
    make(file, checkpoint)
    flags = [text for key, value in options.items() for text in (f"--{key}", value)]
    out = tmp_path / "b"
    ran = ferconv(
        *("build", "--checkpoint", file, "--out", out, "--fixtures", faces),
        *("--emotionkit", emotionkit, *flags),
    )
    assert ran.code == code, ran.err
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert [path.name for path in tmp_path.iterdir() if path != file] == []


@pytest.mark.parametrize(
    ("flag", "value", "code"),
    [
        ("--labels", "affectnet-ids", 14),
        ("--arch", "resnet101", 12),
        ("--preprocess", json.dumps({**SPEC.to_dict(), "color": "rgb"}), 15),
    ],
)
def test_an_option_may_not_contradict_the_checkpoint(
    ferconv: Ferconv,
    checkpoint: Path,
    faces: Path,
    tmp_path: Path,
    flag: str,
    value: str,
    code: int,
) -> None:
    ran = ferconv(
        *("build", "--checkpoint", checkpoint, "--fixtures", faces, "--no-package"),
        *("--out", tmp_path / "b", flag, value),
    )
    assert ran.code == code
    assert f"{flag}" in ran.err and "contradicts" in ran.err


def test_saying_the_same_as_the_checkpoint_is_fine(checkpoint: Path) -> None:
    assert load_source(checkpoint, **FOREIGN).labels == EMOTIONS


def test_a_model_of_drawn_faces_says_so_by_itself(checkpoint: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    drawn = tmp_path / "drawn.pt"
    write_checkpoint(drawn, replace(read_checkpoint(checkpoint), data={"synthetic": True}))
    assert load_source(drawn).synthetic
    assert not load_source(checkpoint).synthetic
