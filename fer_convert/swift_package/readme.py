"""The README of a published package: about the one model that is inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: GitHub warns about a file above this and refuses one above twice as much.
_LARGE_FILE_BYTES = 50_000_000


_DEMO = """\
> **Demonstration model.** It was trained on faces drawn by a program and knows nothing about
> people. Use it to try the package, never to judge anybody. `monitor.contract.isDemo` is true, and
> the first load says so in Xcode's console.

"""


_UNGATED = """\
> **Published against the gate.** The comparison with the checkpoint ended with {verdict}. Do not
> ship this.

"""


_LARGE = """\
## Too large for Git

A file of this model has {megabytes:.0f} MB; GitHub warns from 50 MB and refuses from 100 MB, and
Git LFS does not work with SwiftPM. Put the folder `Sources/EmotionKitModel/Models` on a web server
instead, and let the app fetch it once, with progress, continued after interruptions, and checked
against its hash:

```swift
let model = try RemoteModel(
  url: URL(string: "https://your.server/Models/manifest.json")!,
  sha256: "{sha256}")
try await ModelDownloader().download(model) {{ print($0.fraction) }}
let monitor = try await EmotionMonitor(model: .download(model))
```

"""


_TEXT = """\
# EmotionKit with {name} {version}

{notices}Live facial expressions for iOS, macOS and visionOS, on the device, with the model inside.
No dependencies.

## From nothing to live emotions

1. Add this folder, or the address of its Git repository: **File ▸ Add Package Dependencies…**,
   product `EmotionKitUI`.
2. In the app's *Info.plist* say why you use the camera (`NSCameraUsageDescription`), or iOS ends
   the app.
3. Show it:

   ```swift
   import EmotionKitUI
   import SwiftUI

   @main
   struct FacesApp: App {{
     var body: some Scene {{
       WindowGroup {{
         EmotionCameraView(camera: .front) {{ event in
           if case .changed(let face, _, let emotion?, _) = event {{ print(face, emotion) }}
         }}
       }}
     }}
   }}
   ```

Frames of your own, photos, notifications and everything else: [EmotionKit.md](EmotionKit.md).

## The model

| | |
|---|---|
| network | {architecture}, {format}, {precision}, {megabytes:.1f} MB |
| labels | {labels} |
| input | one face, {side} x {side} pixels{colour} |
| crop | a square of {square:g} times the longer side of the face box |
| confidence | {confidence} |
| compared with its checkpoint | {parity} |
| Apple's own runtime | {apple} |
| author, licence | {author}, {license} |
| hash | `{sha256}` |
| made | {created_at} with {tools} |

EmotionKit crops and resizes, and refuses to load the model if any of this is not so. The licence
above is the model's; the Swift sources have theirs in [LICENSE](LICENSE). An expression is not a
feeling: read "Before you ship" in [EmotionKit.md](EmotionKit.md).

## Publish it

```sh
git init && git add --all && git commit -m "EmotionKit with {name} {version}" && git tag {tag}
git remote add origin <your repository> && git push origin HEAD {tag}
```

{large}## Test it

```sh
EMOTIONKIT_REQUIRE_MODEL=1 swift test    # hashes, contract, parity, golden values; also on Linux
```
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTexts:
    """What the model file says about its makers."""

    author: str
    license: str
    version: str


def package_readme(manifest: Mapping[str, Any], texts: ModelTexts) -> str:
    """Return README.md for a package with the model of a manifest inside.

    Args:
        manifest: what ``manifest.json`` holds.
        texts: of the model file; empty ones are named as unspecified.
    """
    model, contract, parity = manifest["model"], manifest["contract"], manifest["parity"]
    preprocess = contract["preprocess"]
    version = texts.version or "unspecified"
    largest = max(file["bytes"] for file in model["files"])
    notices = _DEMO if contract["demo"] else ""
    if parity["verdict"] != "PASS":
        notices += _UNGATED.format(verdict=parity["verdict"])
    large = _LARGE.format(megabytes=largest / 1e6, sha256=model["sha256"])
    return _TEXT.format(
        notices=notices,
        large=large if largest > _LARGE_FILE_BYTES else "",
        name=model["name"],
        version=version,
        tag=_semantic(version),
        architecture=contract["architecture"],
        format=model["format"],
        precision=model["precision"],
        megabytes=model["bytes"] / 1e6,
        labels=", ".join(contract["labels"]),
        side=preprocess["input_size"],
        colour=", made grey inside" if preprocess["color"] == "gray" else "",
        square=1 + preprocess["crop_margin"],
        confidence=_confidence_text(contract.get("temperature", 1.0)),
        parity=_parity_text(parity),
        apple=parity["apple_runtime"],
        author=texts.author or "unspecified",
        license=texts.license or "unspecified",
        sha256=model["sha256"],
        created_at=manifest["created_at"],
        tools=", ".join(f"{name} {number}" for name, number in manifest["created_with"].items()),
    )


def _confidence_text(temperature: float) -> str:
    if temperature == 1.0:
        return "as the network gives it; not calibrated"
    return f"calibrated on validation images: temperature {temperature:.4g}, inside the model"


def _parity_text(parity: Mapping[str, Any]) -> str:
    text = f"{parity['verdict']} on {parity['images']} images by {parity['runtime']}"
    if parity["max_abs_dp"] is not None:
        text += f", largest difference of a probability {parity['max_abs_dp']:.2g}"
    return text


def _semantic(version: str) -> str:
    """Return the nearest tag SwiftPM understands: ``1.0`` becomes ``1.0.0``, words ``1.0.0``."""
    numbers = version.split(".")
    if not all(number.isdecimal() for number in numbers):
        return "1.0.0"
    return ".".join([*numbers, "0", "0"][:3])
