"""Makes tests/golden/train/optimizers.safetensors: four steps of torch.optim's AdamW, SGD and Muon on random matrices.

Tensors are <optimizer>/<matrix>/value (before), /gradient/<step> and /after. Muon's own products are in bfloat16 there.

    tests/interop/optimizers.py
"""
import pathlib

import torch
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).resolve().parent.parent / "golden" / "train" / "optimizers.safetensors"
MAKE = {
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, betas=(0.9, 0.99), eps=1e-6, weight_decay=0.1),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, weight_decay=0.1),
    "muon": lambda p: torch.optim.Muon(p, lr=0.01, weight_decay=0.1),
}


def main():
    torch.manual_seed(7)
    tensors = {}
    for name, make in MAKE.items():
        for rows, cols in ((12, 20), (33, 7)):
            value = torch.nn.Parameter(torch.randn(rows, cols))
            key = f"{name}/{rows}x{cols}"
            tensors[f"{key}/value"] = value.detach().clone()
            optimizer = make([value])
            for step in range(4):
                value.grad = torch.randn(rows, cols)
                tensors[f"{key}/gradient/{step}"] = value.grad.clone()
                optimizer.step()
            tensors[f"{key}/after"] = value.detach().clone()
    save_file(tensors, OUT)
    print(f"{len(MAKE)} optimisers, torch {torch.__version__}")


main()
