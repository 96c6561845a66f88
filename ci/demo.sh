#!/usr/bin/env bash
# The whole way on synthetic faces: draw, train, convert, check, package, test in Swift: demo.sh BIN
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$1
out=demo
started=$SECONDS

stage() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

stage "1/5 Draw faces"
"$bin/fertrain" synth "$out/faces" --per-class 250 --val-per-class 60 --size 64 --seed 1

stage "2/5 Train efficientnet_b0 from random weights"
rm -rf "$out/run"
"$bin/fertrain" train --data "$out/faces" --arch efficientnet_b0 --weights none --finetune all \
  --augment 0.25 --epochs 10 --recovery-epochs 2 --prune 0.3 --batch-size 16 --lr 7e-4 --seed 1 \
  --cache "$out/cache" --out "$out/run"

stage "3/5 Convert, read back from disk, compare, report"
"$bin/ferconv" build --checkpoint "$out/run/checkpoints/best.pt" --out "$out/build"

stage "4/5 Write the Swift package"
"$bin/ferconv" package --build "$out/build" --out "$out/EmotionKit"

stage "5/5 Build and test the Swift package with the model inside"
if command -v swift >/dev/null; then
  EMOTIONKIT_REQUIRE_MODEL=1 swift test --quiet --disable-xctest --package-path "$out/EmotionKit" \
    --scratch-path "$out/.swift-build"
  swift_status="tests passed"
else
  swift_status="NOT RUN (no Swift toolchain on PATH)"
fi

"$bin/python" ci/demo_summary.py "$out" --swift "$swift_status" --seconds $((SECONDS - started))
