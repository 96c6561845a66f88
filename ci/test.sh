#!/usr/bin/env bash
# Every test, Python and Swift: test.sh BIN
# Without a Swift toolchain the rest runs and the last lines say what did not; with CI set, a
# missing toolchain is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$1

"$bin/python" -m pytest

if ! command -v swift >/dev/null; then
  if [ -n "${CI:-}" ]; then
    echo "error: CI is set and there is no Swift toolchain on PATH, so EmotionKit's tests cannot run." >&2
    exit 1
  fi
  echo "NOT RUN: the tests of EmotionKit (no Swift toolchain on PATH)"
  exit 0
fi

echo "== EmotionKit: the package as an app adds it (root Package.swift)"
swift test --quiet --disable-xctest
if [ "$(uname)" = Linux ]; then
  echo "== EmotionKit: the Apple layer against stub modules of Vision, Core ML and AVFoundation"
  EMOTIONKIT_APPLE_STUBS=1 swift test --quiet --disable-xctest --package-path swift/EmotionKit --scratch-path .build-stubs
  echo "NOT RUN: Core ML, Vision and the camera themselves (they need an Apple system)"
fi
