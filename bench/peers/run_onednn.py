"""Times oneDNN, as torch carries it, on every product of a report of `paligemma bench`: bf16, the same shapes.

    python bench/peers/run_onednn.py build/release/apps/paligemma OURS.json > onednn.json

torch.nn.functional.linear, once with plain weights and once with weights that oneDNN has packed for the number of rows;
the faster one counts, shape by shape. As in a model, each call has other weights, which come from memory. The products
alone: no bias, no GELU, no soft cap, and activations that are bf16 already.
"""

import json
import re
import sys

import torch

import measured

COLD_BYTES = 256 << 20  # of weights that are taken in turn: far above any cache


class Product:
    """All calls of one shape: x (rows, k) times W (columns, k) transposed."""

    def __init__(self, rows, k, columns):
        copies = -(-COLD_BYTES // (2 * k * columns))
        self.x = torch.randn(rows, k).to(torch.bfloat16)
        self.plain = [torch.randn(columns, k, dtype=torch.bfloat16) for _ in range(copies)]
        self.packed = [torch.ops.mkldnn._reorder_linear_weight(weight, rows) for weight in self.plain]
        self.samples = {"plain": [], "packed": []}

    def run_plain(self):
        for weight in self.plain:
            torch.nn.functional.linear(self.x, weight)

    def run_packed(self):
        for weight in self.packed:
            torch.ops.mkldnn._linear_pointwise(self.x, weight, None, "none", [], "")

    def run(self, counts):
        for name, call in ("plain", self.run_plain), ("packed", self.run_packed):
            ms = measured.milliseconds(call) / len(self.plain)
            if counts:
                self.samples[name].append(ms)

    def best(self):
        return min(self.samples.values(), key=lambda samples: measured.spread(samples)["median"])


def shape_of(op):
    """(rows, k, columns) of "linear 260 x 2304 -> 4096" and "gated_gelu 260 x 2304 -> 2 x 9216", else nothing."""
    found = re.fullmatch(r"(?:linear|gated_gelu) (\d+) x (\d+) -> (2 x )?(\d+)", op)
    return found and (int(found[1]), int(found[2]), int(found[4]) * (2 if found[3] else 1))


def main():
    program, ours = measured.parse(__doc__)

    limits = measured.Limits(program, ours["threads"])
    shapes = {shape_of(op["name"]) for stage in ours["stages"] for op in stage["ops"]} - {None}
    times = {}
    with torch.inference_mode():
        for shape in sorted(shapes):  # one after the other: their weights together are more than the model's
            product = Product(*shape)
            for repetition in range(-1, ours["repetitions"]):  # the first warms up
                product.run(repetition >= 0)
            limits.probe()
            times[shape] = product.best()

    stages = []
    for stage in ours["stages"]:
        ops = []
        for op in stage["ops"]:
            shape = shape_of(op["name"])
            if not shape:
                continue
            ms = measured.spread([op["calls"] * sample for sample in times[shape]])
            gflop, gb = (op[rate] * op["ms"]["median"] / 1000 for rate in ("gflops", "gbs"))
            ops.append({"name": op["name"], "calls": op["calls"], "ms": ms, **limits.rates(gflop, gb, ms["median"])})
        if ops:
            stages.append({"name": stage["name"], "ops": ops})
    backend = f"oneDNN of torch {torch.__version__}"
    json.dump(measured.report(ours, "oneDNN", backend, limits, stages), sys.stdout, indent=1)
    print()


main()
