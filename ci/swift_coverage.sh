#!/usr/bin/env bash
# Line coverage of EmotionKitCore by its own tests, file by file: swift_coverage.sh [LEAST_PERCENT]
# Fails below LEAST_PERCENT (95).
set -euo pipefail
cd "$(dirname "$0")/.."
least=${1:-95}
scratch=.build-coverage

swift test --quiet --disable-xctest --enable-code-coverage --scratch-path "$scratch" >/dev/null
if command -v xcrun >/dev/null; then
  llvm_cov="xcrun llvm-cov"
else
  # The toolchain's own: another version cannot read its profiles.
  llvm_cov="$(dirname "$(readlink -f "$(command -v swift)")")/llvm-cov"
fi
products=$(swift build --scratch-path "$scratch" --show-bin-path)
tests=$products/EmotionKitPackageTests.xctest
[ -d "$tests" ] && tests=$tests/Contents/MacOS/EmotionKitPackageTests

$llvm_cov report "$tests" -instr-profile "$products/codecov/default.profdata" \
  swift/EmotionKit/Sources/EmotionKitCore |
  awk -v least="$least" '
    # Columns: file, three of regions, three of functions, then lines, missed lines, percentage.
    $1 ~ /\.swift$/ { printf "%7s  %4d lines, %3d missed  %s\n", $10, $8, $9, $1 }
    $1 == "TOTAL" { total = $10; lines = $8; missed = $9 }
    END {
      if (!lines) { print "error: no coverage was measured" > "/dev/stderr"; exit 1 }
      printf "%7s  of %d lines of EmotionKitCore (at least %s%%)\n", total, lines, least
      if (100 * (lines - missed) / lines < least) exit 1
    }'
