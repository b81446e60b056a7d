#!/bin/sh
# check_package.sh CMAKE BUILD_FOLDER CXX_COMPILER VERSION: a user's way from an installed library to a program.
set -eu
cmake=$1 build=$2 compiler=$3 version=$4
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$cmake" --install "$build" --prefix "$folder/prefix" > "$folder/log" || { cat "$folder/log"; exit 1; }
cp -r "$here/consumer" "$folder/consumer"
"$cmake" -S "$folder/consumer" -B "$folder/build" -G Ninja -DCMAKE_CXX_COMPILER="$compiler" \
  -DCMAKE_PREFIX_PATH="$folder/prefix"
"$cmake" --build "$folder/build"
[ "$("$folder/build/consumer")" = "$version" ]
