"""Apps that add EmotionKit in each of the ways its README names, built and run.

Each proof is a process that found the model and hashed every file of it.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from fer_convert.swift_package.write import MODELS
from tests.swift.apps import (
    EMOTIONKIT,
    JOBS,
    REPOSITORY,
    App,
    build_app,
    built_against_stubs,
    commit_and_tag,
    run,
    tracked_files,
)


def expect_the_model(app: App, model_build: Path) -> None:
    code, out, err = app("manifest")
    assert code == 0, err
    mine = json.loads(out)
    theirs = json.loads((model_build / "manifest.json").read_text())
    assert mine == theirs


def test_by_path_from_the_standalone_package(app_by_path: App, model_build: Path) -> None:
    expect_the_model(app_by_path, model_build)


def test_by_url_the_standalone_package_at_a_tag(
    standalone: Path, model_build: Path, tmp_path: Path
) -> None:
    """Exactly what the package's README says: git init, add, commit, tag."""
    published = tmp_path / "EmotionKit"
    shutil.copytree(standalone, published)
    commit_and_tag(published, "2.1.0")
    app = build_app(tmp_path / "app", f'url: "{published.as_uri()}", from: "2.0.0"', "EmotionKit")
    expect_the_model(app, model_build)


def test_by_url_this_repository_at_a_tag(
    standalone: Path, model_build: Path, tmp_path: Path
) -> None:
    """The root manifest; the model is committed as a fork would that publishes one this way."""
    fork = tmp_path / "toolchain"
    for name in tracked_files(REPOSITORY):
        if name.parts[0] in {"Package.swift", "swift", "LICENSE"}:
            (fork / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, fork / name)
    shutil.copytree(standalone / MODELS, fork / "swift/EmotionKit" / MODELS, dirs_exist_ok=True)
    (fork / "swift/EmotionKit/.gitignore").unlink()
    commit_and_tag(fork, "0.1.0")
    app = build_app(tmp_path / "app", f'url: "{fork.as_uri()}", exact: "0.1.0"', "toolchain")
    expect_the_model(app, model_build)


def test_without_its_resource_bundle_an_app_goes_on_and_says_where_it_looked(
    app_by_path: App, tmp_path: Path
) -> None:
    """``Bundle.module`` would have ended it; an app put together by hand has no such bundle."""
    shutil.copy2(app_by_path.products / "Consumer", tmp_path / "Consumer")
    code, out, err = App(tmp_path)("manifest")
    assert (code, out) == (3, "")
    assert "No emotion model was found. Searched: " in err
    searched = err.partition("Searched: ")[2].partition(". Add ")[0].split(", ")
    assert f"{tmp_path}/EmotionKit_EmotionKitModel." in searched[0]
    assert searched[-2:] == [f"{tmp_path}/Models", str(tmp_path)]
    assert all(place.startswith(str(tmp_path)) for place in searched)
    assert "EmotionModelSource.url" in err


def test_a_merged_model_folder_is_found_without_a_bundle(
    app_by_path: App, standalone: Path, model_build: Path, tmp_path: Path
) -> None:
    shutil.copy2(app_by_path.products / "Consumer", tmp_path / "Consumer")
    shutil.copytree(standalone / MODELS, tmp_path / "Models")
    expect_the_model(App(tmp_path), model_build)


def test_a_changed_weight_is_noticed(app_by_path: App, standalone: Path, tmp_path: Path) -> None:
    shutil.copy2(app_by_path.products / "Consumer", tmp_path / "Consumer")
    shutil.copytree(standalone / MODELS, tmp_path / "Models")
    weights = next((tmp_path / "Models").rglob("weight.bin"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    code, _, err = App(tmp_path)("manifest")
    assert code == 3
    assert "weight.bin is not the one in the manifest" in err


@pytest.mark.skipif(sys.platform != "linux", reason="NOT RUN: the process is part of a stub build")
def test_processes_share_one_compiled_model(tmp_path: Path) -> None:
    """Each compiles, because none waits for a process that may hang; one result stays."""
    app = built_against_stubs("CompileProcess")
    (tmp_path / "EmotionNet.mlmodel").write_text("model")
    processes = [app.start(tmp_path, name) for name in ("a", "b", "c")]
    results = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], results
    assert len({out.split()[0] for out, _ in results}) == 1
    assert len({out.split()[1] for out, _ in results}) == 1
    compiled = Path(results[0][0].split()[0])
    assert sorted(path.name for path in compiled.parent.iterdir()) == [
        compiled.name,
        f"{compiled.name}.used",
    ]
    ran = sorted(path.name for path in tmp_path.glob("*.compiled"))
    assert app(tmp_path, "later")[0] == 0
    assert sorted(path.name for path in tmp_path.glob("*.compiled")) == ran
    assert not list(tmp_path.glob("*.mlmodelc"))


def test_the_standalone_packages_own_tests_pass(standalone: Path) -> None:
    ran = run(
        *("swift", "test", *JOBS, "--disable-xctest", "-Xswiftc", "-warnings-as-errors"),
        *("--skip", "BoundedMemory"),  # a million frames, which the checkout's own tests take
        cwd=standalone,
        env={"EMOTIONKIT_REQUIRE_MODEL": "1"},
    )
    assert "bundled model PRESENT, checked" in ran.stdout
    assert "skipped" not in ran.stdout + ran.stderr


def test_both_manifests_describe_the_same_package() -> None:
    def described(folder: Path) -> dict[str, object]:
        dump = json.loads(run("swift", "package", "dump-package", cwd=folder).stdout)
        targets = {
            target["name"]: {
                "type": target["type"],
                "dependencies": target["dependencies"],
                "resources": target["resources"],
                "path": target.get("path", "").removeprefix("swift/EmotionKit/"),
            }
            for target in dump["targets"]
        }
        for name, target in targets.items():
            room = "Tests" if target["type"] == "test" else "Sources"
            assert target.pop("path") in {"", f"{room}/{name}"}
        return {
            "targets": targets,
            **{key: dump[key] for key in ("products", "platforms", "swiftLanguageVersions")},
            "tools": dump["toolsVersion"],
            "dependencies": dump["dependencies"],
        }

    assert described(REPOSITORY) == described(EMOTIONKIT)
