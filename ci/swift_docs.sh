#!/usr/bin/env bash
# The documentation of one module as DocC makes it: swift_docs.sh [MODULE] [OUT]
# Fails when DocC complains about an article. Comments in the sources may point into another module of
# the package, which DocC cannot follow here; those are counted. Works on Linux too, from a build against
# the stub modules.
set -euo pipefail
cd "$(dirname "$0")/.."
module=${1:-EmotionKit}
out=${2:-.build-docs/$module.doccarchive}
scratch=.build-stubs
graphs=$(mktemp -d)
trap 'rm -rf "$graphs"' EXIT

EMOTIONKIT_APPLE_STUBS=1 swift build --quiet --package-path swift/EmotionKit --scratch-path "$scratch" \
  -Xswiftc -warnings-as-errors
target=$(swiftc -print-target-info | sed -n 's/.*"unversionedTriple": "\(.*\)".*/\1/p')
swift symbolgraph-extract -module-name "$module" -target "$target" -I "$scratch/debug/Modules" \
  -output-dir "$graphs" -minimum-access-level public -skip-synthesized-members
if command -v xcrun >/dev/null; then docc="xcrun docc"; else docc="$(dirname "$(readlink -f "$(command -v swift)")")/docc"; fi
mkdir -p "$(dirname "$out")"
$docc convert "swift/EmotionKit/Sources/$module/$module.docc" --additional-symbol-graph-dir "$graphs" \
  --fallback-display-name "$module" --fallback-bundle-identifier "$module" \
  --ide-console-output --output-path "$out" >"$graphs/diagnostics" 2>&1 || { cat "$graphs/diagnostics" >&2; exit 1; }
if grep -E '\.docc/.*(warning|error):' "$graphs/diagnostics" >&2; then
  echo "error: DocC complains about the articles of $module." >&2
  exit 1
fi
echo "Wrote $out; $(grep -c "doesn't exist at" "$graphs/diagnostics" || true) links lead out of the module."
