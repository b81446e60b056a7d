"""What the peers' scripts share: measurements in the schema of `paligemma bench --json`."""

import argparse
import json
import pathlib
import resource
import subprocess
import time

import torch


def parse(description):
    """The program, and its own report of bf16, which torch is then set up to repeat."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("program", help="the built paligemma")
    parser.add_argument("ours", type=pathlib.Path, help="what its bench --json printed for bf16")
    arguments = parser.parse_args()
    ours = json.loads(arguments.ours.read_text())
    torch.manual_seed(1)
    torch.set_num_threads(ours["threads"])
    return arguments.program, ours


def spread(samples):
    samples = sorted(samples)

    def quantile(part):
        place = part * (len(samples) - 1)
        below = int(place)
        above = min(below + 1, len(samples) - 1)
        return samples[below] + (place - below) * (samples[above] - samples[below])

    return {
        "samples": len(samples),
        "min": samples[0],
        "q1": quantile(0.25),
        "median": quantile(0.5),
        "q3": quantile(0.75),
        "max": samples[-1],
    }


class Limits:
    """The machine's limits, measured by the program between the repetitions."""

    def __init__(self, program, threads):
        self.command = [program, "bench", "--limits", "--repetitions", "1", "--json", "--threads", str(threads)]
        self.probes = []

    def probe(self):
        done = subprocess.run(self.command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        limits = json.loads(done.stdout)["limits"]
        self.probes.append({name: limit["max"] for name, limit in limits.items()})

    def spreads(self):
        return {name: spread([probe[name] for probe in self.probes]) for name in self.probes[0]}

    def rates(self, gflop, gb, ms):
        """As rate_of() in src/bench/stage.cc does it, for bf16."""
        limits = {name: limit["max"] for name, limit in self.spreads().items()}
        gflops, gbs = 1000 * gflop / ms, 1000 * gb / ms
        share = max(gflops / max(limits["f32_gflops"], limits["bf16_gflops"]), gbs / limits["read_gbs"])
        return {"gflops": gflops, "gbs": gbs, "share": share}


def milliseconds(call):
    start = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - start)


def report(ours, program, backend, limits, stages):
    """A report of `program` doing what `ours`, a report of the program, says."""
    same = ["schema", "shape", "threads", "batch", "prompt_tokens", "generated_tokens", "repetitions"]
    return {
        **{name: ours[name] for name in same},
        "program": program,
        "backend": backend,
        "weights": "bf16",
        "compute": "bf16",
        "limits": limits.spreads(),
        "peak_rss_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "stages": stages,
    }
