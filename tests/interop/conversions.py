"""Random checkpoints brought into another form and back by the program, answered by transformers and by the program.

    KERAS_BACKEND=torch python tests/interop/conversions.py build/release/apps/paligemma [--count 24] [--seed 1]

Each checkpoint (see checkpoints.py) becomes an npz or a KerasHub preset, whole or in small files, and that a Hugging
Face folder again. The second folder must hold the parameters of the first; transformers' answers from the first must be
its answers from the second and the program's from the form between. KerasHub loads each preset, with its tokenizer, and
must find the first token's log-probabilities.
"""

import pathlib
import random
import subprocess
import tempfile

import keras_hub
import torch
from PIL import Image
from transformers import PaliGemmaForConditionalGeneration, PaliGemmaProcessor

import checkpoints


def convert(program, source, target, form, *extra):
    tokenizer = checkpoints.TOKENIZER / "tokenizer.model"
    command = [program, "convert", source, target, "--to", form, "--tokenizer", tokenizer, *extra, "-q"]
    subprocess.run(command, check=True)


def random_cut(rng, form):
    """An npz is one file."""
    cut = form != "npz" and rng.random() < 0.6
    return ["--shard-bytes", str(rng.choice([3_000, 100_000]))] if cut else []


def first_difference(before, after):
    """Name of a parameter. Rows of the vocabulary beyond the tokenizer are padding, and may be others."""
    before, after = (
        dict(PaliGemmaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).named_parameters())
        for folder in (before, after)
    )
    if before.keys() != after.keys():
        return f"parameters {sorted(before.keys() ^ after.keys())}"
    for name in before:
        rows = checkpoints.IMAGE_TOKEN if "embed_tokens" in name else len(before[name])
        if not torch.equal(before[name][:rows], after[name][:rows]):
            return f"parameter {name}"
    return None


def keras_difference(preset, folder, questions):
    """What KerasHub reads otherwise than transformers."""
    keras = keras_hub.models.PaliGemmaCausalLM.from_preset(str(preset), dtype="float32")
    model = PaliGemmaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    processor = PaliGemmaProcessor.from_pretrained(folder)
    text = model.config.text_config
    scale = getattr(text, "query_pre_attn_scalar", text.head_dim)
    for picture, prompt in questions:
        inputs = processor(text="<image>" + prompt, images=Image.open(picture).convert("RGB"), return_tensors="pt")
        ids = inputs["input_ids"][inputs["input_ids"] != checkpoints.IMAGE_TOKEN].tolist()
        theirs = list(keras.preprocessor.tokenizer(prompt + "\n"))
        if theirs != ids[1:]:
            return f"KerasHub's tokens {theirs}, transformers' {ids[1:]}"
        if scale != text.head_dim:  # KerasHub 0.32 has the field, and always scales by the head size
            continue
        with torch.no_grad():
            expected = checkpoints.capped(model, model(**inputs).logits[0, -1, : checkpoints.IMAGE_TOKEN])
            hidden = keras.backbone(
                {
                    "images": inputs["pixel_values"].permute(0, 2, 3, 1),
                    "token_ids": torch.tensor([ids]),
                    "padding_mask": torch.ones((1, len(ids))),
                    "response_mask": torch.zeros((1, len(ids))),
                }
            )
            got = keras.backbone.token_embedding(hidden[:, -1], reverse=True)[0]
        worst = (expected.log_softmax(-1) - got.log_softmax(-1)).abs().max().item()
        if not worst < 2e-3:
            return f"KerasHub's log-probabilities differ by {worst}"
    return None


def main():
    options = checkpoints.arguments(24)
    pictures = [checkpoints.GOLDEN / "pictures" / name for name in checkpoints.PICTURES]
    questions = [(picture, prompt) for picture in pictures for prompt in checkpoints.PROMPTS[:2]]
    tally = checkpoints.Tally()
    for index in range(options.count):
        seed = options.seed * 1000 + index
        rng = random.Random(seed)
        form = ["npz", "keras"][index % 2]
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            first, second = folder / "first", folder / "second"
            between = folder / ("model.npz" if form == "npz" else "preset")
            first.mkdir()
            what = checkpoints.make(first, rng, seed, plain=True)
            convert(options.program, first, between, form, *random_cut(rng, form))
            convert(options.program, between, second, "hf", *random_cut(rng, "hf"))
            files = len(list(between.glob("*.h5"))) if form == "keras" else 1
            expected = checkpoints.reference(first, questions, rows=checkpoints.IMAGE_TOKEN)
            again = checkpoints.reference(second, questions, rows=checkpoints.IMAGE_TOKEN)
            got = first_difference(first, second) or (form == "keras" and keras_difference(between, first, questions))
            if not got:
                extra = ["--numerics", "hf", "--tokenizer", checkpoints.TOKENIZER / "tokenizer.model"]
                got = checkpoints.ours(options.program, between, questions, folder, extra)
            back = checkpoints.compare(expected, [answer[:2] for answer in again])
            if isinstance(back, str):
                got = f"back in transformers: {back}"
            tally.add(f"{index}: {form} in {files}, {what}", expected, got)
    tally.end("conversions")


if __name__ == "__main__":
    main()
