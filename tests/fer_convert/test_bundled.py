"""What travels in a wheel, and where it is found."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from fer_convert.bundled import (
    MODELS,
    emotionkit_files,
    emotionkit_folder,
    fixtures_folder,
    wheel_files,
)
from tests.paths import REPOSITORY


def test_a_checkout_uses_its_own_folders() -> None:
    assert fixtures_folder() == REPOSITORY / "fixtures"
    assert emotionkit_folder() == REPOSITORY / "swift" / "EmotionKit"


def test_a_wheel_uses_what_lies_beside_the_module(tmp_path: Path) -> None:
    """Even where another package named ``fixtures`` is installed beside it."""
    bundled = tmp_path / "fer_convert" / "bundled"
    shutil.copytree(REPOSITORY / "fer_convert" / "bundled", bundled)
    for folder in (bundled / "fixtures", bundled / "EmotionKit", tmp_path / "fixtures"):
        folder.mkdir()
    asked = "import bundled as b; print(b.fixtures_folder()); print(b.emotionkit_folder())"
    ran = subprocess.run(
        [sys.executable, "-c", asked],
        cwd=bundled.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines() == [f"{bundled / 'fixtures'}", f"{bundled / 'EmotionKit'}"]


def test_litter_of_a_working_copy_does_not_travel(tmp_path: Path) -> None:
    kit = tmp_path / "swift" / "EmotionKit"
    travels = (
        *(".spi.yml", "Package.swift", "Sources/EmotionKit/A.swift"),
        *(f"{MODELS.as_posix()}/README.md", "Tests/EmotionKitCoreTests/T.swift"),
    )
    stays = (
        *(".build/debug.yaml", ".swiftpm/x", ".gitignore", "Package.resolved", "API.txt"),
        *("DerivedData/x", "DevSupport/AppleStubs/S.swift", "Examples/E.xcodeproj/p"),
        *("Tests/EmotionKitTests/T.swift", "Sources/EmotionKit/.DS_Store"),
        *("Sources/.spi.yml", f"{MODELS.as_posix()}/EmotionNet.mlpackage/Manifest.json"),
    )
    faces = tmp_path / "fixtures"
    for path in (*(kit / name for name in (*travels, *stays)), faces / "a.png", faces / "b.png"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (faces / "manifest.json").write_text(json.dumps({"files": [{"name": "a.png"}]}))
    assert emotionkit_files(kit) == sorted(map(Path, travels))
    assert wheel_files(tmp_path) == {
        **{kit / name: Path("EmotionKit", name) for name in travels},
        **{faces / name: Path("fixtures", name) for name in ("manifest.json", "a.png")},
        **{
            faces / "events" / name: Path("fixtures/events", name)
            for name in ("clip.json", "faces.png")
        },
        tmp_path / "LICENSE": Path("EmotionKit", "LICENSE"),
    }
