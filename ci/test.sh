#!/usr/bin/env bash
# Every test, Python and Swift, on all cores: test.sh BIN [PYTEST ARGUMENTS]
# Arguments choose a part: test.sh .venv/bin tests/fer_train -k resume
# Without a Swift toolchain the rest runs and the last lines say what did not; with CI set, a
# missing toolchain is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$1
shift

if [ -n "${CI:-}" ] && ! command -v swift >/dev/null; then
  echo "error: CI is set and there is no Swift toolchain on PATH, so EmotionKit's tests cannot run." >&2
  exit 1
fi

# Above four workers the longest piece of work, which one worker does alone, decides.
"$bin/python" -m pytest -n auto --maxprocesses 4 "$@"

if [ $# -gt 0 ]; then
  exit 0 # a part: what else was not run is known
elif ! command -v swift >/dev/null; then
  echo "NOT RUN: the tests of EmotionKit (no Swift toolchain on PATH)"
elif [ "$(uname)" = Linux ]; then
  echo "NOT RUN: Core ML, Vision and the camera themselves (they need an Apple system)"
fi
