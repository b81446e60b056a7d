#!/bin/sh
# bench_compare_test.sh BENCH_COMPARE: two small reports side by side, and what is no report.
set -eu
compare=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# report PROGRAM READ_GBS MS SHARE OPS
report() {
  cat << END
{"schema": "paligemma.bench/1", "program": "$1", "shape": "tiny", "backend": "cpu", "weights": "bf16", "compute": "bf16",
 "threads": 2, "batch": 1, "limits": {"bf16_gflops": {"max": 400}, "read_gbs": {"max": $2}},
 "stages": [{"name": "vision", "ms": {"median": $3}, "share": $4, "ops": [$5]},
            {"name": "of $1 alone", "ms": {"median": 1}, "share": 0, "ops": []},
            {"name": "decode", "ops": []}]}
END
}
op() { echo "{\"name\": \"$1\", \"ms\": {\"median\": $2}, \"share\": $3}"; }

expect() {
  grep -Eq -- "$1" "$folder/out" || { echo "bench_compare: expected $1 in" >&2; cat "$folder/out" >&2; exit 1; }
}

report paligemma 50 200 0.8 "$(op 'linear 1 x 2' 120 0.9), $(op gelu 20 0), $(op add 1 0)" > "$folder/a.json"
report other 40 500 0.4 "$(op gelu 5 0), $(op 'linear 1 x 2' 300 0.36), $(op softmax 2 0)" > "$folder/b.json"
"$compare" "$folder/a.json" "$folder/b.json" > "$folder/out"
expect '^A: paligemma, tiny'
expect '^B: other, tiny'
expect '^bf16 GFLOP/s +400.0 +400.0 +1.00$'
expect '^read GB/s +50.0 +40.0 +0.80$'
expect '^vision +200.00 +500.00 +2.50 +80% +40%$'
expect '^linear 1 x 2 +120.00 +300.00 +2.50 +90% +36%$'
expect '^gelu +20.00 +5.00 +0.25 +0% +0%$'
expect '^together +140.00 +305.00 +2.18$'
if grep -Eq 'alone|add|softmax|decode|int8' "$folder/out"; then
  echo 'bench_compare: shows what only one of the reports has' >&2
  exit 1
fi

# refuses MESSAGE FILE...
refuses() {
  message=$1
  shift
  if "$compare" "$@" > "$folder/out" 2>&1; then
    echo "bench_compare: took $*" >&2
    exit 1
  fi
  expect "$message"
}
echo '{"schema": "paligemma.inspect/1"}' > "$folder/other.json"
echo '{' > "$folder/broken.json"
refuses 'expected the schema paligemma.bench/1, got paligemma.inspect/1' "$folder/a.json" "$folder/other.json"
refuses 'broken.json: ' "$folder/a.json" "$folder/broken.json"
refuses 'missing.json' "$folder/missing.json" "$folder/a.json"
refuses 'bench_compare A.json B.json' "$folder/a.json"
