#!/usr/bin/env bash
# Formatting, lints, types and import rules: check.sh BIN
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$1
"$bin/ruff" format --check .
"$bin/ruff" check .
"$bin/mypy"
"$bin/lint-imports"
if command -v swift >/dev/null; then
  swift format lint --strict --recursive \
    Package.swift swift/EmotionKit benchmarks/swift tests/swift/consumer
  "$bin/python" ci/apple_build.py
else
  echo "NOT RUN: swift format lint, EmotionKit compiled for Apple's systems (no Swift toolchain on PATH)"
fi
echo "check: all good"
