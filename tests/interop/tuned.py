"""Models that `train` tuned: LoRA adapters attached by peft and merged by the program, and models trained in full, as
transformers loads them, beside the program's own answers.

    python tests/interop/tuned.py build/release/apps/paligemma [--count 24] [--seed 1]

The run is that of tests/train/small_run_test.cc: an emoji that the embedded model does not know, on its own pictures.
`--count` is how many other pictures are asked about. Ids and log-probabilities must be transformers', and the tuned
model must find most of what is there: an answer that says nothing is easily the same.
"""

import json
import pathlib
import random
import subprocess
import tempfile

import peft
from PIL import Image

import checkpoints

ROOT = pathlib.Path(__file__).parents[2]
MODEL = ROOT / "models/pocket"
LABEL = "purple animals"
MODULES = r".*\.(q_proj|k_proj|v_proj|out_proj|o_proj|fc1|fc2|gate_proj|up_proj|down_proj|linear)"
RUNS = {
    "lora": ["--targets", MODULES, "--rank", "16"],
    "lora, capped": ["--targets", MODULES, "--rank", "8", "--rslora", "--final-softcap", "on"],
    "full": ["--mode", "full", "--lr", "1e-3", "--save-type", "f32"],
}


def compose(folder, count, rng):
    """Pictures with one octopus each, and their boxes as COCO has them."""
    colors = Image.open(checkpoints.GOLDEN / "train/emoji/octopus.png").convert("RGB")
    alpha = Image.open(checkpoints.GOLDEN / "train/emoji/octopus_alpha.png").convert("L")
    folder.mkdir()
    boxes, sizes = [], []
    for index in range(count):
        places = sorted((MODEL / "pictures").glob("*.png"))
        picture = Image.open(places[index % len(places)]).convert("RGB")
        width = int(picture.width * rng.uniform(0.22, 0.42))
        size = (width, width * colors.height // colors.width)
        at = (rng.randint(0, picture.width - size[0]), rng.randint(0, picture.height - size[1]))
        picture.paste(colors.resize(size), at, alpha.resize(size))
        picture.save(folder / f"{index}.png")
        boxes.append([*at, *size])
        sizes.append(picture.size)
    document = {
        "images": [{"id": i, "file_name": f"{i}.png", "width": w, "height": h} for i, (w, h) in enumerate(sizes)],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 1, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
            for i, box in enumerate(boxes)
        ],
        "categories": [{"id": 1, "name": LABEL}],
    }
    (folder / "annotations.json").write_text(json.dumps(document))


def must(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{command}: {done.stderr}")


def caps_of(checkpoint):
    """The run's own final cap, which its adapter's folder says and the base model's does not."""
    cap = json.loads((checkpoint / "paligemma.json").read_text())["final_logit_softcapping"]

    def change(model):
        model.config.text_config.final_logit_softcapping = cap
        model.config.get_text_config().final_logit_softcapping = cap
        return model

    return change


def main():
    options = checkpoints.arguments(24)
    tally = checkpoints.Tally()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        compose(folder / "train", 60, rng)
        compose(folder / "held_out", options.count, rng)
        questions = [(folder / f"held_out/{i}.png", f"detect {LABEL}") for i in range(options.count)]
        for what, flags in RUNS.items():
            out = folder / what
            must([options.program, "train", folder / "train", "--val", folder / "held_out", "-o", out, "--steps", 120,
                  "--eval-every", 120, "--batch", 10, "--accumulate", 1, "--compute", "f32", "-q", *flags])  # fmt: skip
            last = json.loads((out / "log.jsonl").read_text().splitlines()[-1])
            if last["metrics"]["box_ap/50"] < 0.5:
                raise SystemExit(f"{what}: learnt nothing: {last}")
            best = out / "best"
            if what == "full":
                got = checkpoints.ours(options.program, best, questions, folder)
                tally.add(what, checkpoints.reference(best, questions), got)
                continue
            change = caps_of(best)
            expected = checkpoints.reference(
                MODEL, questions, lambda model: peft.PeftModel.from_pretrained(change(model), best)
            )
            got = checkpoints.ours(options.program, MODEL, questions, folder, ["--adapter", best])
            tally.add(what, expected, got)
            merged = folder / f"{what}, merged"
            must([options.program, "merge", "-m", MODEL, "--adapter", best, "-o", merged, "--save-type", "f32", "-q"])
            alone = [(ids, logprobs) for ids, logprobs, _ in checkpoints.reference(merged, questions)]
            tally.add(f"{what}, merged", expected, alone)
    tally.end("tuned models")


if __name__ == "__main__":
    main()
