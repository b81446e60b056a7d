"""Quantised models as PyPI's gguf reads them.

    python tests/interop/gguf.py build/release/apps/paligemma [MODEL]

The model (models/pocket) is quantised as q8, q4 and mixed. gguf must open each file, find the configuration, and make of
every tensor of the network the numbers that the program computes with: those of `convert --to hf --weights f32`. What
gguf itself makes of the source's numbers must be the same blocks.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

# A script's own folder comes first on the path, and this script is called as the package is.
sys.path.pop(0)

import gguf  # noqa: E402
import numpy  # noqa: E402
import torch  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
LONGER = {"vision_tower.": "vision_tower.vision_model.", "language_model.": "language_model.model."}


def canonical(name):
    name = name.removeprefix("model.")
    for short, long in LONGER.items():
        if name.startswith(short) and not name.startswith(long):
            return long + name[len(short):]
    return name


def compare(program, model, folder, kind):
    path = folder / f"{kind}.gguf"
    subprocess.run([program, "quantize", model, path, "--type", kind, "-q"], check=True)
    subprocess.run([program, "convert", path, folder / kind, "--to", "hf", "--weights", "f32", "-q"], check=True)
    ours = load_file(folder / kind / "model.safetensors")
    source = {canonical(name): it for name, it in load_file(pathlib.Path(model) / "model.safetensors").items()}
    reader = gguf.GGUFReader(path)
    config = json.loads(reader.fields["paligemma.file.config.json"].contents())
    assert config["model_type"] == "paligemma", config
    numbers = 0
    for tensor in reader.tensors:
        name = canonical(tensor.name)
        if name not in ours:
            assert name.startswith(("mask_codec.", "file.")), name
            continue
        theirs = gguf.dequantize(tensor.data, tensor.tensor_type).reshape(ours[name].shape)
        assert numpy.array_equal(theirs.astype(numpy.float32), ours.pop(name).numpy()), name
        numbers += theirs.size
        if tensor.tensor_type in (gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.Q4_0):
            blocks = gguf.quantize(source[name].to(torch.float32).numpy(), tensor.tensor_type)
            assert numpy.array_equal(blocks.ravel(), numpy.asarray(tensor.data).ravel()), name
    assert not ours, list(ours)
    return numbers


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    model = sys.argv[2] if len(sys.argv) > 2 else ROOT / "models/pocket"
    with tempfile.TemporaryDirectory() as folder:
        numbers = [compare(program, model, pathlib.Path(folder), kind) for kind in ("q8", "q4", "mixed")]
    print(f"{len(numbers)} of 3 files equal, {sum(numbers):,} numbers")


main()
