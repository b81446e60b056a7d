#!/bin/sh
# What is compiled for one instruction set must not stand in for anything at link time: the objects of backend/cpu/<isa>/
# define their entry and nothing else that other objects could be given (an inline function would be such a thing).
found=0
for object in "$@"; do
  case $object in */cpu/avx*) ;; *) continue ;; esac
  found=$((found + 1))
  if nm --defined-only --demangle "$object" | grep -E ' [TWVu] ' | grep -vE ' T paligemma::use_| V DW\.ref\.'; then
    echo "in $object" >&2
    exit 1
  fi
done
echo "$found objects"
