# shellcheck shell=sh disable=SC2034
# Sourced by demo.sh and test.sh: the Debian 12 packages that each needs, and what installs them.

# To build and to run. The fonts are for labels in the languages of the demo.
packages_build='cmake g++ ninja-build pkg-config nlohmann-json3-dev libzip-dev libpcre2-dev libtomlplusplus-dev
  libexpat1-dev libyaml-dev libutf8proc-dev libjpeg62-turbo-dev libpng-dev libwebp-dev libgif-dev libcairo2-dev
  libpango1.0-dev libcli11-dev fonts-dejavu-core fonts-noto-cjk'
# To test as well: clang for sanitizers and fuzzing, llvm to name the lines in what they report;
# simde to run AVX-512 kernels on processors without it.
packages_test='libgtest-dev libgmock-dev clang-19 libclang-rt-19-dev llvm-19 clang-format-19 libsimde-dev'

# install_missing PACKAGE...
install_missing() {
  if ! command -v dpkg-query > /dev/null; then
    echo "This is no Debian: going on as if these packages of it were there:" "$@" >&2
    return
  fi
  missing=
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null)" = installed ] || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  echo "Installing the missing Debian packages:$missing"
  # shellcheck disable=SC2086 # a list of words
  if has_package_lists && as_root apt-get install -y --no-install-recommends $missing < /dev/null; then return; fi
  as_root apt-get update
  # shellcheck disable=SC2086
  as_root apt-get install -y --no-install-recommends $missing < /dev/null
}

has_package_lists() { ls /var/lib/apt/lists/*_Packages* > /dev/null 2>&1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then
    DEBIAN_FRONTEND=noninteractive "$@"
  elif command -v sudo > /dev/null; then
    sudo DEBIAN_FRONTEND=noninteractive "$@"
  else
    echo "No right to install packages, and no sudo. As root: $*" >&2
    return 1
  fi
}
