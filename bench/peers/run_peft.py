"""Times transformers with peft on what a report of `paligemma bench --train` measured: a step of LoRA on the same sizes.

    python bench/peers/run_peft.py build/release/apps/paligemma OURS.json > peft.json

Random weights in bf16, adapters in f32 as peft holds them, torch's AdamW; gradient checkpointing where OURS.json ran blocks
again. The loss is the one of transformers, whose logits are of all positions. For a fair race run it right after
OURS.json was measured, with nothing else running.
"""

import json
import sys
import time

import peft
import torch
import transformers
from transformers import PaliGemmaConfig, PaliGemmaForConditionalGeneration

import measured

PROJECTIONS = r".*language_model.*\.(q|k|v|o|gate|up|down)_proj"


def make_model(config, training):
    model = PaliGemmaForConditionalGeneration._from_config(config, dtype=torch.bfloat16)
    lora = peft.LoraConfig(r=training["rank"], lora_alpha=16, target_modules=PROJECTIONS)
    if training["checkpoint"]:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return peft.get_peft_model(model, lora).train()


def make_inputs(config, ours):
    size, batch = config.vision_config.image_size, ours["batch"]
    image_tokens = (size // config.vision_config.patch_size) ** 2
    prompt = [config.image_token_id] * image_tokens + [1000 + i for i in range(ours["prompt_tokens"])]
    answer = [1000 + 3 * i for i in range(ours["generated_tokens"])]
    ids = prompt + answer
    return {
        "input_ids": torch.tensor([ids] * batch),
        "attention_mask": torch.ones(batch, len(ids), dtype=torch.long),
        "token_type_ids": torch.tensor([[0] * len(prompt) + [1] * len(answer)] * batch),
        "labels": torch.tensor([[-100] * len(prompt) + answer] * batch),
        "pixel_values": (2 * torch.rand(batch, 3, size, size) - 1).to(torch.bfloat16),
    }


def step(model, inputs, optimizer):
    """Milliseconds of the forward pass with the tower, of the backward pass, and of the optimiser."""
    stamps = [time.perf_counter()]
    loss = model(**inputs).loss
    stamps.append(time.perf_counter())
    loss.backward()
    stamps.append(time.perf_counter())
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    stamps.append(time.perf_counter())
    return [1000 * (b - a) for a, b in zip(stamps, stamps[1:])]


def main():
    program, ours = measured.parse(__doc__)
    training = ours["training"]
    if training["mode"] != "lora" or training["cached_features"]:
        sys.exit("run_peft: expected a report of --mode lora without --cached-features")
    transformers.logging.set_verbosity_error()

    config = PaliGemmaConfig.from_dict(ours["config"])
    model, inputs = make_model(config, training), make_inputs(config, ours)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-5)
    limits = measured.Limits(program, ours["threads"])
    times = []
    for repetition in range(-1, ours["repetitions"]):  # the first warms up
        limits.probe()
        parts = step(model, inputs, optimizer)
        if repetition >= 0:
            times.append([sum(parts), *parts])
    limits.probe()

    work = {stage["name"]: stage for stage in ours["stages"]}
    of_ours = {"step": ["step"], "vision + forward": ["vision", "forward"], "backward": ["backward"], "optimiser": []}
    stages = []
    for (name, parts), samples in zip(of_ours.items(), zip(*times)):
        gflop, gb = (sum(work[part][key] for part in parts) for key in ("gflop", "gb"))
        ms = measured.spread(samples)
        rates = limits.rates(gflop, gb, ms["median"])
        stages.append({"name": name, "ms": ms, "gflop": gflop, "gb": gb, **rates, "ops": []})
    backend = f"peft {peft.__version__}, transformers {transformers.__version__}, torch {torch.__version__}"
    report = measured.report(ours, "peft", backend, limits, stages)
    report["training"] = {**training, "parameters": sum(parameter.numel() for parameter in trained)}
    json.dump(report, sys.stdout, indent=1)
    print()


main()
