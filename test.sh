#!/bin/sh
# test.sh [PRESET...]: builds and runs all tests: as they are, under the address and undefined behaviour sanitizers, those
# with threads under the thread sanitizer, and fuzzing for a short while. Presets are those of CMakePresets.json.
set -eu
cd "$(dirname "$0")"
. tools/setup.sh
# shellcheck disable=SC2086 # a list of words
install_missing $packages_build $packages_test

[ $# != 0 ] || set -- release asan tsan fuzz
for preset in "$@"; do
  echo "== $preset"
  cmake --workflow --preset "$preset"
done
