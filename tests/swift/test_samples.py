"""Every Swift sample of the documentation compiles, and the first one is short."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.swift.apps import EMOTIONKIT, REPOSITORY, STUBS, run

_ARTICLES = [
    article
    for module in ("EmotionKit", "EmotionKitUI")
    for article in sorted((EMOTIONKIT / "Sources" / module / f"{module}.docc").glob("*.md"))
]


def samples(text: str) -> list[str]:
    """Return the blocks that import something: the others are single lines of a manifest."""
    blocks = re.findall(r"^( *)```swift\n(.*?)^\1```", text, flags=re.M | re.S)
    plain = [re.sub(rf"^{indent}", "", code, flags=re.M) for indent, code in blocks]
    return [code for code in plain if code.startswith("import ")]


@pytest.fixture(scope="module")
def modules() -> Path:
    """EmotionKit built against the stand-ins for Apple's frameworks."""
    run(
        *("swift", "build", "--package-path", EMOTIONKIT, "--scratch-path", STUBS),
        *("-Xswiftc", "-warnings-as-errors"),
        cwd=REPOSITORY,
        env={"EMOTIONKIT_APPLE_STUBS": "1"},
    )
    return STUBS / "debug" / "Modules"


def expect_compiles(code: str, modules: Path, folder: Path) -> None:
    # A file named main may hold statements, which a sample without a function is.
    file = folder / "main.swift"
    file.write_text(code)
    options = ["-parse-as-library"] if "@main" in code else []
    run(
        *("swiftc", "-typecheck", "-swift-version", "6", "-warnings-as-errors", *options),
        *("-module-name", "Sample", "-I", modules, file),
        cwd=folder,
    )


@pytest.mark.parametrize("document", [EMOTIONKIT / "README.md", *_ARTICLES], ids=lambda d: d.stem)
def test_the_samples_of_a_document_compile(document: Path, modules: Path, tmp_path: Path) -> None:
    found = samples(document.read_text(encoding="utf-8"))
    assert found
    for code in found:
        expect_compiles(code, modules, tmp_path)


def test_the_samples_of_a_published_readme_compile(
    standalone: Path, modules: Path, tmp_path: Path
) -> None:
    [code] = samples((standalone / "README.md").read_text(encoding="utf-8"))
    expect_compiles(code, modules, tmp_path)


@pytest.mark.parametrize("name", ["README.md", "EmotionKit.md"])
def test_live_emotions_take_less_than_twenty_lines(standalone: Path, name: str) -> None:
    first = samples((standalone / name).read_text(encoding="utf-8"))[0]
    assert "EmotionCameraView" in first
    assert len(first.splitlines()) < 20


def test_a_sample_that_is_wrong_is_noticed(modules: Path, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="has no member 'nonsense'"):
        expect_compiles("import EmotionKit\nprint(Emotion.nonsense)\n", modules, tmp_path)
