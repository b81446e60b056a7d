"""Makes tests/golden/train/<model>/double.safetensors: ten AdamW steps of a case in double precision, by transformers.

Rounding grows from step to step in these runs, so that two programs in single precision part from each other by more
than one parts from itself when it takes the examples one at a time. The same run in double says how far each is from
what is true: <tensor> after ten steps, and in `distance`, in the order of the names, how far transformers' own run in
single precision is (norm of the difference).

    tests/interop/train_double.py [MODEL...]        pg1 and pg2
"""
import json
import pathlib
import sys

import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import PaliGemmaForConditionalGeneration

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"


def published_name(name):
    if name.startswith("model.vision_tower."):
        rest = name.removeprefix("model.vision_tower.").removeprefix("vision_model.")
        return "vision_tower.vision_model." + rest
    return name.removeprefix("model.").replace("language_model.", "language_model.model.", 1)


def run(name, case, dtype):
    model = PaliGemmaForConditionalGeneration.from_pretrained(
        GOLDEN / "models" / name, dtype=torch.float32, attn_implementation="eager").to(dtype)
    model.model.language_model.config.final_logit_softcapping = None
    model.config.text_config.final_logit_softcapping = None
    side = model.config.vision_config.image_size
    pixels = []
    for example in case["examples"]:
        picture = Image.open(GOLDEN / "pictures" / example["picture"]).convert("RGB").resize((side, side), Image.BICUBIC)
        raw = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).reshape(side, side, 3)
        pixels.append((raw.permute(2, 0, 1).to(torch.float32) / 255 - 0.5) / 0.5)
    pixels = torch.stack(pixels).to(dtype)
    inputs = {key: torch.tensor(case[key]) for key in ("input_ids", "attention_mask", "token_type_ids", "labels")}
    options = case["optimizer"]
    optimizer = torch.optim.AdamW(model.parameters(), lr=options["lr"], betas=options["betas"], eps=options["eps"],
                                  weight_decay=options["weight_decay"])
    model.train()
    for _ in range(options["steps"]):
        optimizer.zero_grad()
        logits = model(pixel_values=pixels, **inputs).logits[:, :-1].to(dtype)
        labels = inputs["labels"][:, 1:]
        losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels, ignore_index=-100, reduction="none")
        (losses.sum(1) / (labels != -100).sum(1)).mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), options["clip_norm"])
        optimizer.step()
    return {published_name(key): value.detach() for key, value in model.named_parameters()}


def main():
    torch.set_num_threads(1)
    for name in sys.argv[1:] or ["pg1", "pg2"]:
        case = json.loads((GOLDEN / "train" / name / "case.json").read_text())
        double, single = (run(name, case, dtype) for dtype in (torch.float64, torch.float32))
        out = {key: value.to(torch.float32).contiguous() for key, value in double.items()}
        distance = [(double[key] - single[key].double()).norm() for key in sorted(double)]
        out["distance"] = torch.stack(distance).to(torch.float32)
        save_file(out, GOLDEN / "train" / name / "double.safetensors")
        print(f"{name}: {len(double)} tensors, largest distance of single precision {max(distance):.2g}")


main()
