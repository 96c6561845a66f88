"""Models of other labels than the eight emotions, from data to the tests of their Swift package."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fer_convert.build import BuildRequest, build
from fer_convert.progress import Progress
from fer_convert.swift_package.write import MODELS, write_package
from fer_train.contract.labels import EMOTIONS
from tests.fer_convert.nets import SPEC, save_script, tiny_network
from tests.fer_train.faces import SMALLEST, run_once, write_faces
from tests.paths import REPOSITORY
from tests.swift.apps import EMOTIONKIT, JOBS, run


def of_seven_from_data(folder: Path) -> dict[str, str]:
    """Train on the seven emotions of FER2013's numbering; best.pt says what its labels are."""
    write_faces(folder / "data", classes=[str(number) for number in range(7)])
    ran = run_once(
        folder / "cache",
        *("train", "--data", folder / "data", "--label-order", "fer2013", *SMALLEST),
        *("--epochs", 1, "--prune", 0, "--batch-size", 7, "--device", "cpu"),
        *("--out", folder / "run", "--quiet"),
    )
    assert ran.code == 0, ran.err
    shutil.copyfile(folder / "run/checkpoints/best.pt", folder / "model.pt")
    return {}


def of_three_with_names_of_their_own(folder: Path) -> dict[str, str]:
    save_script(tiny_network(classes=3), folder / "model.pt")
    return {
        "labels": "pain,sleepy,very engaged",
        "custom_labels": "pain,sleepy,very engaged",
        "preprocess": json.dumps(SPEC.to_dict()),
    }


@pytest.mark.parametrize(
    ("made", "labels"),
    [
        (of_seven_from_data, EMOTIONS[:7]),
        (of_three_with_names_of_their_own, ("pain", "sleepy", "very engaged")),
    ],
)
def test_its_package_tests_itself(
    made: Callable[[Path], dict[str, str]],
    labels: tuple[str, ...],
    standalone: Path,
    tmp_path: Path,
) -> None:
    request = BuildRequest(
        checkpoint=tmp_path / "model.pt",
        out=tmp_path / "build",
        fixtures=REPOSITORY / "fixtures",
        emotionkit=None,
        author="tests",
        license="MIT",
        model_version="1.0",
        kinds=("mlpackage-fp16",),
        **made(tmp_path),
    )
    built = build(request, Progress(quiet=True))
    assert built.report.verdict == "PASS"
    contract = built.report.contract
    assert (contract["version"], tuple(contract["labels"])) == (2, labels)
    written = tmp_path / "EmotionKit"
    write_package(tmp_path / "build", written, emotionkit=EMOTIONKIT, gate=True)
    # Beside the model the packages are alike, so this one is tested where the other was built.
    kept = tmp_path / "kept"
    shutil.move(standalone / MODELS, kept)
    try:
        shutil.copytree(written / MODELS, standalone / MODELS)
        ran = run(
            *("swift", "test", *JOBS, "--disable-xctest", "-Xswiftc", "-warnings-as-errors"),
            *("--filter", "BundledModel|Golden"),
            cwd=standalone,
            env={"EMOTIONKIT_REQUIRE_MODEL": "1"},
        )
    finally:
        shutil.rmtree(standalone / MODELS)
        shutil.move(kept, standalone / MODELS)
    assert f"EmotionKit: labels {', '.join(labels)}\n" in ran.stdout
    assert "skipped" not in ran.stdout + ran.stderr
