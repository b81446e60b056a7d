#!/bin/sh
# test.sh [PRESET...]: builds and runs all tests: as they are; under the address and undefined behaviour sanitizers, where
# readers are fuzzed for a short while, too; and those with threads under the thread sanitizer. Presets are those of
# CMakePresets.json.
set -eu
cd "$(dirname "$0")"
. tools/setup.sh
# shellcheck disable=SC2086 # a list of words
install_missing $packages_build $packages_test

[ $# != 0 ] || set -- release asan tsan
for preset in "$@"; do
  echo "== $preset"
  cmake --workflow --preset "$preset"
done
