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

# SwiftPM's own output is long; what counts is the last line, or everything when it fails.
swift_tests() {
  local log started=$SECONDS
  log=$(mktemp)
  if ! swift test --disable-xctest "$@" >"$log" 2>&1; then
    cat "$log"
    rm -f "$log"
    return 1
  fi
  grep -E '^.? ?Test run with|^EmotionKit: ' "$log" | sed 's/^[^TE]* *//'
  echo "$((SECONDS - started)) s with building"
  rm -f "$log"
}

echo "== EmotionKit: the package as an app adds it (root Package.swift)"
swift_tests -Xswiftc -warnings-as-errors
if [ "$(uname)" = Linux ]; then
  echo "== EmotionKit: the Apple layer against stub modules of Apple's frameworks"
  EMOTIONKIT_APPLE_STUBS=1 swift_tests -Xswiftc -warnings-as-errors --package-path swift/EmotionKit \
    --scratch-path .build-stubs
  echo "NOT RUN: Core ML, Vision and the camera themselves (they need an Apple system)"
fi
