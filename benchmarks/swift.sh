#!/usr/bin/env bash
# EmotionKit's portable work for one frame with five faces, in release: swift.sh [FRAMES]
set -euo pipefail
cd "$(dirname "$0")/swift"
# Testable, because what is measured is internal; everything else is as an app's release build.
swift build --quiet -c release -Xswiftc -enable-testing
exec "$(swift build -c release -Xswiftc -enable-testing --show-bin-path)/FrameWork" "$@"
