#!/usr/bin/env bash
# EmotionKit and its tests compiled by an older Swift, where there is one; the syntax of a newer one is
# refused by nothing else:
#   EMOTIONKIT_OLDER_SWIFT=/opt/swift-6.0/usr/bin ci/swift_older.sh
# Once as an app adds it, once against the stand-ins for Apple's frameworks.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=${EMOTIONKIT_OLDER_SWIFT:-}
if [ -z "$bin" ]; then
  echo "NOT RUN: EmotionKit compiled by an older Swift (EMOTIONKIT_OLDER_SWIFT does not name its bin folder)"
  exit 0
fi
if ! [ -x "$bin/swift" ]; then
  echo "error: EMOTIONKIT_OLDER_SWIFT is $bin, and there is no swift in it; name the folder that has one." >&2
  exit 2
fi
tools=$(sed -n '1s/.*swift-tools-version: *//p' swift/EmotionKit/Package.swift)
echo "the manifest promises Swift $tools; compiling with $("$bin/swift" --version 2>/dev/null | head -1)"
options=(--build-tests --disable-xctest)
# Debian's 6.0.3 has a library with a symbol that is nowhere; only its linking is let through.
[ "$(uname)" = Linux ] && options+=(-Xlinker --allow-shlib-undefined)
"$bin/swift" build "${options[@]}" --scratch-path .build-older
EMOTIONKIT_APPLE_STUBS=1 "$bin/swift" build "${options[@]}" \
  --package-path swift/EmotionKit --scratch-path .build-older-stubs
echo "compiled by the older Swift: the package and its tests, with and without stand-ins"
