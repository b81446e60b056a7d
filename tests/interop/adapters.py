"""Random adapters written by peft, attached by transformers with peft and by the program, and merged by the program into
folders that transformers loads without peft.

    python tests/interop/adapters.py build/release/apps/paligemma [--count 24] [--seed 1]

Each adapter lies on a random checkpoint of its own (see checkpoints.py), and the ids must be peft's up to the first
near-tie, whoever answers.
"""

import pathlib
import random
import subprocess
import tempfile

import peft
import torch
from transformers import PaliGemmaForConditionalGeneration

import checkpoints

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "out_proj", "fc1", "fc2"]


def random_adapter(rng):
    targets = rng.sample(PROJECTIONS, rng.randint(1, 6))
    settings = dict(
        r=rng.choice([1, 2, 4, 7, 16]),
        lora_alpha=rng.choice([1, 4, 8, 21]),
        target_modules=targets,
        use_rslora=rng.random() < 0.3,
        use_dora=rng.random() < 0.3,
    )
    if rng.random() < 0.3:
        settings["target_modules"] = r".*language_model.*\.(q_proj|v_proj|down_proj)"
    if rng.random() < 0.3:
        settings["rank_pattern"] = {rng.choice(PROJECTIONS): 3, r"layers\.0\.self_attn\.q_proj": 5}
    if rng.random() < 0.3:
        settings["alpha_pattern"] = {rng.choice(PROJECTIONS): 13}
    if rng.random() < 0.3:
        settings["modules_to_save"] = ["multi_modal_projector"]
    return peft.LoraConfig(**settings)


def attach(folder, adapter, rng, seed):
    """Writes an adapter whose effect is large. Says which."""
    model = PaliGemmaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    config = random_adapter(rng)
    model = peft.get_peft_model(model, config)
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in model.named_parameters():
        if "lora_A" in name or "lora_B" in name:
            tensor.data = torch.randn(tensor.shape, generator=generator) * 0.3 / tensor.shape[1] ** 0.5
        elif "modules_to_save" in name or "magnitude" in name:
            tensor.data += 0.1 * torch.randn(tensor.shape, generator=generator)
    model.save_pretrained(adapter)
    kind = [word for word in ("use_rslora", "use_dora", "rank_pattern", "alpha_pattern", "modules_to_save") if getattr(config, word)]
    return f"r {config.r}, alpha {config.lora_alpha}, {' '.join(kind)}, {config.target_modules}"


def merged(program, folder, adapter, to, questions):
    """What transformers alone says of the folder that `merge` makes, or why there is none."""
    command = [program, "merge", "-m", folder, "--adapter", adapter, "-o", to, "--save-type", "f32", "-q"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return done.stderr.strip()
    return [(ids, logprobs) for ids, logprobs, _ in checkpoints.reference(to, questions)]


def main():
    options = checkpoints.arguments(24)
    questions = [(checkpoints.GOLDEN / "pictures" / p, q) for p in checkpoints.PICTURES for q in checkpoints.PROMPTS[:2]]
    tally = checkpoints.Tally()
    for index in range(options.count):
        seed = options.seed * 1000 + index
        rng = random.Random(seed)
        with tempfile.TemporaryDirectory() as name:
            folder, adapter = pathlib.Path(name) / "model", pathlib.Path(name) / "adapter"
            folder.mkdir()
            checkpoints.make(folder, rng, seed)
            what = attach(folder, adapter, rng, seed)
            expected = checkpoints.reference(folder, questions, lambda model: peft.PeftModel.from_pretrained(model, adapter))
            got = checkpoints.ours(options.program, folder, questions, pathlib.Path(name), ["--adapter", adapter])
            tally.add(f"{index}: {what}", expected, got)
            alone = merged(options.program, folder, adapter, pathlib.Path(name) / "merged", questions)
            tally.add(f"{index}: merged", expected, alone)
    tally.end("adapters")


if __name__ == "__main__":
    main()
