#!/bin/sh
# check_layers_test.sh CHECK_LAYERS: plants one violation after the other in a small tree.
set -eu
check=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir -p apps include/paligemma src/base src/io src/backend/cpu/avx2 src/backend/cpu/portable src/backend/cuda src/ops \
  src/text src/model src/report

failures=0
# refused FILE LINE MESSAGE: the tree with this line more is refused with exactly this message, and without it accepted.
refused() {
  cp "$1" saved 2> /dev/null || : > saved
  echo "$2" >> "$1"
  line=$(wc -l < "$1")
  if output=$(sh "$check" "$folder"); then status=0; else status=$?; fi
  if [ "$status" != 1 ] || [ "$output" != "$1:$line: $3" ]; then
    echo "$1: $2: expected \"$1:$line: $3\", got ($status) \"$output\""
    failures=$((failures + 1))
  fi
  if [ -s saved ]; then cp saved "$1"; else rm "$1"; fi
}

echo '#include <vector>' > include/paligemma/paligemma.h
echo '#include <paligemma/paligemma.h>' > src/base/error.h
printf '#include <nlohmann/json.hpp>\n#include "base/error.h"\n' > src/io/json.h
printf '#include "backend/backend.h"\n  #  include <immintrin.h>\n' > src/backend/cpu/avx2/kernels.cc
printf '#include <cuda_runtime.h>\n#include "backend/backend.h"\n' > src/backend/cuda/gemm.cu
printf '#include "model/config.h"\n#include "ops/ops.h"\n#include "io/json.h"\n' > src/model/decoder.cc
printf '#include "pipeline.h"\n#include "report/draw.h"\n#include "text/prompt.h"\n' > src/pipeline.cc
touch src/pipeline.h
printf '#include "inputs.h"\n#include "pipeline.h"\n#include "apps/options.h"\n#include <sys/stat.h>\n' > apps/main.cc
sh "$check" "$folder" || { echo "the good tree is refused"; exit 1; }

refused src/base/error.h '#include "io/file.h"' 'base may not include io/file.h'
refused src/io/json.h '#include <io/../ops/ops.h>' '"io/../ops/ops.h": expected a path relative to src/'
refused src/ops/linear.cc '#include "model/config.h"' 'ops may not include model/config.h'
refused src/text/prompt.cc '#include "model/config.h"' 'text may not include model/config.h'
refused src/model/decoder.cc '#include "text/prompt.h"' 'model may not include text/prompt.h'
refused src/model/decoder.cc '#include "train/loss.h"' 'model may not include train/loss.h'
refused src/report/draw.cc '#include "pipeline.h"' 'report may not include pipeline.h'
refused src/pipeline.cc '#include "apps/options.h"' 'pipeline may not include apps/options.h'
refused include/paligemma/paligemma.h '#include "base/error.h"' 'include may not include base/error.h'
refused src/ops/linear.cc '#include "utils/all.h"' '"utils/all.h": "utils" is no layer'
refused src/model/decoder.cc '#include <nlohmann/json.hpp>' '<nlohmann/json.hpp> may be included in src/io/json.h only'
refused src/ops/linear.cc '#include <immintrin.h>' \
  '<immintrin.h> may be included in src/backend/cpu/<isa>/ only'
refused src/backend/cpu/portable/kernels.cc '#include <arm_neon.h>' \
  '<arm_neon.h> may be included in src/backend/cpu/<isa>/ only'
refused src/backend/cpu/dispatch.cc '#include <x86intrin.h>' \
  '<x86intrin.h> may be included in src/backend/cpu/<isa>/ only'
refused src/backend/cpu/avx2/kernels.cc '#include <cublas_v2.h>' \
  '<cublas_v2.h> may be included in src/backend/cuda/ only'
mkdir src/utils
refused src/utils/all.h "" 'the folder "utils" is no layer'
[ "$failures" = 0 ]
