"""Times transformers on what a report of `paligemma bench` measured: the same sizes, prompt, threads and repetitions.

    python bench/peers/run_transformers.py build/release/apps/paligemma OURS.json > transformers.json

Random weights in bf16 and greedy generate(), a step of which ends when its logits are there. Attention is what
transformers chooses: torch's scaled_dot_product_attention, but for Gemma 2, whose soft cap that does not have. For a fair
race run it right after OURS.json was measured, with nothing else running.
"""

import json
import sys
import time

import torch
import transformers
from transformers import LogitsProcessor, PaliGemmaConfig, PaliGemmaForConditionalGeneration

import measured


class Stamps(LogitsProcessor):
    """Notes when logits come."""

    def __init__(self):
        self.times = []

    def __call__(self, input_ids, scores):
        self.times.append(time.perf_counter())
        return scores


def make_model(config):
    model = PaliGemmaForConditionalGeneration._from_config(config, dtype=torch.bfloat16)
    model.generation_config.eos_token_id = None
    return model.eval()


def make_inputs(config, ours):
    size, batch = config.vision_config.image_size, ours["batch"]
    image_tokens = (size // config.vision_config.patch_size) ** 2
    ids = [config.image_token_id] * image_tokens + [1000 + i for i in range(ours["prompt_tokens"])]
    return {
        "input_ids": torch.tensor([ids] * batch),
        "attention_mask": torch.ones(batch, len(ids), dtype=torch.long),
        "pixel_values": (2 * torch.rand(batch, 3, size, size) - 1).to(torch.bfloat16),
    }


def main():
    program, ours = measured.parse(__doc__)
    transformers.logging.set_verbosity_error()

    config = PaliGemmaConfig.from_dict(ours["config"])
    model, inputs = make_model(config), make_inputs(config, ours)
    limits = measured.Limits(program, ours["threads"])
    tokens = ours["generated_tokens"]
    times = {"vision": [], "picture + prefill": [], "decode": []}
    with torch.inference_mode():
        for repetition in range(-1, ours["repetitions"]):  # the first warms up
            limits.probe()
            vision = measured.milliseconds(lambda: model.get_image_features(inputs["pixel_values"]))
            stamps = Stamps()
            start = time.perf_counter()
            model.generate(**inputs, max_new_tokens=tokens, do_sample=False, logits_processor=[stamps])
            if repetition < 0:
                continue
            times["vision"].append(vision)
            times["picture + prefill"].append(1000 * (stamps.times[0] - start))
            times["decode"] += [1000 * (b - a) for a, b in zip(stamps.times, stamps.times[1:])]
    limits.probe()

    stages = []
    for stage in ours["stages"]:
        if stage["name"] not in times:
            continue
        ms = measured.spread(times[stage["name"]])
        rates = limits.rates(stage["gflop"], stage["gb"], ms["median"])
        stages.append({"name": stage["name"], "ms": ms, "gflop": stage["gflop"], "gb": stage["gb"], **rates, "ops": []})
    backend = f"transformers {transformers.__version__}, torch {torch.__version__}"
    json.dump(measured.report(ours, "transformers", backend, limits, stages), sys.stdout, indent=1)
    print()


main()
