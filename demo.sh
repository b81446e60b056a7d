#!/bin/sh
# Builds the program and lets it show what it can do on the pictures inside it. Results: the folder out/.
set -eu
cd "$(dirname "$0")"
. tools/setup.sh
# shellcheck disable=SC2086 # a list of words
install_missing $packages_build

cmake --preset release -DPALIGEMMA_TESTS=OFF
cmake --build --preset release --target paligemma_program
program=$(find build/release -type f -name paligemma -perm -u+x)
"$program" demo out/ --force
echo "The pictures, with what the model saw drawn on them, are in $PWD/out"
