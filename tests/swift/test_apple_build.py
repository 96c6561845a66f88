"""EmotionKit compiled for Apple's systems: branches, availability, deprecations, isolation."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.swift.apps import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "ci"))
import apple_build
from apple_platforms import PLATFORMS

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        sys.platform != "linux", reason="NOT RUN: Xcode compiles for Apple's systems"
    ),
]


@pytest.fixture(scope="module")
def options() -> list[str]:
    toolchain = apple_build.Toolchain.here()
    for platform in PLATFORMS:
        apple_build.relabel(toolchain, platform)
    return apple_build.prepare(toolchain)


def test_the_package_compiles_for_a_mac(options: list[str]) -> None:
    """With AppKit, and what only Apple's Foundation has; ``make check`` takes all six systems."""
    assert apple_build.check(system("macOS"), options) == ""


#: What a compiler for this system refuses, each on one line, and its words.
REFUSED = {
    "macOS": {
        "let wrong: Int = \"\"": "cannot convert value",
        "func newer(_ c: AVCaptureConnection) { c.videoRotationAngle = 0 }": "in macOS 14.0",
        "func absent(_ s: AVCaptureSession) -> Bool { s.isInterrupted }": "unavailable in macOS",
        "func device() -> UIDevice? { nil }": "cannot find type 'UIDevice'",
        "func play(_ p: AVPlayer) { p.play() }": "main actor-isolated instance method 'play()'",
        "@MainActor func label() -> Text { Text(\"\") }\n"
        "@MainActor func pick(_ b: Binding<PhotosPickerItem?>) -> some View "
        "{ PhotosPicker(selection: b) { label() } }": "main actor-isolated global function",
        "nonisolated func run(_ v: some View) async { _ = await v.task { label() } }": "'label()'",
        "func send<T: Transferable>(_ item: T) { Task { _ = item } }": "non-Sendable type 'T.Type'",
        "struct Value { @Published var x = 1 }": "only available on properties of classes",
        "@MainActor func style(_ v: some View) -> some View { v.buttonStyle(Font.caption) }":
            "PrimitiveButtonStyle",
        "@MainActor let key = Text(\"\\([1, 2])\", bundle: nil)": "type '[Int]'",
    },
    "macOS, when all types are right": {
        "func send(_ b: CVPixelBuffer) { Task { _ = b } }": "sending",
        "@available(macOS 15, *)\n"
        "func send<R: VisionRequest>(_: R, _ result: R.Result) { Task { _ = result } }": "sending",
    },
    "visionOS simulator": {
        "func cpu(_ r: VNRequest) { r.usesCPUOnly = true }": "was deprecated in visionOS 1.0",
        "func find(_ r: DetectFaceRectanglesRequest) {}": "in visionOS 2.0 or newer",
    },
    "Mac Catalyst": {
        "func find(_ r: DetectFaceRectanglesRequest) {}": "unavailable in Mac Catalyst",
    },
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_an_apple_compiler_refuses_is_refused(
    case: str, options: list[str], tmp_path: Path
) -> None:
    platform = system(case.partition(",")[0])
    stand_ins = {folder.name for folder in apple_build.STUBS.iterdir()} - platform.missing
    assert apple_build.check(platform, options, stand_ins) == ""
    file = tmp_path / "Probe.swift"
    # The condition makes it code whose function bodies are looked at for every system.
    lines = [
        "import AVFoundation; import PhotosUI; import SwiftUI; import Vision",
        "#if !os(Linux)",
    ]
    expected = {}
    for code, words in REFUSED[case].items():
        lines += code.splitlines()
        expected[len(lines)] = words
    file.write_text("\n".join([*lines, "#endif"]), encoding="utf-8")
    module = apple_build.Module("Probe", (file,), frozenset(stand_ins))
    command = apple_build.compiler(module, platform, options)
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    refused = dict(re.findall(r"Probe\.swift:(\d+):\d+: error: (.*)", ran.stderr))
    assert refused.keys() == {str(line) for line in expected}, ran.stderr
    for line, words in expected.items():
        assert words in refused[str(line)]


def system(title: str) -> apple_build.Platform:
    return next(platform for platform in PLATFORMS if platform.title == title)
