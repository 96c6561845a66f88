"""A Swift package with a small model inside, and apps that use it, for all tests here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fer_convert.build import BuildRequest, build
from fer_convert.progress import Progress
from tests.fer_convert.nets import SPEC, save_script, smooth_picture, tiny_network
from tests.swift.apps import EMOTIONKIT, App, build_app


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "swift: needs a Swift toolchain, and a minute to build")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here; without a toolchain it cannot run, and the summary of skips says so."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.swift)
            if not shutil.which("swift"):
                item.add_marker(pytest.mark.skip(reason="NOT RUN: no Swift toolchain on PATH"))


@pytest.fixture(scope="session")
def model_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``ferconv build`` writes for a tiny network."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("model")
    for index in range(5):
        label = folder / "faces" / ("anger" if index % 2 else "happiness")
        label.mkdir(parents=True, exist_ok=True)
        Image.fromarray(smooth_picture(index, side=64)).save(label / f"{index}.png")
    save_script(tiny_network(), folder / "tiny.pt")
    request = BuildRequest(
        checkpoint=folder / "tiny.pt",
        out=folder / "build",
        fixtures=folder / "faces",
        emotionkit=None,
        author="tests",
        license="MIT",
        model_version="2.1",
        kinds=("mlpackage-fp16",),
        labels="affectnet-folders",
        preprocess=json.dumps(SPEC.to_dict()),
        demo=True,
    )
    assert build(request, Progress(quiet=True)).report.verdict == "PASS"
    return folder / "build"


@pytest.fixture(scope="session")
def standalone(model_build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``ferconv package`` writes."""
    from fer_convert.swift_package.write import write_package

    out = tmp_path_factory.mktemp("standalone") / "EmotionKit"
    write_package(model_build, out, emotionkit=EMOTIONKIT, gate=True)
    return out


@pytest.fixture(scope="session")
def app_by_path(standalone: Path, tmp_path_factory: pytest.TempPathFactory) -> App:
    """An app beside the package that ``ferconv package`` wrote."""
    folder = tmp_path_factory.mktemp("path") / "app"
    return build_app(folder, f'path: "{standalone}"', "EmotionKit")
