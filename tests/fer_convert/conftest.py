"""One small trained-like network per kind of source, and one finished build, for all tests here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from fer_convert.cli import main
from fer_train.contract.checkpoint import Checkpoint, write_checkpoint
from fer_train.contract.labels import EMOTIONS
from tests.fer_convert.nets import (
    ARCH,
    FACES,
    SPEC,
    Ferconv,
    Ran,
    briefly_trained,
    save_script,
    smooth_picture,
    tiny_network,
)


@pytest.fixture
def ferconv(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ferconv:
    """Run the command as the console script would, in this process."""

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["ferconv", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Ran(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of smooth random pictures, sorted into two labels."""
    folder = tmp_path_factory.mktemp("faces")
    for index in range(FACES):
        label = folder / ("anger" if index % 2 else "happiness")
        label.mkdir(exist_ok=True)
        Image.fromarray(smooth_picture(index, side=64)).save(label / f"{index}.png")
    return folder


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """best.pt of a briefly trained efficientnet_b0."""
    path = tmp_path_factory.mktemp("checkpoint") / "best.pt"
    write_checkpoint(
        path,
        Checkpoint(
            arch=ARCH,
            labels=EMOTIONS,
            preprocess=SPEC,
            model=briefly_trained(ARCH).state_dict(),
            temperature=1.25,
            metrics={"validation": {"accuracy": 0.5}},
        ),
    )
    return path


@pytest.fixture(scope="session")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TorchScript file of a network so small that a whole build takes two seconds."""
    path = tmp_path_factory.mktemp("script") / "tiny.pt"
    save_script(tiny_network(), path)
    return path


@pytest.fixture(scope="session")
def emotionkit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stand-in for EmotionKit's sources, with litter that must not travel."""
    folder = tmp_path_factory.mktemp("repo") / "swift" / "EmotionKit"
    for name, text in {
        "Package.swift": "// swift-tools-version: 6.0\n",
        "Sources/EmotionKitModel/Models/README.md": "The model goes here.\n",
        "Sources/EmotionKitModel/Model.swift": "\n",
        ".build/debug.yaml": "litter\n",
        "DevSupport/AppleStubs/CoreML.swift": "for development\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder.parent.parent / "LICENSE").write_text("MIT\n")
    return folder


@pytest.fixture(scope="session")
def script_options(script: Path, faces: Path, emotionkit: Path) -> list[object]:
    """``ferconv build``'s arguments for the tiny network, without ``--out``."""
    return [
        *("--checkpoint", script, "--fixtures", faces, "--emotionkit", emotionkit),
        *("--labels", "affectnet-folders", "--preprocess", json.dumps(SPEC.to_dict())),
    ]
