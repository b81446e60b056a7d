"""Random checkpoints brought into another form and back by the program, answered by transformers and by the program.

    python tests/interop/conversions.py build/release/apps/paligemma [--count 24] [--seed 1]

Each checkpoint (see checkpoints.py) becomes an npz or a KerasHub preset, and that a Hugging Face folder again. The
second folder must hold the parameters of the first, and transformers' answers from it must be the program's from the
form between. What a form cannot express is refused, and another checkpoint is taken. With keras-hub installed
(KERAS_BACKEND=torch) each preset is loaded by it too.
"""

import pathlib
import random
import subprocess
import tempfile

import torch
from transformers import PaliGemmaForConditionalGeneration

import checkpoints


def convert(program, source, target, form):
    """False when the form cannot express the model."""
    command = [program, "convert", source, target, "--to", form, "--tokenizer", checkpoints.TOKENIZER / "tokenizer.model", "-q"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 2 and "cannot convert" in done.stderr:
        return False
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return True


def parameters(folder):
    model = PaliGemmaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    return {name: tensor.detach() for name, tensor in model.named_parameters()}


def first_difference(before, after):
    """Rows of the vocabulary beyond the tokenizer are padding, and may be others."""
    if before.keys() != after.keys():
        return f"parameters {sorted(before.keys() ^ after.keys())}"
    for name in before:
        rows = checkpoints.IMAGE_TOKEN if "embed_tokens" in name else len(before[name])
        if not torch.equal(before[name][:rows], after[name][:rows]):
            return name
    return None


def loads_in_keras(preset):
    try:
        import keras_hub
    except ImportError:
        return
    keras_hub.models.PaliGemmaBackbone.from_preset(str(preset))


def main():
    options = checkpoints.arguments(24)
    questions = [(checkpoints.GOLDEN / "pictures" / p, q) for p in checkpoints.PICTURES for q in checkpoints.PROMPTS[:2]]
    tally = checkpoints.Tally()
    refused, index = 0, 0
    while tally.count < options.count:
        seed = options.seed * 1000 + index
        form = ["npz", "keras"][index % 2]
        index += 1
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "first").mkdir()
            what = f"{seed} {form}: {checkpoints.make(folder / 'first', random.Random(seed), seed)}"
            between = folder / ("model.npz" if form == "npz" else "preset")
            if not convert(options.program, folder / "first", between, form):
                refused += 1
                continue
            if form == "keras":
                loads_in_keras(between)
            convert(options.program, between, folder / "second", "hf")
            differs = first_difference(parameters(folder / "first"), parameters(folder / "second"))
            extra = ["--numerics", "hf", "--tokenizer", checkpoints.TOKENIZER / "tokenizer.model"]
            got = differs or checkpoints.ours(options.program, between, questions, folder, extra)
            tally.add(what, checkpoints.reference(folder / "second", questions), got)
    print(f"{refused} checkpoints were refused")
    tally.end("conversions")


if __name__ == "__main__":
    main()
